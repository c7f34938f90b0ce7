#include "fuse/fuse_volume.h"

#include <algorithm>
#include <utility>

#include "fuse/mount_info.h"

namespace escagent::fuse {
namespace {

using std::chrono::steady_clock;

bool IsDevice(const MountInfo& mount, const DeviceNumber& device) {
  return mount.device_major == device.major && mount.device_minor == device.minor;
}

}  // namespace

bool FuseVolume::Gate::Enter(steady_clock::time_point deadline) {
  MutexLock lock(mutex_);
  while (entered_count_ != left_count_) {
    if (!left_.WaitUntil(mutex_, deadline)) return false;
  }
  ++entered_count_;
  return true;
}

void FuseVolume::Gate::Leave() {
  MutexLock lock(mutex_);
  ++left_count_;
  left_.NotifyAll();
}

bool FuseVolume::Gate::WaitUntilLeft(steady_clock::time_point deadline) {
  MutexLock lock(mutex_);
  const std::uint64_t mine = entered_count_;
  while (left_count_ < mine) {
    if (!left_.WaitUntil(mutex_, deadline)) return false;
  }
  return true;
}

FuseVolume::FuseVolume(std::shared_ptr<ServingThreads> threads, std::shared_ptr<Session> session,
                       EventLoop::SessionId session_id, std::string mountpoint, DeviceNumber device)
    : threads_(std::move(threads)),
      session_(std::move(session)),
      session_id_(session_id),
      mountpoint_(std::move(mountpoint)),
      device_(device) {}

FuseVolume::~FuseVolume() {
  // After Unmount the loop serves on until the last open file is closed.
  if (!unmounted_) threads_->loop->Remove(session_id_);
}

Status FuseVolume::Publish(const VolumeSpec& spec) {
  const auto deadline = steady_clock::now() + threads_->publish_timeout;
  const auto late = [this] {
    return MakeError(Code::kDeadlineExceeded,
                     "publish to the volume at " + mountpoint_ +
                         ": the kernel did not take the change in time; it shows when its caches "
                         "expire");
  };
  if (!gate_->Enter(deadline)) return late();

  Result<std::optional<Rotation>> rotation =
      session_->Tree().Publish(spec, std::chrono::system_clock::now());
  if (!rotation || !*rotation) {
    gate_->Leave();
    if (!rotation) {
      return std::unexpected(
          Annotate(std::move(rotation).error(), "publish to the volume at " + mountpoint_));
    }
    return {};
  }
  const bool is_full = session_->Cache() == CacheProfile::kFull;
  const std::uint64_t number = (*rotation)->current->Number();
  threads_->notifier->Post(steady_clock::now(), [session = session_, gate = gate_,
                                                 made = **std::move(rotation), is_full, number] {
    session->Announce(made);
    if (!is_full) session->Settle(number);
    gate->Leave();
  });
  // Weak: a connection whose volume is gone must not be kept open until then.
  threads_->notifier->Post(steady_clock::now() + threads_->grace,
                           [weak = std::weak_ptr<Session>(session_), is_full, number] {
                             const std::shared_ptr<Session> session = weak.lock();
                             if (session == nullptr) return;
                             // In full nobody tells us of open files: until now, who was reading
                             // one had time to finish.
                             if (is_full) session->Settle(number);
                             session->Tree().Expire(number);
                           });
  if (!gate_->WaitUntilLeft(deadline)) return late();
  return {};
}

Status FuseVolume::Unmount() {
  if (unmounted_) return {};
  ESC_ASSIGN_OR_RETURN(const std::vector<MountInfo> mounts, ReadMountInfo());
  const std::vector<MountInfo> layers = LayersAt(mounts, mountpoint_);
  const bool present = std::ranges::any_of(
      layers, [this](const MountInfo& layer) { return IsDevice(layer, device_); });
  if (present) {
    if (!IsDevice(layers.back(), device_)) {
      return FailedPrecondition("unmount " + mountpoint_ +
                                ": something else is mounted on top of the volume; unmount that");
    }
    ESC_RETURN_IF_ERROR(DetachTop(mountpoint_));
  }
  unmounted_ = true;
  return {};
}

}  // namespace escagent::fuse
