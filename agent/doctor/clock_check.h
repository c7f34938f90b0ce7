#pragma once

#include <optional>
#include <string>

#include "agent/doctor/finding.h"
#include "base/clock.h"

namespace escagent::doctor {

// Compares this machine's clock with what a server's answer says (the header Date). `whose`: "the
// API server". Nothing when the server does not say.
std::optional<Finding> CheckClock(const std::string& whose,
                                  const std::optional<Clock::WallTime>& theirs,
                                  Clock::WallTime ours);

}  // namespace escagent::doctor
