#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace escagent::fuse {

// Mounting without root, on a workstation: fuse3's setuid helper mounts for the user and passes the
// /dev/fuse descriptor back over a socket (_FUSE_COMMFD, fusermount3(1)). The mount is read-only
// and for this user only. FAILED_PRECONDITION when the helper is not installed.
Result<UniqueFd> MountByHelper(const std::string& path);

// Lazily unmounts what MountByHelper mounted.
Status UnmountByHelper(const std::string& path);

}  // namespace escagent::fuse
