#pragma once

#include <cstdint>
#include <memory>
#include <optional>
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

enum class Backend {
  kFuse,
  kTmpfs,  // plain files in memory, for nodes without /dev/fuse
};

struct MountOptions {
  // The CSI volume id, [A-Za-z0-9._-]; what a keeper knows the volume by. Not used without one.
  std::string volume_id;
  // Where to mount: a folder, or a path that does not exist in a folder that does.
  std::string mountpoint;
  Backend backend = Backend::kFuse;
  CacheProfile cache = CacheProfile::kPage;
  // `context=...` from the CSI mount flags (SELinux), passed to the kernel; usually empty.
  std::string selinux_context;
  // Whatever the caller wants back from Mounter::Restore. No secrets.
  std::string metadata;
};

// A volume that is mounted and served. Unmount comes before destroying it: then whoever still has
// files open is served until they are closed. Destroying it without Unmount ends the serving at
// once, unless a keeper holds the connection for a successor. Thread-safe.
class MountedVolume {
 public:
  virtual ~MountedVolume() = default;

  // Shows `spec` from now on: one swap of ..data. INVALID_ARGUMENT names the path that cannot be
  // shown. Files that are open keep the bytes they were opened with. When it returns OK every path
  // leads to the new contents; a spec that shows the same as before changes nothing.
  virtual Status Publish(const VolumeSpec& spec) = 0;
  // Whether this is what the volume shows already.
  virtual bool Shows(const VolumeSpec& spec) const = 0;
  // What is shown now; nothing when this process does not know it, as of a tmpfs that a process
  // before it has written.
  virtual std::optional<VolumeSpec> Shown() const = 0;
  // Of what is shown now.
  virtual VolumeSize Size() const = 0;
  // Lazily, so that open files of a terminating pod can still be read. OK when already gone.
  virtual Status Unmount() = 0;
  // Whether the kernel still has the connection and somebody serves it.
  virtual bool Healthy() const = 0;
};

// A volume of a process before this one, which goes on being served.
struct RestoredVolume {
  std::string metadata;
  std::unique_ptr<MountedVolume> volume;
};

// The seam to the kernel: mounts volumes and serves them, all from a fixed number of worker
// threads. Thread-safe.
class Mounter {
 public:
  virtual ~Mounter() = default;

  // Makes the folder when it is missing (its parent must exist), and mounts on top of whatever is
  // there, be it a mount that nobody serves. On failure what it made is gone again.
  virtual Result<std::unique_ptr<MountedVolume>> Mount(const MountOptions& options,
                                                       const VolumeSpec& spec) = 0;
  // Whether something is mounted at `path`. Never touches the mount itself, which may hang or
  // answer ENOTCONN.
  virtual Result<bool> IsMountPoint(const std::string& path) const = 0;
  // Unmounts whatever is mounted there, layer by layer (MNT_DETACH | UMOUNT_NOFOLLOW), then removes
  // the folder. OK when nothing is there. FAILED_PRECONDITION when the folder holds files, which
  // are not ours to delete.
  virtual Status Remove(const std::string& volume_id, const std::string& path) = 0;
  // Whether volumes can be mounted at all; the error says what to do.
  virtual Status Healthy() const = 0;
};

}  // namespace escagent::fuse
