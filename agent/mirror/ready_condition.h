#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "agent/mirror/external_secret.h"

namespace escagent::mirror {

// The elements of status.conditions.
std::vector<Condition> ReadConditions(const nlohmann::json& status);

// The value of status.conditions with this condition Ready, or nothing when they say so already.
// lastTransitionTime moves only when the status of Ready flips. Conditions of other types are kept.
std::optional<nlohmann::json> ConditionsWithReady(std::span<const Condition> conditions, bool ready,
                                                  std::string_view reason, std::string_view message,
                                                  std::chrono::system_clock::time_point now);

}  // namespace escagent::mirror
