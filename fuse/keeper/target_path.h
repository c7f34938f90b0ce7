#pragma once

#include "base/unique_fd.h"

namespace escagent::keeper {

// `path` below `folder` as an O_PATH descriptor: whatever happens to the path afterwards, it stays
// this file. Follows no symlink and never leaves the folder. `flags`: 0, or O_DIRECTORY for a
// folder only. None, with errno.
UniqueFd OpenBeneath(int folder, const char* path, int flags);
// The same without openat2 (Linux < 5.6), a component at a time.
UniqueFd OpenBeneathStepwise(int folder, const char* path, int flags);

// pods/<pod_uid>/volumes/kubernetes.io~csi/<volume_name>. Both names must be IsName.
UniqueFd OpenVolumeFolder(int kubelet_dir, const char* pod_uid, const char* volume_name);

// The names in the path of a volume's folder with "/mount" behind it, relative to the kubelet's
// folder and changed in place. False for any other path.
bool SplitTarget(char* path, const char** pod_uid, const char** volume_name);

}  // namespace escagent::keeper
