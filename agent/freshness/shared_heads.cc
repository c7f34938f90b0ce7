#include "agent/freshness/shared_heads.h"

#include <algorithm>
#include <utility>

namespace escagent::freshness {
namespace {

using std::chrono::milliseconds;

// Who finds a target unregistered waits for up to this: another agent may be about to do it.
constexpr milliseconds kFirstWait{3000};
constexpr milliseconds kRetry{10000};
constexpr milliseconds kAskOurselves{60000};
// An environment that nobody here has asked for in this time is of no interest any more.
constexpr std::chrono::hours kForget{3};

constexpr char kAway[] = "; the agent that asks ESC in the name of all gets no answer";

}  // namespace

SharedHeads::SharedHeads(Options options, Clock& clock, std::uint_fast32_t seed)
    : options_(options),
      clock_(clock),
      shards_(static_cast<std::size_t>(options.shards)),
      random_(static_cast<std::minstd_rand::result_type>(seed)) {}

void SharedHeads::FollowLeases(HolderOf holder_of) {
  MutexLock lock(mutex_);
  holder_of_ = std::move(holder_of);
}

void SharedHeads::NoteStore(const std::string& backend, const std::string& identity,
                            const std::string& store) {
  MutexLock lock(mutex_);
  std::string& known = stores_[{backend, identity}];
  // Of several stores with one token all agents take the same.
  if (known.empty() || store < known) known = store;
}

Clock::TimePoint SharedHeads::Soon(milliseconds within) {
  std::uniform_int_distribution<milliseconds::rep> wait(0, within.count());
  return clock_.Now() + milliseconds(wait(random_));
}

void SharedHeads::Want(const SharedTarget& target, const cache::EnvironmentKey& key) {
  const std::string id = target.Id();
  Interest& interest = interests_[id];
  interest.target = target;
  interest.keys.insert(key);
  interest.wanted_at = clock_.Now();
  const auto& registrations =
      shards_.at(static_cast<std::size_t>(target.ShardOf(options_.shards))).registrations;
  const auto it = registrations.find(id);
  const bool registered = it != registrations.end() && it->second.target == target;
  const bool current = registered && clock_.WallNow() - it->second.seen < options_.renew_after;
  if (current) {
    interest.register_at = Clock::TimePoint::max();
  } else if (interest.register_at == Clock::TimePoint::max()) {
    interest.register_at = Soon(registered ? options_.renew_after / 2 : kFirstWait);
  }
}

const SharedHeads::Received* SharedHeads::Trusted(const SharedTarget& target) const {
  const int number = target.ShardOf(options_.shards);
  const Shard& shard = shards_.at(static_cast<std::size_t>(number));
  if (!holder_of_ || shard.holder.empty() || shard.holder != holder_of_(number)) return nullptr;
  const std::string id = target.Id();
  const auto registration = shard.registrations.find(id);
  const auto answer = shard.answers.find(id);
  const bool counts = registration != shard.registrations.end() &&
                      registration->second.target == target && answer != shard.answers.end();
  return counts ? &answer->second : nullptr;
}

std::optional<cache::HeadSource::Known> SharedHeads::Find(const cache::EnvironmentKey& key) {
  MutexLock lock(mutex_);
  const auto store = stores_.find({key.backend, key.identity});
  if (!holder_of_ || store == stores_.end()) return std::nullopt;
  const SharedTarget target{.backend = key.backend, .ref = key.ref, .store = store->second};
  Want(target, key);
  const Received* received = Trusted(target);
  if (received == nullptr) return std::nullopt;
  return Judge(target, *received);
}

std::optional<cache::HeadSource::Known> SharedHeads::Judge(const SharedTarget& target,
                                                           const Received& received) {
  const std::string action = "look at environment " + target.ref.ToString();
  switch (received.answer.state) {
    case SharedAnswer::State::kOk:
      return Known{.head = received.answer.head, .since = received.since};
    case SharedAnswer::State::kAbsent:
      return Known{.head = NotFound(action + ": there is no such environment or version"),
                   .since = received.since};
    case SharedAnswer::State::kDenied:
      return std::nullopt;
    case SharedAnswer::State::kFailing:
      break;
  }
  const auto [it, is_new] = backends_.try_emplace(target.backend);
  Backend& backend = it->second;
  const Clock::TimePoint now = clock_.Now();
  // Not all agents at the same moment.
  if (is_new) backend.next_canary = Soon(options_.canary);
  if (now < backend.ask_ourselves_until) return std::nullopt;
  if (now >= backend.next_canary) {
    backend.next_canary = now + options_.canary;
    return std::nullopt;
  }
  return Known{.head = Unavailable(action + kAway), .since = received.since};
}

void SharedHeads::Asked(const cache::EnvironmentKey& key, bool answered) {
  MutexLock lock(mutex_);
  const auto backend = backends_.find(key.backend);
  if (backend == backends_.end() || !answered) return;
  backend->second.ask_ourselves_until = clock_.Now() + kAskOurselves;
}

std::vector<SharedHeads::News> SharedHeads::Observe(int number, const ShardData& data) {
  MutexLock lock(mutex_);
  const Clock::TimePoint now = clock_.Now();
  Shard next;
  Shard& shard = shards_.at(static_cast<std::size_t>(number));
  std::vector<News> news;
  for (const auto& [name, text] : data) {
    if (name == kHolderKey) next.holder = text;
    if (name.starts_with(kTargetKey)) {
      auto registration = ParseRegistration(text);
      if (registration) next.registrations.emplace(name.substr(2), *std::move(registration));
    }
    if (!name.starts_with(kAnswerKey)) continue;
    const std::string id = name.substr(2);
    const std::optional<SharedAnswer> answer = ParseAnswer(text);
    if (!answer) continue;
    Received received{.answer = *answer, .since = now};
    const auto before = shard.answers.find(id);
    const bool known = before != shard.answers.end();
    if (known && before->second.answer == *answer) {
      received.since = before->second.since;
    } else {
      const bool recovered = known && before->second.answer.state == SharedAnswer::State::kFailing;
      if (recovered) backends_.clear();
      const auto interest = interests_.find(id);
      if (interest != interests_.end()) {
        news.push_back({.keys = {interest->second.keys.begin(), interest->second.keys.end()},
                        .recovered = recovered});
      }
    }
    next.answers.emplace(id, std::move(received));
  }
  shard = std::move(next);
  return news;
}

std::map<int, std::vector<SharedTarget>> SharedHeads::TakeRegistrations() {
  MutexLock lock(mutex_);
  const Clock::TimePoint now = clock_.Now();
  std::map<int, std::vector<SharedTarget>> due;
  std::erase_if(interests_,
                [now](const auto& item) { return now - item.second.wanted_at > kForget; });
  for (auto& [id, interest] : interests_) {
    if (interest.register_at > now) continue;
    interest.register_at = now + kRetry;
    const int number = interest.target.ShardOf(options_.shards);
    const auto& registrations = shards_.at(static_cast<std::size_t>(number)).registrations;
    const auto it = registrations.find(id);
    const bool current =
        it != registrations.end() && clock_.WallNow() - it->second.seen < options_.renew_after;
    if (current) {
      interest.register_at = Clock::TimePoint::max();  // somebody else has done it
    } else {
      due[number].push_back(interest.target);
    }
  }
  return due;
}

Clock::TimePoint SharedHeads::NextRegistration() const {
  MutexLock lock(mutex_);
  auto next = Clock::TimePoint::max();
  for (const auto& [id, interest] : interests_) next = std::min(next, interest.register_at);
  return next;
}

SharedHeads::Stats SharedHeads::GetStats() const {
  MutexLock lock(mutex_);
  Stats stats{.targets = static_cast<int>(interests_.size()), .shared = 0};
  for (const auto& [id, interest] : interests_) {
    if (Trusted(interest.target) != nullptr) ++stats.shared;
  }
  return stats;
}

}  // namespace escagent::freshness
