#include "agent/volume/mirror_worker.h"

#include <algorithm>
#include <utility>

#include "agent/mirror/data_hash.h"
#include "agent/volume/mirror_content.h"
#include "base/log.h"
#include "base/thread.h"

namespace escagent::volume {
namespace {

// Writes under way at once, at most.
constexpr int kWorkers = 4;
// How long the thread sleeps when nothing is due.
constexpr std::chrono::minutes kLongestSleep{1};

void LogFailure(const char* what, const VolumeIdentity& identity, const Error& error) {
  LogWarning(what, {{log_key::kVolume, identity.volume_id},
                    {log_key::kNamespace, identity.pod.namespace_name},
                    {log_key::kPod, identity.pod.name},
                    {log_key::kError, error}});
}

}  // namespace

MirrorWorker::MirrorWorker(SecretMirror& mirror, Clock& clock)
    : mirror_(mirror),
      clock_(clock),
      pool_(std::make_unique<cache::WorkerPool>(kWorkers)),
      thread_(StartThread("esc-mirror-to", [this](const std::stop_token& stop) { Run(stop); })) {}

MirrorWorker::~MirrorWorker() { Stop(); }

void MirrorWorker::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  // Nobody submits any more.
  pool_.reset();
}

Status MirrorWorker::Ensure(const VolumeIdentity& identity, const SnapshotPointer& snapshot,
                            Clock::TimePoint asked_at) {
  Status status;
  {
    MutexLock lock(mutex_);
    const Clock::TimePoint now = clock_.Now();
    status = FindOrAdd(identity).Ensure(snapshot, asked_at, now);
  }
  waker_.WakeUp();
  return status;
}

void MirrorWorker::Follow(const VolumeIdentity& identity, const SnapshotPointer& snapshot) {
  {
    MutexLock lock(mutex_);
    FindOrAdd(identity).Follow(snapshot, clock_.Now());
  }
  waker_.WakeUp();
}

void MirrorWorker::Release(const std::string& volume_id) {
  {
    MutexLock lock(mutex_);
    const auto task = tasks_.find(volume_id);
    if (task == tasks_.end()) return;
    task->second.Release(clock_.Now());
  }
  waker_.WakeUp();
}

std::optional<Failure> MirrorWorker::FailureOf(const std::string& volume_id) const {
  MutexLock lock(mutex_);
  const auto task = tasks_.find(volume_id);
  return task == tasks_.end() ? std::nullopt : task->second.failure();
}

MirrorTask& MirrorWorker::FindOrAdd(const VolumeIdentity& identity) {
  return tasks_.try_emplace(identity.volume_id, identity).first->second;
}

void MirrorWorker::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) waker_.SleepUntil(clock_, SubmitDue(), stop);
}

Clock::TimePoint MirrorWorker::SubmitDue() {
  MutexLock lock(mutex_);
  const Clock::TimePoint now = clock_.Now();
  std::erase_if(tasks_, [now](const auto& item) { return item.second.IsOver(now); });
  Clock::TimePoint next = now + kLongestSleep;
  for (auto& [volume_id, task] : tasks_) {
    const std::optional<Clock::TimePoint> due = task.DueAt(now);
    if (!due) continue;
    if (*due > now) {
      next = std::min(next, *due);
      continue;
    }
    task.Begin();
    pool_->Submit({.urgent = task.IsUrgent(), .slow = task.IsSlow()},
                  [this, id = volume_id](const std::stop_token& stop) { Work(id, stop); });
  }
  return next;
}

void MirrorWorker::Work(const std::string& volume_id, const std::stop_token& stop) {
  std::optional<MirrorTask::Job> job;
  {
    MutexLock lock(mutex_);
    // It stays while it is under way.
    job = tasks_.at(volume_id).NextJob();
  }
  if (job->snapshot == nullptr) {
    DoRelease(*job, stop);
  } else {
    DoWrite(*job, stop);
  }
  waker_.WakeUp();
}

void MirrorWorker::DoWrite(const MirrorTask::Job& job, const std::stop_token& stop) {
  Result<std::string> hash = Write(job, stop);
  if (!hash && stop.stop_requested()) return;
  bool news = false;
  {
    MutexLock lock(mutex_);
    news = tasks_.at(job.identity.volume_id).Finish(job, hash, clock_.Now());
  }
  if (news) LogFailure("the Secret of a volume cannot be written", job.identity, hash.error());
}

Result<std::string> MirrorWorker::Write(const MirrorTask::Job& job, const std::stop_token& stop) {
  const VolumeAttributes& attributes = job.identity.attributes;
  MirroredSecret secret{.name = attributes.mirror_to,
                        .pod = job.identity.pod,
                        .source = MirrorSource(attributes, job.identity.pod.service_account),
                        .data = {}};
  const std::string what = "write Secret " + secret.FullName() + " of mirrorTo";
  Result<std::optional<mirror::SecretData>> data = MirrorContent(job.snapshot, attributes);
  if (!data) return std::unexpected(Annotate(std::move(data).error(), what));
  if (!*data) return job.written_hash;
  secret.data = **std::move(data);
  std::string hash = mirror::DataHash(secret.data);
  if (hash == job.written_hash) return hash;
  if (Status written = mirror_.Write(secret, job.urgent, stop); !written) {
    return std::unexpected(Annotate(std::move(written).error(), what));
  }
  return hash;
}

void MirrorWorker::DoRelease(const MirrorTask::Job& job, const std::stop_token& stop) {
  Status status;
  if (!IsShared(job.identity)) {
    status = mirror_.Release(job.identity.attributes.mirror_to, job.identity.pod, stop);
  }
  if (!status && stop.stop_requested()) return;
  bool first = false;
  {
    MutexLock lock(mutex_);
    first = tasks_.at(job.identity.volume_id).FinishRelease(status, clock_.Now());
  }
  if (first) {
    LogFailure(
        "the Secret of an unmounted volume is still there; tried again for a while, then "
        "left to Kubernetes, which removes it after its pods",
        job.identity, status.error());
  }
}

bool MirrorWorker::IsShared(const VolumeIdentity& identity) const {
  MutexLock lock(mutex_);
  return std::ranges::any_of(tasks_, [&](const auto& item) {
    const VolumeIdentity& other = item.second.identity();
    return item.first != identity.volume_id && item.second.IsWanted() &&
           other.pod.uid == identity.pod.uid &&
           other.attributes.mirror_to == identity.attributes.mirror_to;
  });
}

}  // namespace escagent::volume
