#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/clock.h"

// How the files of the server spell things.
namespace escagent::devserver {

// Whether every member of `object` that is also in `shape` has its kind. Members may be missing.
bool HasShape(const nlohmann::json& object, const nlohmann::json& shape);

// Milliseconds since 1970.
std::int64_t StoredTime(Clock::WallTime time);
// These read members whose kind was checked; what is missing is the default.
Clock::WallTime TimeOf(const nlohmann::json& object, const char* member);
// False for a list with something else than strings.
bool ReadTexts(const nlohmann::json& object, const char* member, std::vector<std::string>& out);

}  // namespace escagent::devserver
