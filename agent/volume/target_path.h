#pragma once

#include <string>

#include "base/result.h"

namespace escagent::volume {

// INVALID_ARGUMENT unless `path` is absolute, without "." and ".." and empty parts.
Status ValidateTarget(const std::string& path);

}  // namespace escagent::volume
