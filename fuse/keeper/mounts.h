#pragma once

#include <cstdint>

#include "base/unique_fd.h"

// Mounting and unmounting at <folder>/mount, where `folder` is of OpenVolumeFolder. Nothing here
// asks whoever serves a FUSE mount, so nothing waits for him. Results are 0 or an errno.
namespace escagent::keeper {

struct MountRequest {
  bool tmpfs = false;
  unsigned mode = 0;         // permission bits of the root
  const char* context = "";  // SELinux
  std::uint64_t size = 0;    // the rest is for tmpfs
  unsigned uid = 0;
  unsigned gid = 0;
};

struct MountResult {
  UniqueFd device;  // /dev/fuse
  // Private: not mounted anywhere, and writable, while what is at the target is read-only.
  UniqueFd mount;
  std::uint64_t device_number = 0;
  bool no_swap = false;
};

// Whether the kernel (>= 5.12) has all of fsopen, open_tree, move_mount and mount_setattr.
bool HasMountApi();

// Stacks a new file system on whatever is at the target; makes the target if it is missing. Without
// `new_api` it is by mount(2): the writable mount then lies below the read-only one.
int MountNew(int folder, const MountRequest& request, bool new_api, MountResult* result);
// Stacks the file system of the private mount `mount` on the target again, and replaces `mount`.
int MountAgain(int folder, bool new_api, UniqueFd* mount);

// st_dev of what is at the target, or of an open file; 0 when there is none.
std::uint64_t TargetDevice(int folder);
std::uint64_t DeviceOf(int fd);

// Takes the layers at the target off until one is not ours (EBUSY) or none is left, then removes
// the folder. `device_number`: known to be ours, may be 0.
int UnmountAll(int folder, std::uint64_t device_number);

// The `index`-th mount of ours below the kubelet's folder for which `skip` does not say true.
struct StaleFilter {
  bool (*skip)(void* context, const char* pod_uid, const char* volume_name);
  void* context;
};
int FindOurs(int kubelet_dir, std::uint64_t index, StaleFilter filter, char* pod_uid,
             unsigned pod_uid_size, char* volume_name, unsigned volume_name_size);

// Ends the FUSE connection with this st_dev, whoever else holds its descriptor.
int AbortConnection(std::uint64_t device_number);

}  // namespace escagent::keeper
