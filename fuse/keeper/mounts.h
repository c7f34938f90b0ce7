#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/unique_fd.h"
#include "fuse/keeper/protocol.h"

// File systems, and mounting them at <folder>/mount, where `folder` is of OpenVolumeFolder. Nothing
// here waits for whoever serves a FUSE mount. An int is 0 or an errno.
namespace escagent::keeper {

inline constexpr int kMaxDescriptors = 16384;  // of the process: three a volume, and some

struct FileSystem {
  UniqueFd device;  // /dev/fuse; of a tmpfs its writable root
  UniqueFd mount;   // private: not mounted anywhere, and writable, unlike what is at the target
  std::uint32_t flags = 0;  // kTmpfs, kNoSwap
};

// An O_PATH descriptor: whatever happens to the path afterwards, it stays this file. Follows no
// symlink and never leaves the folder. `flags`: 0, or O_DIRECTORY. None, with errno.
UniqueFd OpenBeneath(int folder, const char* path, int flags);
// pods/<pod_uid>/volumes/kubernetes.io~csi/<volume_name>. EINVAL: not of names.
UniqueFd OpenVolumeFolder(int kubelet_dir, const Ids& ids);

// Stacks `files` on whatever is at the target, which is made if it is missing. If there are none
// yet, they become what a kMount or kMountTmpfs asks for.
int Mount(int folder, const Message& request, FileSystem* files);
// Takes off what is at the target until it is not ours (EBUSY) or nothing, then removes the target.
int UnmountAll(int folder);
// Does so with what an earlier keeper has left of volumes that kubelet knows nothing of any more.
void UnmountForgotten(int kubelet_dir);

// st_dev of an open file, or of what is mounted at the target; 0 when there is none.
std::uint64_t DeviceOf(int fd);
std::uint64_t MountedDevice(int folder);
// Ends the FUSE connection with this st_dev, whoever else holds its descriptor.
int AbortConnection(std::uint64_t device);

// Starts a process that changes the tree of the private mount `root` as kubelet's atomic writer
// does (fuse.md 4): mkdir ..<new>, symlink ..data_tmp to it, rename that to ..data; then, as far as
// possible, symlinks in the root for what is in ..<new>, unlink of what is in ..<old> only, and a
// new time for the files below ..<old>, for those who watch them. Any part of it may have been done
// before. Its exit status is 0 or the errno of what is up to the rename.
//
// It has no descriptor but `root`: whoever serves the mount may never answer, and then the end of
// the last other one ends it. It is killed when its parent ends. -1, with errno.
pid_t StartRotation(int root, std::uint64_t old_generation, std::uint64_t new_generation);

}  // namespace escagent::keeper
