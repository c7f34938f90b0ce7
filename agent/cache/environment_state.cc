#include "agent/cache/environment_state.h"

#include <algorithm>
#include <utility>

namespace escagent::cache {
namespace {

// esc-api.md, "Session lifetime": max(2 x refresh, 5 min).
constexpr std::chrono::minutes kMinSession{5};
// An attempt of this length makes the environment "slow" until a quicker one.
constexpr std::chrono::seconds kSlow{2};
// How long HEAD is left out after the server proved to have none.
constexpr std::chrono::hours kNoHead{1};

bool IsRefusal(Code code) {
  return code == Code::kUnauthenticated || code == Code::kPermissionDenied;
}

}  // namespace

EnvironmentState::EnvironmentState(Policy policy, std::uint64_t seed)
    : policy_(policy),
      backoff_({.initial = std::chrono::milliseconds(1000),
                .max = policy.max_backoff,
                .factor = 2.0,
                .jitter = policy.jitter},
               seed),
      random_(static_cast<std::minstd_rand::result_type>(seed)) {}

bool EnvironmentState::Expired(Clock::TimePoint now) const {
  return fresh_at_ && now - *fresh_at_ > policy_.max_stale;
}

EnvironmentState::Admission EnvironmentState::Admit(Clock::TimePoint now) const {
  if (snapshot_ && phase_ != Phase::kRefused && !Expired(now)) return Admission::kServe;
  return now < hold_until_ ? Admission::kReject : Admission::kAttempt;
}

AttemptPlan EnvironmentState::Plan(Clock::TimePoint now, std::chrono::milliseconds interval) {
  AttemptPlan plan;
  plan.head = now >= no_head_until_;
  const bool too_old =
      policy_.max_age > std::chrono::milliseconds(0) && now - opened_at_ >= policy_.max_age;
  requested_open_planned_ = std::exchange(open_requested_, false);
  plan.must_open = requested_open_planned_ || too_old;
  plan.known = known_;
  plan.snapshot = snapshot_;
  plan.session = std::max<std::chrono::seconds>(
      kMinSession, std::chrono::ceil<std::chrono::seconds>(2 * interval));
  return plan;
}

EnvironmentState::Change EnvironmentState::Apply(AttemptResult result, Timing timing,
                                                 std::chrono::milliseconds interval) {
  slow_ = timing.finished - timing.started >= kSlow;
  if (!result.opened) {
    // RunAttempt makes at least one call; without an open that was HEAD.
    if (!*result.head) return Fail(std::move(result.head->error()), timing);
    NoteHead(result, timing.finished);
    return Succeed(timing, interval);
  }
  if (!*result.opened) return Fail(std::move(result.opened->error()), timing);
  NoteHead(result, timing.finished);
  opened_at_ = timing.started;
  const bool publish = !result.same_content;
  if (publish) Publish(std::move(**result.opened), timing);
  Change change = Succeed(timing, interval);
  change.snapshot = publish;
  return change;
}

void EnvironmentState::NoteHead(const AttemptResult& result, Clock::TimePoint now) {
  if (!result.head) return;
  const Result<esc::EnvironmentHead>& head = *result.head;
  if (!head || (head->etag.empty() && head->revision.empty())) {
    // The open succeeded where HEAD did not help: do not ask it each time.
    known_.reset();
    no_head_until_ = now + kNoHead;
    return;
  }
  known_ = *head;
  revision_ = head->revision;
}

void EnvironmentState::Publish(esc::Value properties, Timing timing) {
  auto next = std::make_shared<Snapshot>();
  next->properties = std::move(properties);
  if (known_) {
    next->revision = known_->revision;
    next->etag = known_->etag;
  }
  next->sequence = snapshot_ ? snapshot_->sequence + 1 : 1;
  next->opened_at = timing.wall_finished;
  snapshot_ = std::move(next);
}

EnvironmentState::Change EnvironmentState::Succeed(Timing timing,
                                                   std::chrono::milliseconds interval) {
  Change change;
  change.error = last_error_.has_value();
  change.recovered = change.error;
  phase_ = Phase::kFresh;
  last_error_.reset();
  fresh_at_ = timing.started;
  backoff_.Reset();
  hold_until_ = {};
  // Spread upwards only: timers drift apart, yet there is never more than one attempt an interval.
  const auto half_spread = std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(
      static_cast<double>(interval.count()) * policy_.jitter / 2));
  next_attempt_ = timing.finished + interval + Jittered(half_spread, 1.0, random_);
  return change;
}

EnvironmentState::Change EnvironmentState::Fail(Error error, Timing timing) {
  Change change;
  if (requested_open_planned_) open_requested_ = true;
  change.error =
      !last_error_ || last_error_->code != error.code || last_error_->message != error.message;
  const auto pause = std::min(error.retry_after, policy_.max_backoff);
  const auto delay = std::max(std::min(backoff_.Next(), policy_.max_backoff), pause);
  hold_until_ = timing.finished + pause;
  if (!snapshot_) {
    phase_ = Phase::kFailed;
  } else {
    next_attempt_ = timing.finished + delay;
    if (IsRefusal(error.code) && phase_ != Phase::kRefused) {
      change.refused = error.code == Code::kUnauthenticated;
      phase_ = Phase::kRefused;
    } else if (phase_ != Phase::kRefused) {
      phase_ = Phase::kStale;
    }
  }
  last_error_ = std::move(error);
  return change;
}

void EnvironmentState::MakeDue(Clock::TimePoint now) {
  if (snapshot_) next_attempt_ = std::min(next_attempt_, now);
}

void EnvironmentState::ShortenInterval(Clock::TimePoint now, std::chrono::milliseconds interval) {
  if (phase_ != Phase::kFresh) return;
  next_attempt_ = std::min(next_attempt_, std::max(now, *fresh_at_ + interval));
}

}  // namespace escagent::cache
