#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace escagent::volume {

// Linux's NAME_MAX, and PATH_MAX less its NUL (linux/limits.h).
inline constexpr std::size_t kMaxNameLength = 255;
inline constexpr std::size_t kMaxPathLength = 4095;

// Whether `name` can be the name of one file or folder in a volume: not empty, not "." nor starting
// with ".." (".." escapes, "..data" and the like are the atomic writer's own), without "/" and NUL,
// at most kMaxNameLength bytes. The error is INVALID_ARGUMENT with the reason only; the caller puts
// in front whose name it is.
Status ValidateFileName(std::string_view name);

// The same for a relative path: names separated by "/", at most kMaxPathLength bytes.
Status ValidateFilePath(std::string_view path);

// `text` in double quotes for an error message: control characters shown as \xNN, and shortened
// when long.
std::string QuoteForMessage(std::string_view text);

}  // namespace escagent::volume
