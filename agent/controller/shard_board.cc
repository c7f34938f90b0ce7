#include "agent/controller/shard_board.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <utility>

namespace escagent::controller {
namespace {

using std::chrono::milliseconds;

// Agents that start together share: who has more waits longer before it takes the next one.
constexpr milliseconds kWaitForEachHeld{80};
constexpr int kMaxWait = 80;  // milliseconds, random
constexpr milliseconds kAfterFailure{1000};

std::optional<std::uint64_t> Number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Whether version `a` of an object is known to be older than `b`, or the same. Versions are decimal
// numbers that grow (Kubernetes API concepts, "Resource versions"); of others nothing is known.
bool IsNotNewer(std::string_view a, std::string_view b) {
  const std::optional<std::uint64_t> number_a = Number(a);
  const std::optional<std::uint64_t> number_b = Number(b);
  return number_a && number_b ? *number_a <= *number_b : a == b;
}

// Whether the holder has written, as opposed to somebody who asks for the lease.
bool SameRecord(const kube::Lease& a, const kube::Lease& b) {
  return a.holder_identity == b.holder_identity && a.renew_time == b.renew_time &&
         a.acquire_time == b.acquire_time && a.transitions == b.transitions;
}

}  // namespace

ShardBoard::ShardBoard(Options options, std::uint_fast32_t seed)
    : options_(std::move(options)),
      random_(seed),
      shards_(static_cast<std::size_t>(options_.shards)) {}

std::string ShardBoard::LeaseName(int shard) const {
  return options_.name_prefix + std::to_string(shard);
}

std::optional<int> ShardBoard::ShardOfLease(std::string_view name) const {
  if (!name.starts_with(options_.name_prefix)) return std::nullopt;
  const std::optional<std::uint64_t> shard = Number(name.substr(options_.name_prefix.size()));
  if (!shard || *shard >= shards_.size()) return std::nullopt;
  return static_cast<int>(*shard);
}

void ShardBoard::Observe(int number, kube::Lease lease, Time now) {
  Shard& shard = At(number);
  if (shard.lease && IsNotNewer(lease.resource_version, shard.lease->resource_version)) return;
  if (IsOurs(shard) && lease.holder_identity != options_.identity) {
    // Only the API server can say whether this is newer than what this agent has written: the
    // next renewal will.
    shard.renew_at = now;
    return;
  }
  if (!shard.lease || !SameRecord(*shard.lease, lease)) {
    shard.seen_at = now;
    shard.free_since.reset();
  }
  shard.lease = std::move(lease);
  NoteWanted(shard, now);
}

void ShardBoard::ObserveNewest(int number, kube::Lease lease, Time now) {
  Shard& shard = At(number);
  const bool ours = IsOurs(shard);
  if (!shard.lease || !SameRecord(*shard.lease, lease)) {
    shard.seen_at = now;
    shard.free_since.reset();
  }
  const bool taken = lease.holder_identity != options_.identity;
  shard.lease = std::move(lease);
  if (ours && taken) Lose(number);
  if (ours && !taken) shard.renew_at = now;
  NoteWanted(shard, now);
}

void ShardBoard::ObserveGone(int number, Time now) {
  Shard& shard = At(number);
  shard.lease.reset();
  shard.seen_at = now;
  shard.free_since.reset();
  if (IsOurs(shard)) Lose(number);
}

void ShardBoard::NoteWanted(Shard& shard, Time now) {
  const auto wanted = shard.lease->annotations.find(kWantedByAnnotation);
  const bool counts = shard.state == State::kHeld && wanted != shard.lease->annotations.end() &&
                      wanted->second != options_.identity;
  if (!counts) {
    shard.wanted_by.clear();
  } else if (shard.wanted_by != wanted->second) {
    shard.wanted_by = wanted->second;
    shard.wanted_since = now;
  }
}

ShardBoard::Time ShardBoard::ExpiryOf(const Shard& shard) const {
  const std::chrono::seconds duration = shard.lease->duration;
  return shard.seen_at + (duration.count() > 0 ? duration : options_.duration);
}

bool ShardBoard::IsFree(const Shard& shard, Time now) const {
  if (!shard.lease) return listed_;
  const std::string& holder = shard.lease->holder_identity;
  return holder.empty() || holder == options_.identity || ExpiryOf(shard) <= now;
}

int ShardBoard::HeldCount() const {
  return static_cast<int>(std::ranges::count(shards_, State::kHeld, &Shard::state));
}

int ShardBoard::CountOf(std::string_view holder, Time now) const {
  return static_cast<int>(std::ranges::count_if(shards_, [&](const Shard& shard) {
    if (shard.state == State::kGiving) return shard.successor == holder;
    return shard.lease && shard.lease->holder_identity == holder && ExpiryOf(shard) > now;
  }));
}

void ShardBoard::Lose(int number) {
  Shard& shard = At(number);
  // Who gives it away has been told to stop already.
  if (shard.state == State::kHeld) events_.push_back({.shard = number, .held = false});
  const bool drained = shard.state == State::kGiving && shard.drained;
  shard.state = drained ? State::kOther : State::kLost;
  shard.wanted_by.clear();
}

void ShardBoard::Expire(Time now) {
  for (int number = 0; number < options_.shards; ++number) {
    if (IsOurs(At(number)) && At(number).usable_until <= now) Lose(number);
  }
}

void ShardBoard::StartGiving(Time now) {
  for (int number = 0; number < options_.shards; ++number) {
    Shard& shard = At(number);
    if (shard.state != State::kHeld || shard.wanted_by.empty()) continue;
    if (now - shard.wanted_since > kWantedFor || HeldCount() < CountOf(shard.wanted_by, now) + 2) {
      shard.wanted_by.clear();
      continue;
    }
    if (last_move_ && now - *last_move_ < kMoveInterval) continue;
    last_move_ = now;
    shard.state = State::kGiving;
    shard.successor = std::exchange(shard.wanted_by, "");
    shard.drained = false;
    events_.push_back({.shard = number, .held = false});
  }
}

std::optional<ShardBoard::Action> ShardBoard::Next(Time now, Clock::WallTime wall) {
  Expire(now);
  StartGiving(now);
  for (int number = 0; number < options_.shards; ++number) {
    std::optional<Action> action =
        IsOurs(At(number)) ? NextForOurs(number, now, wall) : NextForOther(number, now, wall);
    if (action) return action;
  }
  return NextAsk(now);
}

kube::Lease ShardBoard::Written(const Shard& shard, int number, const std::string& holder,
                                Clock::WallTime wall) const {
  kube::Lease lease;
  if (shard.lease) lease = *shard.lease;
  lease.key = {options_.namespace_name, LeaseName(number)};
  lease.labels.insert_or_assign(options_.label, std::to_string(number));
  if (shard.wanted_by.empty()) lease.annotations.erase(kWantedByAnnotation);
  if (lease.holder_identity != holder) {
    lease.holder_identity = holder;
    lease.acquire_time = wall;
    ++lease.transitions;
  }
  lease.duration = options_.duration;
  lease.renew_time = wall;
  return lease;
}

std::optional<ShardBoard::Action> ShardBoard::NextForOurs(int number, Time now,
                                                          Clock::WallTime wall) {
  Shard& shard = At(number);
  if (now < shard.not_before) return std::nullopt;
  if (shard.state == State::kGiving && shard.drained) {
    return Action{Kind::kHandOver, number, Written(shard, number, shard.successor, wall)};
  }
  if (now < shard.renew_at) return std::nullopt;
  return Action{Kind::kRenew, number, Written(shard, number, options_.identity, wall)};
}

ShardBoard::Time ShardBoard::TakeTime(const Shard& shard) const {
  // What was handed over waits for nobody.
  const bool handed_over = shard.lease && shard.lease->holder_identity == options_.identity;
  if (handed_over) return std::max(*shard.free_since, shard.not_before);
  return std::max(*shard.free_since + shard.wait + HeldCount() * kWaitForEachHeld,
                  shard.not_before);
}

std::optional<ShardBoard::Action> ShardBoard::NextForOther(int number, Time now,
                                                           Clock::WallTime wall) {
  Shard& shard = At(number);
  if (shard.state == State::kLost || !IsFree(shard, now)) return std::nullopt;
  if (!shard.free_since) {
    shard.free_since = now;
    shard.wait = milliseconds(std::uniform_int_distribution<int>(0, kMaxWait)(random_));
  }
  if (now < TakeTime(shard)) return std::nullopt;
  return Action{shard.lease ? Kind::kTake : Kind::kCreate, number,
                Written(shard, number, options_.identity, wall)};
}

std::string ShardBoard::Richest(Time now) const {
  std::map<std::string, int> counts;
  for (const Shard& shard : shards_) {
    // While one is free, or on its way to this agent, the counts are about to change.
    if (!shard.lease || shard.state == State::kLost || IsOurs(shard)) continue;
    if (IsFree(shard, now)) return {};
    ++counts[shard.lease->holder_identity];
  }
  const auto richest = std::ranges::max_element(
      counts, [](const auto& a, const auto& b) { return a.second < b.second; });
  if (richest == counts.end() || richest->second < HeldCount() + 2) return {};
  return richest->first;
}

std::optional<ShardBoard::Action> ShardBoard::NextAsk(Time now) {
  if (!listed_ || now < next_ask_) return std::nullopt;
  const std::string richest = Richest(now);
  if (richest.empty()) return std::nullopt;
  std::vector<int> candidates;
  for (int number = 0; number < options_.shards; ++number) {
    const Shard& shard = At(number);
    if (!shard.lease || shard.lease->holder_identity != richest) continue;
    const auto wanted = shard.lease->annotations.find(kWantedByAnnotation);
    if (wanted == shard.lease->annotations.end() || wanted->second == options_.identity) {
      candidates.push_back(number);
    }
  }
  next_ask_ = now + kMoveInterval;
  if (candidates.empty()) return std::nullopt;
  const int chosen =
      candidates[std::uniform_int_distribution<std::size_t>(0, candidates.size() - 1)(random_)];
  return Action{Kind::kAsk, chosen, *At(chosen).lease};
}

ShardBoard::Time ShardBoard::NextTime(Time now) const {
  Time next = next_ask_ > now ? next_ask_ : now + kMoveInterval;
  for (const Shard& shard : shards_) {
    if (IsOurs(shard)) {
      const bool hands_over = shard.state == State::kGiving && shard.drained;
      const Time write_at = hands_over ? now : shard.renew_at;
      next = std::min({next, shard.usable_until, std::max(write_at, shard.not_before)});
      if (!shard.wanted_by.empty() && last_move_) {
        next = std::min(next, *last_move_ + kMoveInterval);
      }
    } else if (shard.state == State::kOther) {
      if (shard.free_since) next = std::min(next, TakeTime(shard));
      if (shard.lease && !shard.free_since) next = std::min(next, ExpiryOf(shard));
    }
  }
  return next;
}

void ShardBoard::Succeeded(const Action& action, kube::Lease written, Time asked) {
  Shard& shard = At(action.shard);
  if (action.kind == Kind::kAsk) {
    // Of another agent's lease; the watch tells of it too.
    Observe(action.shard, std::move(written), asked);
    return;
  }
  shard.lease = std::move(written);
  shard.seen_at = asked;
  shard.free_since.reset();
  shard.not_before = {};
  if (action.kind == Kind::kHandOver) {
    shard.state = State::kOther;
    return;
  }
  shard.usable_until = asked + options_.duration - kMargin;
  shard.renew_at = asked + options_.renew;
  if (action.kind == Kind::kRenew) return;
  shard.state = State::kHeld;
  shard.wanted_by.clear();
  events_.push_back({.shard = action.shard, .held = true});
}

void ShardBoard::Failed(const Action& action, Code code, Time now) {
  if (action.kind == Kind::kAsk) return;  // asked again after kMoveInterval
  if (code == Code::kNotFound) {
    ObserveGone(action.shard, now);
    return;
  }
  // After a conflict the lease is read again, and that decides.
  if (code == Code::kAborted || code == Code::kAlreadyExists) return;
  At(action.shard).not_before = now + kAfterFailure;
}

void ShardBoard::Drained(int number) {
  Shard& shard = At(number);
  if (shard.state == State::kGiving) shard.drained = true;
  if (shard.state == State::kLost) shard.state = State::kOther;
}

std::vector<ShardBoard::Event> ShardBoard::TakeEvents() { return std::exchange(events_, {}); }

std::string ShardBoard::HolderOf(int number, Time now) const {
  const Shard& shard = At(number);
  if (!shard.lease || (!IsOurs(shard) && ExpiryOf(shard) <= now)) return {};
  return shard.lease->holder_identity;
}

std::optional<ShardBoard::Time> ShardBoard::SeenAt(int shard) const {
  if (!At(shard).lease) return std::nullopt;
  return At(shard).seen_at;
}

std::optional<ShardBoard::Time> ShardBoard::UsableUntil(int shard) const {
  if (At(shard).state != State::kHeld) return std::nullopt;
  return At(shard).usable_until;
}

std::vector<kube::Lease> ShardBoard::Held() const {
  std::vector<kube::Lease> leases;
  for (const Shard& shard : shards_) {
    if (shard.lease && shard.lease->holder_identity == options_.identity) {
      leases.push_back(*shard.lease);
    }
  }
  return leases;
}

}  // namespace escagent::controller
