#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace escagent {

// The whole of a file, at most `max_size` bytes (RESOURCE_EXHAUSTED beyond). Errors name the path.
Result<Secret> ReadFile(const std::string& path, std::size_t max_size = std::size_t{16} << 20);

// Writes a file whole: a temporary file beside it, then rename. For files that hold no secrets.
Status WriteFileAtomically(const std::string& path, std::string_view contents);

}  // namespace escagent
