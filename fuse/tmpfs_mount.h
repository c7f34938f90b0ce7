#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "fuse/volume.h"

namespace escagent::fuse {

// Mounts an empty tmpfs on the folder `path`, on top of whatever is there: nosuid, nodev, noexec,
// at most `max_bytes`, never swapped where the kernel has that (>= 6.4; without it a warning is
// logged). For an agent without a keeper: needs root.
//
// What is at `path` is read-only. The descriptor (O_PATH) is the root of a private, writable mount
// of the same file system, which ends with it; what is at `path` stays until it is unmounted
// (DetachTop). On an error nothing is mounted.
//
// `root_mode` are permission bits; an AtomicWriter makes it 0755 where it is stricter.
//
// FAILED_PRECONDITION on kernels before 5.12; NOT_FOUND when there is no such folder;
// PERMISSION_DENIED without CAP_SYS_ADMIN; INVALID_ARGUMENT for a SELinux context that the node
// does not take, and for no size.
Result<UniqueFd> MountTmpfs(const std::string& path, const MountOptions& options, mode_t root_mode,
                            std::uint64_t max_bytes);

}  // namespace escagent::fuse
