#include "fuse/target_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace escagent::fuse {

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

}  // namespace escagent::fuse
