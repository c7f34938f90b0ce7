#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "fuse/file_spec.h"

namespace escagent::fuse {

// How much the kernel may cache; the volume attribute `cache` (design.md section 6).
enum class CacheProfile {
  kNone,  // direct I/O: every open and read reaches the agent
  kPage,  // page cache per generation; opens reach the agent
  kFull,  // no open round trip; what is cached stays readable even when nobody serves
};

struct MountOptions {
  // Where to mount; must exist.
  std::string mountpoint;
  CacheProfile cache = CacheProfile::kPage;
  // `context=...` from the CSI mount flags (SELinux), passed to the kernel; usually empty.
  std::string selinux_context;
};

// A volume that is mounted and served. Unmount comes before destroying it: then whoever still has
// files open is served until they are closed. Destroying it without Unmount ends the serving at
// once. Thread-safe.
class MountedVolume {
 public:
  virtual ~MountedVolume() = default;

  // Shows `spec` from now on: one swap of ..data. INVALID_ARGUMENT names the path that cannot be
  // shown. Files that are open keep the bytes they were opened with. When it returns OK every path
  // leads to the new contents; a spec that shows the same as before changes nothing.
  virtual Status Publish(const VolumeSpec& spec) = 0;
  // Lazily, so that open files of a terminating pod can still be read. OK when already gone.
  virtual Status Unmount() = 0;
  // Whether the kernel still has the connection and somebody serves it.
  virtual bool Healthy() const = 0;
};

// The seam to the kernel's FUSE: mounts volumes and serves them, all from a fixed number of worker
// threads. Thread-safe.
class Mounter {
 public:
  virtual ~Mounter() = default;

  virtual Result<std::unique_ptr<MountedVolume>> Mount(const MountOptions& options,
                                                       const VolumeSpec& spec) = 0;
  // Whether something is mounted at `path`, from /proc/self/mountinfo: never touches the mount
  // itself, which may hang or answer ENOTCONN.
  virtual Result<bool> IsMountPoint(const std::string& path) const = 0;
  // Unmounts whatever is mounted there, layer by layer (MNT_DETACH | UMOUNT_NOFOLLOW). OK when
  // nothing is.
  virtual Status UnmountAll(const std::string& path) = 0;
};

}  // namespace escagent::fuse
