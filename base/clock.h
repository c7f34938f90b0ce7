#pragma once

#include <chrono>
#include <stop_token>

namespace escagent {

// The seam for time: everything that waits or measures takes a Clock&, so that tests drive time by
// hand (tests/fakes/fake_clock.h). Thread-safe.
class Clock {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using WallTime = std::chrono::system_clock::time_point;

  virtual ~Clock() = default;

  // Monotonic time, for intervals and deadlines.
  virtual TimePoint Now() const = 0;
  // Time of day, only for what people or other machines read.
  virtual WallTime WallNow() const = 0;
  // Sleeps until `deadline` or until `stop` is requested. Returns false when stopped.
  virtual bool SleepUntil(TimePoint deadline, std::stop_token stop) = 0;
};

class SystemClock final : public Clock {
 public:
  TimePoint Now() const override;
  WallTime WallNow() const override;
  bool SleepUntil(TimePoint deadline, std::stop_token stop) override;
};

}  // namespace escagent
