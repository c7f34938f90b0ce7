#pragma once

#include <chrono>
#include <optional>
#include <span>

#include "agent/mirror/external_secret.h"

namespace escagent::mirror {

// Whether an ExternalSecret is to be synced now, whatever its source says: it was never synced, its
// target is not as it was left (`target_valid` false: missing, or not IsIntact()), or it was
// changed since (refreshPolicy Periodic with an interval, and OnChange). An object with
// refreshPolicy CreatedOnce, or Periodic without an interval, that is in sync stays as it is
// (eso-compat.md 1.2).
//
// When this is false, only objects with RefreshesPeriodically() follow their source.
bool MustSync(const ExternalSecret& object, bool target_valid);

// Until when somebody else may be trusted to keep an object up to date whose store this agent may
// not see: its status says that it is ready and was refreshed within two refresh intervals. Without
// an interval nothing more is due: ask again in an hour. Nothing: nobody does.
std::optional<std::chrono::system_clock::time_point> LookedAfterUntil(
    std::span<const Condition> conditions,
    std::optional<std::chrono::system_clock::time_point> refresh_time,
    std::chrono::milliseconds refresh_interval, std::chrono::system_clock::time_point now);

}  // namespace escagent::mirror
