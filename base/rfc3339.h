#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace escagent {

// Times as RFC 3339 writes them; Kubernetes' metav1.Time "2026-11-24T14:05:09Z" (base/duration.h's
// FormatTime writes it) and metav1.MicroTime "2026-11-24T14:05:09.000000Z" are such. Read with or
// without a fraction (what is finer than microseconds is cut) and with any offset from UTC; nothing
// when the text is no time.
std::optional<std::chrono::system_clock::time_point> ParseRfc3339(std::string_view text);

std::string FormatMicroTime(std::chrono::system_clock::time_point time);

}  // namespace escagent
