#include "agent/volume/target_path.h"

#include <string_view>

#include "agent/volume/file_name.h"
#include "base/strings.h"

namespace escagent::volume {

Status ValidateTarget(const std::string& path) {
  const bool usable = path.starts_with('/') && path.size() > 1 && path.size() <= kMaxPathLength &&
                      path.find('\0') == std::string::npos;
  bool clean = usable;
  if (usable) {
    for (const std::string_view part : Split(std::string_view(path).substr(1), '/')) {
      if (part.empty() || part == "." || part == "..") clean = false;
    }
  }
  if (clean) return {};
  return InvalidArgument("target_path " + QuoteForMessage(path) +
                         ": must be an absolute path without \".\", \"..\" and empty parts");
}

}  // namespace escagent::volume
