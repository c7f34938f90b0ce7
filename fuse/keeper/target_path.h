#pragma once

#include "base/unique_fd.h"

namespace escagent::keeper {

// The folder pods/<pod_uid>/volumes/kubernetes.io~csi/<volume_name> below `kubelet_dir`, as an
// O_PATH descriptor: whatever happens to the path afterwards, it stays this folder. Follows no
// symlink and leaves the kubelet's folder on no way. Both names must be IsName. None, with errno.
UniqueFd OpenVolumeFolder(int kubelet_dir, const char* pod_uid, const char* volume_name);

// The same without openat2 (Linux < 5.6), a component at a time.
UniqueFd OpenVolumeFolderStepwise(int kubelet_dir, const char* pod_uid, const char* volume_name);

// The names in a path that OpenVolumeFolder would open, with "/mount" behind it: relative to the
// kubelet's folder, changed in place. False for any other path.
bool SplitTarget(char* path, const char** pod_uid, const char** volume_name);

}  // namespace escagent::keeper
