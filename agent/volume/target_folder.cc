#include "agent/volume/target_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
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

Result<bool> CreateTarget(const std::string& path, bool is_mount_point) {
  if (mkdir(path.c_str(), 0750) == 0) return true;
  if (errno == ENOENT) {
    return FailedPrecondition("create target folder " + path +
                              ": its parent folder does not exist; kubelet creates it");
  }
  if (errno != EEXIST) return ErrnoError(errno, "create target folder " + path);
  if (is_mount_point) return false;
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0) return ErrnoError(errno, "look at target folder " + path);
  if (!S_ISDIR(status.st_mode)) {
    return FailedPrecondition("target path " + path + ": is there, and is no folder; remove it");
  }
  return false;
}

Status RemoveTarget(const std::string& path) {
  if (rmdir(path.c_str()) == 0 || errno == ENOENT) return {};
  if (errno == ENOTEMPTY || errno == EEXIST) {
    return FailedPrecondition("remove target folder " + path +
                              ": it holds files that are not the agent's; remove them");
  }
  return ErrnoError(errno, "remove target folder " + path);
}

}  // namespace escagent::volume
