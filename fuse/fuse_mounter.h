#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result.h"
#include "fuse/fuse_volume.h"
#include "fuse/volume.h"

namespace escagent::fuse {

// The Mounter of this node: FUSE mounts of type "fuse.esc-agent", made with mount(2) in the mount
// namespace of this process and served by a fixed number of threads. Needs root. Thread-safe.
//
// What an open file shows depends on MountOptions::cache:
//   none, page  the bytes it was opened with until it is closed. A file that is held without being
//               open (a subPath bind mount) shows the current bytes at its next open.
//   full        as there are no opens to go by: the bytes of its generation until `grace`
//   after
//               the next rotation; then it follows, in place.
class FuseMounter final : public Mounter {
 public:
  struct Options {
    // Threads that answer the kernel. 2 to 4; more bring nothing.
    int workers = 2;
    // Threads that tell the kernel about rotations.
    int notifiers = 2;
    // How long Publish waits for the kernel.
    std::chrono::milliseconds publish_timeout{5000};
    // How long a replaced generation is retained for whoever is late, and how long the files of a
    // CacheProfile::kFull volume keep their bytes after a rotation.
    std::chrono::milliseconds grace{5000};
    // Who is told of the files that are opened. May be empty.
    OpenListenerFactory open_listener = {};
  };

  // FAILED_PRECONDITION when /dev/fuse cannot be used; the message says what to do.
  static Result<std::unique_ptr<FuseMounter>> Create(Options options);
  static Result<std::unique_ptr<FuseMounter>> Create() { return Create(Options()); }

  // INVALID_ARGUMENT for a spec that cannot be shown.
  Result<std::unique_ptr<MountedVolume>> Mount(const MountOptions& options,
                                               const VolumeSpec& spec) override;
  Result<bool> IsMountPoint(const std::string& path) const override;
  Status Remove(const std::string& volume_id, const std::string& path) override;
  // Whether /dev/fuse can be used.
  Status Healthy() const override;

  // Remove without removing the folder.
  Status UnmountAll(const std::string& path);

  // Connections that are served now, unmounted ones with open files included.
  std::size_t SessionCount() const { return threads_->loop->SessionCount(); }

 private:
  explicit FuseMounter(std::shared_ptr<ServingThreads> threads) : threads_(std::move(threads)) {}
  Result<std::unique_ptr<MountedVolume>> MountFuseAt(const std::string& path,
                                                     const MountOptions& options,
                                                     const VolumeSpec& spec);
  Result<std::unique_ptr<MountedVolume>> MountTmpfsAt(const std::string& path,
                                                      const MountOptions& options,
                                                      const VolumeSpec& spec);

  const std::shared_ptr<ServingThreads> threads_;
};

}  // namespace escagent::fuse
