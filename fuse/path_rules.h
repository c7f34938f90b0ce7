#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace escagent::fuse {

// Whether `path` may name a file or folder in a volume: relative, no empty, "." or ".." component,
// no NUL, at most 255 bytes a component and 4096 in all, and not starting with "..", which is kept
// for `..data` and the generations. INVALID_ARGUMENT names the path.
Status CheckVolumePath(std::string_view path);

// The path as an error may show it: control bytes escaped, not endless.
std::string PrintablePath(std::string_view path);

}  // namespace escagent::fuse
