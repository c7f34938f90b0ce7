#include "agent/doctor/clock_check.h"

#include <chrono>

#include "base/duration.h"

namespace escagent::doctor {
namespace {

constexpr std::chrono::seconds kTolerance{30};

}  // namespace

std::optional<Finding> CheckClock(const std::string& whose,
                                  const std::optional<Clock::WallTime>& theirs,
                                  Clock::WallTime ours) {
  if (!theirs) return std::nullopt;
  const std::string check = "clock";
  const auto ahead = std::chrono::duration_cast<std::chrono::seconds>(ours - *theirs);
  if (std::chrono::abs(ahead) <= kTolerance) return Ok(check, "agrees with that of " + whose);
  return Failed(check,
                "this node is " + FormatDuration(std::chrono::abs(ahead)) +
                    (ahead.count() > 0 ? " ahead of " : " behind ") + whose,
                "synchronise the node's clock (chrony, systemd-timesyncd): certificates, tokens "
                "and leases depend on it");
}

}  // namespace escagent::doctor
