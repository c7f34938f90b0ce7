#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/clock.h"

namespace escagent::testing {

// A Clock that stands still until a test moves it. Advance() wakes the sleepers whose time has
// come; AwaitSleepers() lets a test wait until the threads it drives are asleep again, so that no
// test needs to sleep in real time. Thread-safe; outlives everybody who sleeps on it.
class FakeClock final : public Clock {
 public:
  // Not zero, so that "earlier than now" exists.
  explicit FakeClock(TimePoint start = TimePoint(std::chrono::hours(1000))) : now_(start) {}

  TimePoint Now() const override {
    std::scoped_lock lock(mutex_);
    return now_;
  }

  // 2026-01-01T00:00:00Z at the start, moved along with Now().
  WallTime WallNow() const override {
    std::scoped_lock lock(mutex_);
    return WallTime(std::chrono::seconds(1767225600)) +
           std::chrono::duration_cast<WallTime::duration>(now_ - start_);
  }

  bool SleepUntil(TimePoint deadline, std::stop_token stop) override {
    std::unique_lock lock(mutex_);
    const auto self = sleepers_.insert(sleepers_.end(), Sleeper{deadline, stop});
    asleep_.notify_all();
    moved_.wait(lock, stop, [&] { return now_ >= deadline; });
    sleepers_.erase(self);
    return !stop.stop_requested();
  }

  void Advance(std::chrono::nanoseconds by) {
    {
      std::scoped_lock lock(mutex_);
      now_ += std::chrono::duration_cast<TimePoint::duration>(by);
    }
    moved_.notify_all();
  }

  // How many threads sleep and have no reason to wake up yet.
  std::size_t Sleepers() const {
    std::scoped_lock lock(mutex_);
    return CountSleepers();
  }

  // Waits (in real time, at most `patience`) until at least `count` threads sleep.
  bool AwaitSleepers(std::size_t count,
                     std::chrono::milliseconds patience = std::chrono::seconds(20)) const {
    std::unique_lock lock(mutex_);
    return asleep_.wait_for(lock, patience, [&] { return CountSleepers() >= count; });
  }

  // When the first of the sleepers will wake up, from now; nothing when nobody sleeps.
  std::optional<std::chrono::milliseconds> UntilNextWakeUp() const {
    std::scoped_lock lock(mutex_);
    std::optional<TimePoint> earliest;
    for (const Sleeper& sleeper : sleepers_) {
      if (!IsAsleep(sleeper)) continue;
      if (!earliest || sleeper.deadline < *earliest) earliest = sleeper.deadline;
    }
    if (!earliest) return std::nullopt;
    return std::chrono::ceil<std::chrono::milliseconds>(*earliest - now_);
  }

 private:
  struct Sleeper {
    TimePoint deadline;
    std::stop_token stop;
  };

  bool IsAsleep(const Sleeper& sleeper) const {
    return sleeper.deadline > now_ && !sleeper.stop.stop_requested();
  }
  std::size_t CountSleepers() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(sleepers_, [this](const Sleeper& s) { return IsAsleep(s); }));
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable asleep_;  // a sleeper was added
  std::condition_variable_any moved_;
  TimePoint now_;
  const TimePoint start_ = now_;
  std::list<Sleeper> sleepers_;
};

}  // namespace escagent::testing
