#include "agent/freshness/probe_duty.h"

#include <algorithm>
#include <utility>

namespace escagent::freshness {
namespace {

constexpr std::chrono::milliseconds kAgain{2000};
// What a new holder has to ask for is spread over this, and what is asked for again when ESC is
// back.
constexpr std::chrono::milliseconds kFirst{1000};

SharedAnswer ToAnswer(const Result<esc::EnvironmentHead>& head) {
  using State = SharedAnswer::State;
  if (head) return {.state = State::kOk, .head = *head};
  switch (head.error().code) {
    case Code::kNotFound:
      return {.state = State::kAbsent, .head = {}};
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
    case Code::kResourceExhausted:
    case Code::kAborted:
    case Code::kInternal:
      return {.state = State::kFailing, .head = {}};
    default:
      return {.state = State::kDenied, .head = {}};
  }
}

}  // namespace

ProbeDuty::ProbeDuty(Options options, std::uint_fast32_t seed)
    : options_(std::move(options)), random_(static_cast<std::minstd_rand::result_type>(seed)) {}

void ProbeDuty::Observe(const ShardData& data, Time now) {
  std::map<std::string, Target> targets;
  holder_.clear();
  useless_.clear();
  for (const auto& [name, text] : data) {
    if (!name.starts_with(kTargetKey)) continue;
    const std::optional<Registration> registration = ParseRegistration(text);
    const std::string id = name.substr(2);
    if (!registration || registration->target.Id() != id) {
      useless_.push_back(name);
      continue;
    }
    if (const auto known = targets_.find(id); known != targets_.end()) {
      targets.insert(targets_.extract(known));
    } else {
      targets[id].target = registration->target;
      targets[id].due = now + Soon();
      targets[id].seen_at = now;
    }
    Target& target = targets[id];
    if (target.seen != registration->seen) target.seen_at = now;
    target.seen = registration->seen;
    target.told.reset();
  }
  for (const auto& [name, text] : data) {
    if (name == kHolderKey) holder_ = text;
    if (!name.starts_with(kAnswerKey)) continue;
    const auto target = targets.find(name.substr(2));
    if (target == targets.end()) {
      useless_.push_back(name);
    } else {
      target->second.told = ParseAnswer(text);
    }
  }
  targets_ = std::move(targets);
}

std::vector<SharedTarget> ProbeDuty::TakeDue(Time now) {
  std::vector<SharedTarget> due;
  for (auto& [id, target] : targets_) {
    if (target.asking || target.due > now) continue;
    target.asking = true;
    due.push_back(target.target);
  }
  return due;
}

void ProbeDuty::Answered(const SharedTarget& target, const Result<esc::EnvironmentHead>& head,
                         Time now) {
  const auto it = targets_.find(target.Id());
  if (it == targets_.end()) return;
  Target& asked = it->second;
  asked.asking = false;
  const SharedAnswer answer = ToAnswer(head);
  const bool failed = answer.state == SharedAnswer::State::kFailing;
  const bool recovered = !failed && asked.failures > 0;
  asked.failures = failed ? asked.failures + 1 : 0;
  const bool at_once = asked.failures == 1;
  // Those who wait for the end of an outage open within a fifth of the interval after it.
  const auto pause = failed ? options_.interval * 4 / 5 : options_.interval;
  asked.due = now + (at_once ? std::min(kAgain, pause) : pause);
  if (failed)
    asked.due = std::max(
        asked.due, now + std::min(head.error().retry_after, std::chrono::milliseconds(60000)));
  if (!at_once) asked.answer = answer;
  if (recovered) AskFailing(target.backend, now);
}

void ProbeDuty::AskFailing(const std::string& backend, Time now) {
  for (auto& [id, other] : targets_) {
    if (other.failures == 0 || other.target.backend != backend) continue;
    other.due = std::min(other.due, now + Soon());
  }
}

std::chrono::milliseconds ProbeDuty::Soon() {
  std::uniform_int_distribution<std::chrono::milliseconds::rep> wait(0, kFirst.count());
  return std::chrono::milliseconds(wait(random_));
}

ProbeDuty::Time ProbeDuty::NextTime() const {
  Time next = Time::max();
  for (const auto& [id, target] : targets_) {
    if (!target.asking) next = std::min(next, target.due);
  }
  return next;
}

ProbeDuty::Writes ProbeDuty::PendingWrites(Time now) const {
  Writes writes;
  bool complete = true;
  for (const auto& [id, target] : targets_) {
    if (now - target.seen_at > options_.drop_after) {
      writes[kTargetKey + id] = std::nullopt;
      writes[kAnswerKey + id] = std::nullopt;
    } else if (!target.answer) {
      complete = false;
    } else if (target.answer != target.told) {
      writes[kAnswerKey + id] = ToText(*target.answer);
    }
  }
  for (const std::string& name : useless_) writes[name] = std::nullopt;
  // A new holder vouches for the answers when it has them all: what is there is its predecessor's.
  const bool vouches = holder_ == options_.identity;
  if (!vouches && complete && !targets_.empty()) writes[kHolderKey] = options_.identity;
  return writes;
}

}  // namespace escagent::freshness
