#include "agent/freshness/shared_heads.h"

#include <algorithm>
#include <utility>

namespace escagent::freshness {
namespace {

using std::chrono::milliseconds;

// Who finds a target unregistered waits for up to this: another agent may be about to do it.
constexpr milliseconds kFirstWait{3000};
constexpr milliseconds kRetry{10000};
// How often to see whether there is room again.
constexpr std::chrono::minutes kRetryFull{10};
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

void SharedHeads::Want(const SharedTarget& target, const std::string& id,
                       const cache::EnvironmentKey& key) {
  Interest& interest = interests_[id];
  if (interest.target != target) interest.target = target;
  interest.keys.insert(key);
  interest.wanted_at = clock_.Now();
  if (IsRegistered(target, id)) {
    interest.register_at = Clock::TimePoint::max();
    interest.left_out = false;
  } else if (interest.register_at == Clock::TimePoint::max()) {
    const bool renews = Trusted(target, id) != nullptr;
    interest.register_at = Soon(renews ? options_.renew_after / 2 : kFirstWait);
  }
}

bool SharedHeads::IsRegistered(const SharedTarget& target, const std::string& id) const {
  const auto& registrations =
      shards_.at(static_cast<std::size_t>(target.ShardOf(options_.shards))).registrations;
  const auto it = registrations.find(id);
  return it != registrations.end() && it->second.registration.target == target &&
         clock_.Now() - it->second.since < options_.renew_after;
}

bool SharedHeads::IsVouchedFor(int number) const {
  const std::string& holder = shards_.at(static_cast<std::size_t>(number)).holder;
  return holder_of_ && !holder.empty() && holder == holder_of_(number);
}

bool SharedHeads::Follows(int shard) const {
  MutexLock lock(mutex_);
  return IsVouchedFor(shard);
}

const SharedHeads::Received* SharedHeads::Trusted(const SharedTarget& target,
                                                  const std::string& id) const {
  const int number = target.ShardOf(options_.shards);
  if (!IsVouchedFor(number)) return nullptr;
  const Shard& shard = shards_.at(static_cast<std::size_t>(number));
  const auto registration = shard.registrations.find(id);
  const auto answer = shard.answers.find(id);
  const bool counts = registration != shard.registrations.end() &&
                      registration->second.registration.target == target &&
                      answer != shard.answers.end();
  return counts ? &answer->second : nullptr;
}

std::optional<cache::HeadSource::Known> SharedHeads::Find(const cache::EnvironmentKey& key) {
  MutexLock lock(mutex_);
  const auto store = stores_.find({key.backend, key.identity});
  if (!holder_of_ || store == stores_.end()) return std::nullopt;
  const SharedTarget target{.backend = key.backend, .ref = key.ref, .store = store->second};
  if (target.TextSize() > kMaxTargetBytes) return std::nullopt;
  const std::string id = target.Id();
  Want(target, id, key);
  const Received* received = Trusted(target, id);
  if (received == nullptr) return std::nullopt;
  return Judge(target, *received);
}

std::optional<cache::HeadSource::Known> SharedHeads::Judge(const SharedTarget& target,
                                                           const Received& received) {
  const auto action = [&] { return "look at environment " + target.ref.ToString(); };
  switch (received.answer.state) {
    case SharedAnswer::State::kOk:
      return Known{.head = received.answer.head, .since = received.since};
    case SharedAnswer::State::kAbsent:
      return Known{.head = NotFound(action() + ": there is no such environment or version"),
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
  return Known{.head = Unavailable(action() + kAway), .since = received.since};
}

void SharedHeads::Asked(const cache::EnvironmentKey& key, bool answered) {
  MutexLock lock(mutex_);
  const auto it = backends_.find(key.backend);
  if (it == backends_.end()) return;
  Backend& backend = it->second;
  const Clock::TimePoint now = clock_.Now();
  if (!answered) {
    backend.answered_since.reset();
  } else if (!backend.answered_since) {
    // Perhaps ESC has just come back, and the holder is about to see it.
    backend.answered_since = now;
    backend.next_canary = now + options_.confirm;
  } else if (now - *backend.answered_since >= options_.confirm) {
    backend.ask_ourselves_until = now + kAskOurselves;
  }
}

void SharedHeads::Receive(Shard& before, Shard& shard, const std::string& id,
                          const std::string& text, std::vector<News>& news) {
  const auto known = before.answers.find(id);
  if (known != before.answers.end() && known->second.text == text) {
    shard.answers.insert(before.answers.extract(known));
    return;
  }
  std::optional<SharedAnswer> answer = ParseAnswer(text);
  if (!answer) return;
  Received received{.text = text, .answer = *std::move(answer), .since = clock_.Now()};
  const bool same = known != before.answers.end() && known->second.answer == received.answer;
  if (same) {
    received.since = known->second.since;
  } else {
    const bool recovered = known != before.answers.end() &&
                           known->second.answer.state == SharedAnswer::State::kFailing;
    if (recovered) backends_.clear();
    const auto interest = interests_.find(id);
    if (interest != interests_.end()) {
      news.push_back({.keys = {interest->second.keys.begin(), interest->second.keys.end()},
                      .recovered = recovered});
    }
  }
  shard.answers.emplace(id, std::move(received));
}

std::vector<SharedHeads::News> SharedHeads::Observe(int number, const ShardData& data) {
  MutexLock lock(mutex_);
  Shard before = std::exchange(shards_.at(static_cast<std::size_t>(number)), {});
  Shard& shard = shards_.at(static_cast<std::size_t>(number));
  std::vector<News> news;
  for (const auto& [name, text] : data) {
    shard.bytes += name.size() + text.size();
    if (name == kHolderKey) shard.holder = text;
    if (name.starts_with(kAnswerKey)) Receive(before, shard, name.substr(2), text, news);
    if (!name.starts_with(kTargetKey)) continue;
    const std::string id = name.substr(2);
    const auto known = before.registrations.find(id);
    if (known != before.registrations.end() && known->second.text == text) {
      shard.registrations.insert(before.registrations.extract(known));
    } else if (auto registration = ParseRegistration(text)) {
      shard.registrations.emplace(
          id, Registered{.text = text, .registration = *registration, .since = clock_.Now()});
    }
  }
  return news;
}

std::map<int, std::vector<SharedTarget>> SharedHeads::TakeRegistrations() {
  MutexLock lock(mutex_);
  const Clock::TimePoint now = clock_.Now();
  std::map<int, std::vector<SharedTarget>> due;
  std::map<int, std::size_t> bytes;
  std::erase_if(interests_,
                [now](const auto& item) { return now - item.second.wanted_at > kForget; });
  for (auto& [id, interest] : interests_) {
    if (interest.register_at > now) continue;
    if (IsRegistered(interest.target, id)) {
      interest.register_at = Clock::TimePoint::max();  // somebody else has done it
      continue;
    }
    const int number = interest.target.ShardOf(options_.shards);
    const Shard& shard = shards_.at(static_cast<std::size_t>(number));
    std::size_t& added = bytes[number];
    const std::size_t needed = ToText(Registration{.target = interest.target}).size();
    // What is renewed takes no more room than before.
    interest.left_out =
        !shard.registrations.contains(id) && shard.bytes + added + needed > kMaxShardBytes;
    interest.register_at = now + (interest.left_out ? milliseconds(kRetryFull) : kRetry);
    if (interest.left_out) continue;
    added += needed;
    due[number].push_back(interest.target);
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
  Stats stats{.targets = static_cast<int>(interests_.size())};
  for (const auto& [id, interest] : interests_) {
    if (Trusted(interest.target, id) != nullptr) ++stats.shared;
    if (interest.left_out) ++stats.left_out;
  }
  return stats;
}

}  // namespace escagent::freshness
