#include "csi/request_checks.h"

#include <algorithm>
#include <climits>
#include <vector>

#include "base/strings.h"

namespace escagent::csi {

Status CheckVolumeId(const std::string& volume_id) {
  if (volume_id.empty()) return InvalidArgument("volume_id is missing");
  return {};
}

Status CheckPath(const std::string& path, std::string_view field) {
  const std::string name(field);
  if (path.empty()) return InvalidArgument(name + " is missing");
  if (path.size() >= PATH_MAX) return InvalidArgument(name + " is too long for a path");
  if (path.contains('\0')) return InvalidArgument(name + " contains a NUL byte");
  if (path.front() != '/') return InvalidArgument(name + " must be an absolute path");
  const std::vector<std::string_view> parts = Split(path, '/');
  if (std::ranges::find(parts, "..") != parts.end()) {
    return InvalidArgument(name + " must not contain \"..\"");
  }
  return {};
}

}  // namespace escagent::csi
