#include "fuse/fuse_mounter.h"

#include <algorithm>
#include <utility>

#include "fuse/mount_info.h"
#include "fuse/mount_ops.h"
#include "fuse/secret_tree.h"
#include "fuse/target_folder.h"
#include "fuse/tmpfs_mount.h"
#include "fuse/tmpfs_volume.h"

namespace escagent::fuse {
namespace {

constexpr std::chrono::milliseconds kInitTimeout{5000};
// Against somebody who mounts as fast as we unmount.
constexpr int kMaxLayers = 1000;
constexpr std::uint64_t kMaxTmpfsSize = 64ULL << 20;

bool IsDevice(const MountInfo& mount, const DeviceNumber& device) {
  return mount.device_major == device.major && mount.device_minor == device.minor;
}

Status UnmountVolume(const std::string& path, const DeviceNumber& device) {
  ESC_ASSIGN_OR_RETURN(const std::vector<MountInfo> mounts, ReadMountInfo());
  const std::vector<MountInfo> layers = LayersAt(mounts, path);
  const bool present = std::ranges::any_of(
      layers, [&device](const MountInfo& layer) { return IsDevice(layer, device); });
  if (!present) return {};
  if (!IsDevice(layers.back(), device)) {
    return FailedPrecondition("unmount " + path +
                              ": something else is mounted on top of the volume; unmount that");
  }
  return DetachTop(path);
}

// Serves what is mounted at `path`, up to a MountedVolume.
Result<std::unique_ptr<MountedVolume>> Serve(std::shared_ptr<ServingThreads> threads,
                                             UniqueFd device, const std::string& path,
                                             const MountOptions& options,
                                             std::unique_ptr<SecretTree> tree) {
  ESC_ASSIGN_OR_RETURN(
      std::shared_ptr<Session> session,
      Session::Start(std::move(device), std::move(tree), options.cache, kInitTimeout));
  threads->ListenToOpens(*session, options.metadata);
  ESC_ASSIGN_OR_RETURN(const DeviceNumber number, MountedDevice(path));
  ESC_ASSIGN_OR_RETURN(const EventLoop::SessionId id, threads->loop->Add(session));
  FuseVolume::Host host{.rotate = {},
                        .unmount = [path, number] { return UnmountVolume(path, number); }};
  return std::make_unique<FuseVolume>(std::move(threads), std::move(session), id,
                                      "the volume at " + path, std::move(host));
}

}  // namespace

Result<std::unique_ptr<FuseMounter>> FuseMounter::Create(Options options) {
  if (options.workers < 1 || options.notifiers < 1) {
    return InvalidArgument("start FUSE: at least one worker and one notifier are needed");
  }
  ESC_RETURN_IF_ERROR(OpenFuseDevice());
  auto threads = std::make_shared<ServingThreads>();
  ESC_ASSIGN_OR_RETURN(threads->loop, EventLoop::Create(options.workers));
  threads->notifier = std::make_unique<Notifier>(options.notifiers);
  threads->publish_timeout = options.publish_timeout;
  threads->grace = options.grace;
  threads->open_listener = std::move(options.open_listener);
  return std::unique_ptr<FuseMounter>(new FuseMounter(std::move(threads)));
}

Result<std::unique_ptr<MountedVolume>> FuseMounter::Mount(const MountOptions& options,
                                                          const VolumeSpec& spec) {
  ESC_ASSIGN_OR_RETURN(const bool is_mount_point, IsMountPoint(options.mountpoint));
  ESC_ASSIGN_OR_RETURN(const bool created, CreateTarget(options.mountpoint, is_mount_point));
  ESC_ASSIGN_OR_RETURN(const std::string path, ResolveMountpoint(options.mountpoint));
  Result<std::unique_ptr<MountedVolume>> volume = options.backend == Backend::kTmpfs
                                                      ? MountTmpfsAt(path, options, spec)
                                                      : MountFuseAt(path, options, spec);
  if (!volume && created) ESC_RETURN_IF_ERROR(RemoveTarget(path));
  return volume;
}

Result<std::unique_ptr<MountedVolume>> FuseMounter::MountTmpfsAt(const std::string& path,
                                                                 const MountOptions& options,
                                                                 const VolumeSpec& spec) {
  ESC_ASSIGN_OR_RETURN(UniqueFd root, MountTmpfs(path, options, 0755, kMaxTmpfsSize));
  ESC_ASSIGN_OR_RETURN(const DeviceNumber number, MountedDevice(path));
  auto volume =
      std::make_unique<TmpfsVolume>(AtomicWriter(std::move(root)), "the volume at " + path,
                                    [path, number] { return UnmountVolume(path, number); });
  if (Status published = volume->Publish(spec); !published) {
    ESC_RETURN_IF_ERROR(volume->Unmount());
    return std::unexpected(Annotate(std::move(published).error(), "mount volume at " + path));
  }
  return volume;
}

Result<std::unique_ptr<MountedVolume>> FuseMounter::MountFuseAt(const std::string& path,
                                                                const MountOptions& options,
                                                                const VolumeSpec& spec) {
  const auto now = std::chrono::system_clock::now();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  ESC_ASSIGN_OR_RETURN(std::unique_ptr<SecretTree> tree,
                       SecretTree::Create(spec, static_cast<std::uint64_t>(seconds.count()), now));
  ESC_ASSIGN_OR_RETURN(UniqueFd device, MountFuse(path, options, spec.folder_mode));
  Result<std::unique_ptr<MountedVolume>> volume =
      Serve(threads_, std::move(device), path, options, std::move(tree));
  if (volume) return volume;
  ESC_RETURN_IF_ERROR(DetachTop(path));
  return std::unexpected(Annotate(std::move(volume).error(), "mount volume at " + path));
}

Result<bool> FuseMounter::IsMountPoint(const std::string& path) const {
  ESC_ASSIGN_OR_RETURN(const std::string resolved, ResolveMountpoint(path));
  ESC_ASSIGN_OR_RETURN(const std::vector<MountInfo> mounts, ReadMountInfo());
  return !LayersAt(mounts, resolved).empty();
}

Status FuseMounter::Remove(const std::string&, const std::string& path) {
  ESC_RETURN_IF_ERROR(UnmountAll(path));
  return RemoveTarget(path);
}

Status FuseMounter::Healthy() const {
  ESC_RETURN_IF_ERROR(OpenFuseDevice());
  return {};
}

Status FuseMounter::UnmountAll(const std::string& path) {
  ESC_ASSIGN_OR_RETURN(const std::string resolved, ResolveMountpoint(path));
  for (int unmounted = 0; unmounted < kMaxLayers;) {
    ESC_ASSIGN_OR_RETURN(const std::vector<MountInfo> mounts, ReadMountInfo());
    const std::vector<MountInfo> layers = LayersAt(mounts, resolved);
    if (layers.empty()) return {};
    for (std::size_t i = 0; i < layers.size(); ++i, ++unmounted) {
      ESC_RETURN_IF_ERROR(DetachTop(resolved));
    }
  }
  return MakeError(Code::kAborted,
                   "unmount " + resolved + ": somebody keeps mounting there; stop them first");
}

}  // namespace escagent::fuse
