#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "agent/cache/snapshot.h"
#include "agent/cache/worker_pool.h"
#include "agent/volume/mirror_task.h"
#include "agent/volume/secret_mirror.h"
#include "agent/volume/volume.h"
#include "agent/volume/volume_condition.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/waker.h"

namespace escagent::volume {

// Keeps the Secrets of volumes with `mirrorTo` as the volumes are: writes them before the volume is
// mounted and when it shows other values, and takes the pod off them when it is unmounted. All of
// it on threads of its own, so that neither a publish nor a reader of files waits for the API
// server, and slow Secrets do not delay the others.
//
// What is written already is known from memory; nothing is asked or written again until the values
// change. Failures are tried again with backoff, by the clock. Borrows what it is given;
// thread-safe.
class MirrorWorker {
 public:
  using SnapshotPointer = std::shared_ptr<const cache::Snapshot>;

  MirrorWorker(SecretMirror& mirror, Clock& clock);
  // Stop.
  ~MirrorWorker();
  MirrorWorker(const MirrorWorker&) = delete;
  MirrorWorker& operator=(const MirrorWorker&) = delete;

  // Before a volume is mounted: OK when the Secret holds what `snapshot` gives and the pod owns it.
  // Until then UNAVAILABLE with a retry_after (csi::VolumeService::Publish) and the last cause, or
  // an error that does not go by itself. `asked_at` is when kubelet asked: errors from before then
  // do not count.
  Status Ensure(const VolumeIdentity& identity, const SnapshotPointer& snapshot,
                Clock::TimePoint asked_at) EXCLUDES(mutex_);
  // The volume is mounted and shows this snapshot; null: what is not known yet, or nothing.
  void Follow(const VolumeIdentity& identity, const SnapshotPointer& snapshot) EXCLUDES(mutex_);
  // The volume is not there any more. Taking the pod off its Secret is tried for some minutes;
  // after that it is left to Kubernetes' garbage collector, which does it once the pod is gone.
  void Release(const std::string& volume_id) EXCLUDES(mutex_);
  // Why the Secret of a mounted volume is not as the volume is, and since when.
  std::optional<Failure> FailureOf(const std::string& volume_id) const EXCLUDES(mutex_);

  // Ends the threads; what was not done is left.
  void Stop();

 private:
  using TaskMap = std::map<std::string, MirrorTask>;

  MirrorTask& FindOrAdd(const VolumeIdentity& identity) REQUIRES(mutex_);
  void Run(const std::stop_token& stop) EXCLUDES(mutex_);
  // Gives what is due to the pool; when the next is due.
  Clock::TimePoint SubmitDue() EXCLUDES(mutex_);
  void Work(const std::string& volume_id, const std::stop_token& stop) EXCLUDES(mutex_);
  void DoWrite(const MirrorTask::Job& job, const std::stop_token& stop) EXCLUDES(mutex_);
  // Gives the hash of the data.
  Result<std::string> Write(const MirrorTask::Job& job, const std::stop_token& stop);
  void DoRelease(const MirrorTask::Job& job, const std::stop_token& stop) EXCLUDES(mutex_);
  // Whether another volume of the pod still needs it among the owners.
  bool IsShared(const VolumeIdentity& identity) const EXCLUDES(mutex_);

  SecretMirror& mirror_;
  Clock& clock_;

  Waker waker_;
  mutable Mutex mutex_;
  TaskMap tasks_ GUARDED_BY(mutex_);  // by volume id

  std::unique_ptr<cache::WorkerPool> pool_;
  std::jthread thread_;
};

}  // namespace escagent::volume
