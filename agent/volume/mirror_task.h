#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/cache/snapshot.h"
#include "agent/volume/volume.h"
#include "agent/volume/volume_condition.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/result.h"

namespace escagent::volume {

// What has to be done with the Secret of one volume with `mirrorTo`, what was done, and when to try
// again. Makes no calls; its user locks it.
class MirrorTask {
 public:
  using SnapshotPointer = std::shared_ptr<const cache::Snapshot>;

  // One thing to do, outside of the lock. The task stays while one is under way.
  struct Job {
    VolumeIdentity identity;
    SnapshotPointer snapshot;  // null: release
    std::string written_hash;  // of the data that the Secret is known to have; empty: not known
    bool urgent = false;
  };

  explicit MirrorTask(const VolumeIdentity& identity);

  // What happens to the volume.
  Status Ensure(const SnapshotPointer& snapshot, Clock::TimePoint asked_at, Clock::TimePoint now);
  void Follow(const SnapshotPointer& snapshot, Clock::TimePoint now);
  void Release(Clock::TimePoint now);

  // When there is something to do; nothing when there is not, or it is under way.
  std::optional<Clock::TimePoint> DueAt(Clock::TimePoint now) const;
  // Whether its last attempt failed: it may be one that hangs.
  bool IsSlow() const { return backoff_.Failures() > 0; }
  bool IsUrgent() const { return !mounted_ && !releasing_; }
  // Marks it as under way until Finish() or FinishRelease().
  void Begin() { busy_ = true; }
  Job NextJob() const;
  // The outcome of a job that wrote. True when it is a failure unlike the one before.
  bool Finish(const Job& job, const Result<std::string>& hash, Clock::TimePoint now);
  // The outcome of a job that released. True for the first failure.
  bool FinishRelease(const Status& status, Clock::TimePoint now);

  // Whether nothing is left to be done, now or later.
  bool IsOver(Clock::TimePoint now) const;
  // Whether the pod is to be an owner of its Secret.
  bool IsWanted() const { return !releasing_; }
  const VolumeIdentity& identity() const { return identity_; }
  // Of a mounted volume.
  std::optional<Failure> failure() const { return mounted_ ? failure_ : std::nullopt; }

 private:
  void Want(const SnapshotPointer& snapshot, Clock::TimePoint now);
  void RetryLater(Clock::TimePoint now, std::chrono::milliseconds at_least);

  VolumeIdentity identity_;
  bool mounted_ = false;
  bool releasing_ = false;
  bool released_ = false;
  bool busy_ = false;
  // A publish asked last.
  Clock::TimePoint asked_at_{};
  Clock::TimePoint release_since_{};
  // What the Secret shall hold, and what it holds; null: nothing, not known.
  SnapshotPointer wanted_;
  SnapshotPointer written_;
  std::string written_hash_;
  std::optional<Failure> failure_;
  Clock::TimePoint failed_at_{};
  Clock::TimePoint next_try_{};
  Backoff backoff_;
};

}  // namespace escagent::volume
