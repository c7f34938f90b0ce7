#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace escagent {

// Durations as Go writes and reads them (time.ParseDuration): "10s", "1h30m", "1.5s", "250ms", "0".
// `what` names the flag or attribute in the error.
Result<std::chrono::milliseconds> ParseDuration(std::string_view text, std::string_view what);

// "1h30m0s", "10s", "250ms", as Go's Duration.String.
std::string FormatDuration(std::chrono::milliseconds duration);

// "2026-11-24T14:05:09Z" (RFC 3339, UTC, whole seconds).
std::string FormatTime(std::chrono::system_clock::time_point time);

}  // namespace escagent
