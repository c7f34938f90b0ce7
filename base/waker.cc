#include "base/waker.h"

namespace escagent {

void Waker::WakeUp() {
  MutexLock lock(mutex_);
  source_.request_stop();
}

void Waker::SleepUntil(Clock& clock, Clock::TimePoint deadline, const std::stop_token& stop) {
  std::stop_token woken;
  {
    MutexLock lock(mutex_);
    woken = source_.get_token();
  }
  {
    const std::stop_callback wake_on_stop(stop, [this] { WakeUp(); });
    clock.SleepUntil(deadline, woken);
  }
  MutexLock lock(mutex_);
  if (source_.stop_requested()) source_ = std::stop_source();
}

}  // namespace escagent
