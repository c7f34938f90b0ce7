#include "agent/identity/token_cache.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/thread.h"

namespace escagent::identity {
namespace {

// How often to look who is in use, and for tokens that were taken meanwhile. Well below the time
// between a token's renewal and its end, unless it lives for less than a minute.
constexpr std::chrono::seconds kLook{5};
// While nothing is known.
constexpr std::chrono::hours kLongestSleep{1};

}  // namespace

TokenCache::TokenCache(Options options, HttpTransport& transport, Clock& clock)
    : options_(options),
      clock_(clock),
      exchange_({}, transport, clock),
      counted_(exchange_),
      pool_(options.workers) {
  timer_ = StartThread("esc-tokens", [this](const std::stop_token& stop) { RunTimer(stop); });
}

TokenCache::~TokenCache() = default;

std::shared_ptr<RenewedToken> TokenCache::Find(
    const IdentityKey& key, const std::function<std::shared_ptr<SubjectSource>()>& make,
    std::chrono::seconds lifetime) {
  bool is_new = false;
  std::shared_ptr<RenewedToken> token;
  {
    MutexLock lock(mutex_);
    Entry& entry = entries_[key];
    is_new = entry.token == nullptr;
    if (is_new) {
      entry.token = std::make_shared<RenewedToken>(
          key, make(), lifetime.count() > 0 ? lifetime : options_.lifetime, counted_, clock_);
    }
    entry.used_at = clock_.Now();
    token = entry.token;
  }
  if (is_new) waker_.WakeUp();
  return token;
}

std::shared_ptr<RenewedToken> TokenCache::Peek(const IdentityKey& key) {
  MutexLock lock(mutex_);
  const auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : it->second.token;
}

void TokenCache::Recheck(const IdentityKey& key) {
  if (const std::shared_ptr<RenewedToken> token = Peek(key)) token->Recheck();
  waker_.WakeUp();
}

TokenStats TokenCache::Stats() const {
  TokenStats stats{.exchanges = counted_.Counts()};
  MutexLock lock(mutex_);
  stats.identities = entries_.size();
  return stats;
}

void TokenCache::RunTimer(const std::stop_token& stop) {
  while (!stop.stop_requested()) waker_.SleepUntil(clock_, Tick(), stop);
}

Clock::TimePoint TokenCache::Tick() {
  const Clock::TimePoint now = clock_.Now();
  MutexLock lock(mutex_);
  Clock::TimePoint next = now + (entries_.empty() ? Clock::TimePoint::duration(kLongestSleep)
                                                  : Clock::TimePoint::duration(kLook));
  for (auto& [key, entry] : entries_) {
    // The map's own is one.
    if (entry.token.use_count() == 1) continue;
    entry.used_at = now;
    const Clock::TimePoint due = entry.token->RenewAt();
    if (due > now) {
      next = std::min(next, due);
      continue;
    }
    // Twice for one token is no harm: the second finds it renewed, or the first at it.
    pool_.Submit({.urgent = false, .slow = false},
                 [token = entry.token](const std::stop_token& stop) { token->RenewIfDue(stop); });
  }
  DropIdle(now);
  return next;
}

void TokenCache::DropIdle(Clock::TimePoint now) {
  std::vector<std::pair<Clock::TimePoint, const IdentityKey*>> idle;
  for (const auto& [key, entry] : entries_) {
    if (entry.token.use_count() == 1) idle.emplace_back(entry.used_at, &key);
  }
  std::ranges::sort(idle, {}, &std::pair<Clock::TimePoint, const IdentityKey*>::first);
  std::size_t left = idle.size();
  std::vector<IdentityKey> dropped;
  for (const auto& [used_at, key] : idle) {
    if (now - used_at < options_.linger && left <= options_.max_idle) break;
    dropped.push_back(*key);
    --left;
  }
  for (const IdentityKey& key : dropped) entries_.erase(key);
}

}  // namespace escagent::identity
