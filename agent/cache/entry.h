#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "agent/cache/environment_cache.h"
#include "agent/cache/environment_state.h"
#include "base/clock.h"
#include "base/waker.h"

namespace escagent::cache {

// The parts of the cache's table. All of it is guarded by the cache's mutex, but for what is const
// and for Waiter::waker, which is thread-safe.

// One Subscription as the cache sees it.
struct Subscriber {
  Subscriber(std::function<void()> callback, std::chrono::milliseconds i)
      : on_change(std::move(callback)), interval(i) {}

  const std::function<void()> on_change;
  const std::chrono::milliseconds interval;
  bool closed = false;     // no callback may begin
  bool notifying = false;  // its callback is running, on this thread:
  std::thread::id notifier;
};

// A thread in Subscribe that waits for an attempt to end. Lives on that thread's stack.
struct Waiter {
  explicit Waiter(std::chrono::milliseconds i) : interval(i) {}

  const std::chrono::milliseconds interval;
  Waker waker;
};

// One environment. At most one job of the worker pool works for it at a time.
struct Entry {
  enum class Flight { kNone, kQueued, kRunning, kNotifying };

  Entry(EnvironmentKey k, std::shared_ptr<esc::Api> a, EnvironmentState::Policy policy,
        std::uint64_t seed)
      : key(std::move(k)), api(std::move(a)), state(policy, seed) {}

  const EnvironmentKey key;
  const std::shared_ptr<esc::Api> api;
  EnvironmentState state;
  std::vector<std::shared_ptr<Subscriber>> subscribers;
  std::vector<Waiter*> waiters;
  Flight flight = Flight::kNone;
  // Another attempt is wanted after the one under way.
  bool again = false;
  std::uint64_t attempts_finished = 0;
  // When the last attempt ended.
  Clock::TimePoint finished_at{};
  // Somebody who does not block will ask again before that (Request::since).
  Clock::TimePoint awaited_until{};
  // The shortest that anybody wants; the last one when there is nobody.
  std::chrono::milliseconds interval{0};
  // When to drop the entry if still nobody is interested.
  Clock::TimePoint drop_at = Clock::TimePoint::max();

  bool Wanted() const { return !subscribers.empty() || !waiters.empty(); }

  void UpdateInterval() {
    if (!Wanted()) return;
    interval = std::chrono::milliseconds::max();
    for (const auto& subscriber : subscribers) interval = std::min(interval, subscriber->interval);
    for (const Waiter* waiter : waiters) interval = std::min(interval, waiter->interval);
  }

  // The next moment at which the timer has something to do here.
  Clock::TimePoint NextEvent() const {
    if (flight != Flight::kNone) return Clock::TimePoint::max();
    return Wanted() ? state.next_attempt() : std::min(state.next_attempt(), drop_at);
  }
};

}  // namespace escagent::cache
