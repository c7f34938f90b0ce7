#include "agent/volume/mirror_task.h"

#include <chrono>
#include <functional>
#include <utility>

namespace escagent::volume {
namespace {

using std::chrono::milliseconds;

constexpr Backoff::Options kBackoff{.initial = milliseconds(200), .max = milliseconds(60000)};
// How soon a publish that waits asks again.
constexpr milliseconds kAskAgain{50};
// How long a pod is tried to be taken off its Secret.
constexpr std::chrono::minutes kReleasePatience{10};
// Tasks of volumes that were never mounted stay for so long, so that their Secret can be released.
constexpr std::chrono::minutes kUnmountedPatience{10};

Status NotYet(std::string message) {
  return std::unexpected(Error{Code::kUnavailable, std::move(message), kAskAgain});
}

}  // namespace

MirrorTask::MirrorTask(const VolumeIdentity& identity)
    : identity_(identity), backoff_(kBackoff, std::hash<std::string>()(identity.volume_id)) {}

Status MirrorTask::Ensure(const SnapshotPointer& snapshot, Clock::TimePoint asked_at,
                          Clock::TimePoint now) {
  releasing_ = false;
  asked_at_ = now;
  Want(snapshot, now);
  if (written_ == snapshot) return {};
  if (!failure_) {
    return NotYet("write Secret " + identity_.pod.namespace_name + "/" +
                  identity_.attributes.mirror_to +
                  " of mirrorTo: the API server has not answered yet; is it reachable?");
  }
  if (failed_at_ < asked_at) {
    // Of an earlier publish: try at once. Later calls of this one leave the backoff alone.
    if (!busy_ && IsSlow()) {
      backoff_.Reset();
      next_try_ = now;
    }
    return NotYet(failure_->error.message);
  }
  if (IsRetryable(failure_->error.code)) return NotYet(failure_->error.message);
  return std::unexpected(failure_->error);
}

void MirrorTask::Follow(const SnapshotPointer& snapshot, Clock::TimePoint now) {
  mounted_ = true;
  releasing_ = false;
  if (snapshot != nullptr) Want(snapshot, now);
}

void MirrorTask::Want(const SnapshotPointer& snapshot, Clock::TimePoint now) {
  if (wanted_ == snapshot) return;
  wanted_ = snapshot;
  backoff_.Reset();
  next_try_ = now;
}

void MirrorTask::Release(Clock::TimePoint now) {
  mounted_ = false;
  releasing_ = true;
  released_ = false;
  release_since_ = now;
  wanted_ = nullptr;
  written_ = nullptr;
  written_hash_.clear();
  failure_.reset();
  backoff_.Reset();
  next_try_ = now;
}

std::optional<Clock::TimePoint> MirrorTask::DueAt(Clock::TimePoint now) const {
  if (busy_) return std::nullopt;
  if (releasing_) return released_ ? std::nullopt : std::optional(next_try_);
  const bool awaited = mounted_ || now - asked_at_ <= csi::kPublishPatience;
  if (wanted_ == nullptr || wanted_ == written_ || !awaited) return std::nullopt;
  return next_try_;
}

MirrorTask::Job MirrorTask::NextJob() const {
  return {.identity = identity_,
          .snapshot = releasing_ ? nullptr : wanted_,
          .written_hash = written_hash_,
          .urgent = IsUrgent()};
}

bool MirrorTask::Finish(const Job& job, const Result<std::string>& hash, Clock::TimePoint now) {
  busy_ = false;
  // Released meanwhile: what was written is not known any more.
  if (releasing_) return false;
  if (hash) {
    written_ = job.snapshot;
    written_hash_ = *hash;
    failure_.reset();
    if (wanted_ == written_) backoff_.Reset();
    return false;
  }
  const bool news = !failure_ || failure_->error.code != hash.error().code ||
                    failure_->error.message != hash.error().message;
  failure_ = Failure{hash.error(), failure_ ? failure_->since : now};
  failed_at_ = now;
  // It may have been written all the same.
  written_ = nullptr;
  written_hash_.clear();
  if (wanted_ == job.snapshot) RetryLater(now, hash.error().retry_after);
  return news;
}

bool MirrorTask::FinishRelease(const Status& status, Clock::TimePoint now) {
  busy_ = false;
  // Published again meanwhile.
  if (!releasing_) return false;
  if (status) {
    released_ = true;
    return false;
  }
  const bool first = backoff_.Failures() == 0;
  RetryLater(now, status.error().retry_after);
  return first;
}

void MirrorTask::RetryLater(Clock::TimePoint now, milliseconds at_least) {
  next_try_ = now + backoff_.Next(at_least);
}

bool MirrorTask::IsOver(Clock::TimePoint now) const {
  if (busy_) return false;
  if (releasing_) return released_ || now - release_since_ > kReleasePatience;
  return !mounted_ && now - asked_at_ > kUnmountedPatience;
}

}  // namespace escagent::volume
