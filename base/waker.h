#pragma once

#include <stop_token>

#include "base/clock.h"
#include "base/mutex.h"

namespace escagent {

// Lets one thread sleep by a Clock until a time comes or somebody wakes it: what a condition
// variable with a deadline is, but in the Clock's time.
//
// A wake-up is never lost: one that comes before the sleep makes the next sleep return at once.
// Thread-safe; only one thread sleeps at a time.
class Waker {
 public:
  Waker() = default;
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  void WakeUp() EXCLUDES(mutex_);

  // Returns when `deadline` has come, after WakeUp, or when `stop` is requested.
  void SleepUntil(Clock& clock, Clock::TimePoint deadline, const std::stop_token& stop)
      EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  std::stop_source source_ GUARDED_BY(mutex_);  // stopped = woken up
};

}  // namespace escagent
