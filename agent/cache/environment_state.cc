#include "agent/cache/environment_state.h"

#include <algorithm>
#include <utility>

#include "agent/cache/credential_expiry.h"

namespace escagent::cache {
namespace {

// esc-api.md, "Session lifetime": max(2 x refresh, 5 min).
constexpr std::chrono::minutes kMinSession{5};
// An attempt of this length makes the environment "slow" until a quicker one.
constexpr std::chrono::seconds kSlow{2};
// How long HEAD is left out after the server proved to have none.
constexpr std::chrono::hours kNoHead{1};

// Dynamic values are opened again when this part of their life is over, but not at once.
constexpr double kLifeUsed = 0.8;
constexpr std::chrono::seconds kMinLife{30};
// How long a closure that could not be learned is left alone.
constexpr std::chrono::minutes kLearnAgain{1};
constexpr std::chrono::milliseconds kRecent{500};
// HEAD is asked again at the latest after the interval, or after this if that is shorter.
constexpr std::chrono::seconds kMinLongest{1};

// ESC was not there, as opposed to not willing.
bool IsOutage(Code code) {
  return code == Code::kUnavailable || code == Code::kDeadlineExceeded ||
         code == Code::kResourceExhausted || code == Code::kAborted || code == Code::kInternal;
}

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

Clock::TimePoint EnvironmentState::OpenDeadline(std::chrono::milliseconds interval) const {
  auto deadline = Clock::TimePoint::max();
  const auto limit = [&](std::chrono::milliseconds age) {
    if (age.count() > 0) deadline = std::min(deadline, opened_at_ + std::max(age, interval));
  };
  switch (closure_kind()) {
    case ImportClosure::Kind::kStatic:
      limit(policy_.max_age.known - sooner_);
      break;
    case ImportClosure::Kind::kDynamic:
      limit(policy_.max_age.dynamic);
      break;
    case ImportClosure::Kind::kUnknown:
      limit(policy_.max_age.unknown);
      break;
  }
  if (confirm_) limit(policy_.max_age.dynamic);
  // Others have waited for ESC as long as this agent has.
  if (closure_kind() == ImportClosure::Kind::kStatic) return std::max(deadline, open_not_before_);
  const auto end_of_life = [&](Clock::TimePoint end) {
    const auto life = std::chrono::duration_cast<std::chrono::milliseconds>(end - opened_at_);
    const std::chrono::milliseconds used(
        static_cast<std::chrono::milliseconds::rep>(static_cast<double>(life.count()) * kLifeUsed));
    deadline = std::min(deadline, opened_at_ + std::max<std::chrono::milliseconds>(used, kMinLife));
  };
  if (expires_at_) end_of_life(*expires_at_);
  if (closure_ && closure_->lifetime) end_of_life(opened_at_ + *closure_->lifetime);
  return deadline;
}

std::chrono::milliseconds EnvironmentState::Spread(std::chrono::milliseconds limit) {
  if (policy_.jitter <= 0) return {};
  std::uniform_real_distribution<double> part(0, static_cast<double>(limit.count()));
  return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(part(random_)));
}

AttemptPlan EnvironmentState::Plan(Clock::TimePoint now, std::chrono::milliseconds interval) {
  AttemptPlan plan;
  plan.head = now >= no_head_until_;
  requested_open_planned_ = std::exchange(open_requested_, false);
  // While ESC is away a HEAD that is answered comes first: Succeed then spreads what is overdue.
  const bool may_wait = phase_ == Phase::kStale && closure_kind() == ImportClosure::Kind::kStatic;
  const bool overdue = snapshot_ && !may_wait && now >= OpenDeadline(interval);
  plan.must_open = requested_open_planned_ || overdue;
  // Who asks for an open knows more than what was heard before; and who failed is not told the same
  // again.
  const bool certain = requested_open_planned_ || std::exchange(distrust_, false) || !snapshot_;
  const std::chrono::milliseconds old = interval * 9 / 10;
  plan.not_before = certain ? now : now - (last_error_ ? std::min(old, kRecent) : old);
  plan.accept_shared = interval >= policy_.shared_interval;
  plan.known = known_;
  if (closure_) plan.members = closure_->members;
  plan.snapshot = snapshot_;
  plan.session = std::max<std::chrono::seconds>(
      kMinSession, std::chrono::ceil<std::chrono::seconds>(2 * interval));
  return plan;
}

EnvironmentState::Change EnvironmentState::Apply(AttemptResult result, Timing timing,
                                                 std::chrono::milliseconds interval) {
  slow_ = timing.finished - timing.started >= kSlow;
  // HEAD alone is cheap: however long ESC was away, it is found back after an interval.
  const auto soon = std::min<std::chrono::milliseconds>(
      policy_.max_backoff, std::max<std::chrono::milliseconds>(interval, kMinLongest));
  DropHidden(result.hidden_members);
  if (!result.opened) {
    if (result.member_error) return Fail(*std::move(result.member_error), timing, interval, soon);
    // RunAttempt makes at least one call; without an open that was HEAD.
    if (!*result.head) return Fail(std::move(result.head->error()), timing, interval, soon);
    NoteHead(result, timing.finished);
    return Succeed(timing, interval);
  }
  if (!*result.opened) {
    const bool outage = IsOutage(result.opened->error().code);
    return Fail(std::move(result.opened->error()), timing, interval,
                outage ? soon : policy_.max_backoff);
  }
  NoteHead(result, timing.finished);
  opened_at_ = timing.started;
  // Many agents open at the same moment what has changed, but need not do so again.
  sooner_ = Spread(policy_.max_age.known / 10);
  confirm_ = false;
  session_id_ = std::move(result.session_id);
  NoteExpiry(**result.opened, timing);
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
    closure_.reset();
    closure_due_ = false;
    no_head_until_ = now + kNoHead;
    return;
  }
  if (!closure_ || known_ != *head || result.changed_member) {
    closure_due_ = closure_due_ || result.opened.has_value();
  }
  known_ = *head;
  revision_ = head->revision;
  if (!closure_ || !result.changed_member) return;
  for (ImportClosure::Member& member : closure_->members) {
    if (member.ref == result.changed_member->ref) member.head = result.changed_member->head;
  }
}

void EnvironmentState::DropHidden(const std::vector<esc::EnvironmentRef>& members) {
  if (!closure_ || members.empty()) return;
  std::erase_if(closure_->members, [&](const ImportClosure::Member& member) {
    return std::ranges::find(members, member.ref) != members.end();
  });
  if (closure_->kind == ImportClosure::Kind::kStatic)
    closure_->kind = ImportClosure::Kind::kUnknown;
}

void EnvironmentState::NoteExpiry(const esc::Value& properties, Timing timing) {
  expires_at_.reset();
  // Counted from now on by the clock that nobody sets.
  const auto expiry = FindCredentialExpiry(properties, timing.wall_finished);
  if (expiry) expires_at_ = timing.finished + (*expiry - timing.wall_finished);
}

std::optional<std::string> EnvironmentState::ClosureDue(Clock::TimePoint now) const {
  if (!closure_due_ || !known_ || phase_ != Phase::kFresh || now < learn_not_before_) {
    return std::nullopt;
  }
  return session_id_;
}

void EnvironmentState::TakeClosure(Result<ImportClosure> learned, Clock::TimePoint now,
                                   std::chrono::milliseconds interval) {
  if (!learned) {
    learn_not_before_ = now + kLearnAgain;
    return;
  }
  closure_due_ = false;
  for (ImportClosure::Member& member : learned->members) {
    const ImportClosure::Member* before = closure_ ? closure_->Find(member.ref) : nullptr;
    if (before != nullptr) {
      // What was true before the open: a change since then is still to be opened.
      member.head = before->head;
    } else {
      confirm_ = true;
    }
  }
  closure_ = *std::move(learned);
  if (phase_ == Phase::kFresh) {
    next_attempt_ = std::min(next_attempt_, std::max(now, OpenDeadline(interval)));
  }
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
  if (change.recovered && OpenDeadline(interval) <= timing.finished) {
    open_not_before_ = timing.finished + Spread(policy_.max_age.dynamic);
  }
  backoff_.Reset();
  hold_until_ = {};
  // Spread upwards only: timers drift apart, yet there is never more than one attempt an interval.
  const auto half_spread = std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(
      static_cast<double>(interval.count()) * policy_.jitter / 2));
  next_attempt_ = timing.finished + interval + Jittered(half_spread, 1.0, random_);
  next_attempt_ = std::min(next_attempt_, std::max(timing.finished, OpenDeadline(interval)));
  return change;
}

EnvironmentState::Change EnvironmentState::Fail(Error error, Timing timing,
                                                std::chrono::milliseconds interval,
                                                std::chrono::milliseconds longest) {
  Change change;
  if (requested_open_planned_) open_requested_ = true;
  change.error =
      !last_error_ || last_error_->code != error.code || last_error_->message != error.message;
  const auto pause = std::min(error.retry_after, policy_.max_backoff);
  auto delay = std::min(backoff_.Next(), longest);
  // Everybody may have been told the same moment.
  delay = pause > delay ? pause + Spread(interval / 2) : delay + Spread(delay / 10);
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
  NewsAt(now, {});
  distrust_ = true;
}

void EnvironmentState::NewsAt(Clock::TimePoint now, std::chrono::milliseconds within) {
  if (snapshot_) next_attempt_ = std::min(next_attempt_, now + Spread(within));
}

void EnvironmentState::ShortenInterval(Clock::TimePoint now, std::chrono::milliseconds interval) {
  if (phase_ != Phase::kFresh) return;
  next_attempt_ = std::min(next_attempt_, std::max(now, *fresh_at_ + interval));
}

}  // namespace escagent::cache
