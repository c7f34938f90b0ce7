#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <vector>

#include "agent/cache/environment_cache.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace escagent::status {

// One environment in one minute.
struct FreshnessMinute {
  enum class State {
    kUnknown,  // the agent did not run, or nobody used the environment
    kFresh,
    kLate,     // older than two intervals and some grace, without an error
    kFailing,  // an attempt failed
  };
  State state = State::kUnknown;        // the worst of the minute
  std::chrono::milliseconds oldest{0};  // how long ago the values were known to be current
};

// The last hour; the present minute is the last element.
using FreshnessHour = std::array<FreshnessMinute, 60>;
using FreshnessHours = std::map<cache::EnvironmentKey, FreshnessHour>;

// Remembers how old the values of each environment were over the last hour, for the status page.
// Looks every ten seconds, on a thread of its own; takes 1 KiB an environment. Thread-safe.
class FreshnessLog {
 public:
  using List = std::function<std::vector<cache::EnvironmentStatus>()>;

  // `list` is called on the log's thread, until the destructor returns.
  FreshnessLog(List list, Clock& clock);
  FreshnessLog(const FreshnessLog&) = delete;
  FreshnessLog& operator=(const FreshnessLog&) = delete;

  FreshnessHours LastHour() const EXCLUDES(mutex_);

 private:
  void Look() EXCLUDES(mutex_);
  // Makes the minute of `now` the last one; forgets what has left the hour.
  void MoveTo(Clock::TimePoint now) REQUIRES(mutex_);

  const List list_;
  Clock& clock_;
  mutable Mutex mutex_;
  FreshnessHours hours_ GUARDED_BY(mutex_);
  std::chrono::minutes minute_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace escagent::status
