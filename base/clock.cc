#include "base/clock.h"

#include <condition_variable>
#include <mutex>

namespace escagent {

Clock::TimePoint SystemClock::Now() const { return std::chrono::steady_clock::now(); }

Clock::WallTime SystemClock::WallNow() const { return std::chrono::system_clock::now(); }

bool SystemClock::SleepUntil(TimePoint deadline, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any cv;
  std::unique_lock lock(mutex);
  cv.wait_until(lock, stop, deadline, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace escagent
