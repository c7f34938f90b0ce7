#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "agent/cache/environment_cache.h"
#include "base/clock.h"
#include "base/result.h"

namespace escagent::volume {

// A failure that lasts, and since when.
struct Failure {
  Error error;
  Clock::TimePoint since;
};

// Everything that a volume's condition depends on.
struct Health {
  bool served = false;  // the mount
  // The newest values could not be shown; the last good ones are.
  std::optional<Failure> render;
  // The store could not be read, or its environment not be subscribed to.
  std::optional<Failure> source;
  // The Secret of `mirrorTo` is not as the volume is.
  std::optional<Failure> mirror;
  // ESC refuses the identity; the files are empty therefore.
  bool refused = false;
  bool emptied = false;
  // State of refreshing; empty while nothing is subscribed to.
  std::optional<cache::EnvironmentStatus> environment;
};

struct Condition {
  bool abnormal = false;
  std::string message;
};

// CSI's VolumeCondition: "mounted", or what is wrong, since when and why; without values.
Condition DescribeCondition(const Health& health, std::chrono::milliseconds max_stale,
                            const Clock& clock);

}  // namespace escagent::volume
