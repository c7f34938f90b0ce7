#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "fuse/volume.h"

namespace escagent::fuse {

// The file system type of our mounts in mountinfo.
inline constexpr const char* kFsType = "fuse.esc-agent";

struct DeviceNumber {
  unsigned major = 0;
  unsigned minor = 0;
  bool operator==(const DeviceNumber&) const = default;
};

// /dev/fuse, non-blocking. FAILED_PRECONDITION when the node has none.
Result<UniqueFd> OpenFuseDevice();

// The path of a mountpoint as mountinfo spells it: its folder resolved, its last part as it is.
// Does not touch what is mounted there. INVALID_ARGUMENT for "" and "/".
Result<std::string> ResolveMountpoint(const std::string& path);

// Mounts at the resolved path: nosuid, nodev, noexec, allow_other, default_permissions. Returns the
// mount's /dev/fuse. Without root it is fuse3's helper that mounts, for this user only
// (fuse/user_mount.h).
//
// Read-only as a whole (MS_RDONLY): every write is EROFS in the kernel, before permissions and
// without a question to us. So nobody makes renames that watchers see: that takes the keeper, with
// a private writable mount.
Result<UniqueFd> MountFuse(const std::string& path, const MountOptions& options, mode_t root_mode);

// The device number of what is mounted at `path`, without a question to whoever serves it.
Result<DeviceNumber> MountedDevice(const std::string& path);

// Lazily unmounts the topmost mount at the resolved path. OK when nothing is mounted there.
Status DetachTop(const std::string& path);

}  // namespace escagent::fuse
