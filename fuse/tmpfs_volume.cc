#include "fuse/tmpfs_volume.h"

#include <utility>

namespace escagent::fuse {

void TmpfsVolume::Gate::Enter() {
  MutexLock lock(mutex_);
  while (busy_) left_.Wait(mutex_);
  busy_ = true;
}

void TmpfsVolume::Gate::Leave() {
  MutexLock lock(mutex_);
  busy_ = false;
  left_.NotifyOne();
}

class TmpfsVolume::Turn {
 public:
  explicit Turn(Gate& gate) : gate_(gate) { gate_.Enter(); }
  ~Turn() { gate_.Leave(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Gate& gate_;
};

TmpfsVolume::TmpfsVolume(AtomicWriter writer, std::string name, std::function<Status()> unmount)
    : writer_(std::move(writer)), name_(std::move(name)), unmount_(std::move(unmount)) {}

Status TmpfsVolume::Publish(const VolumeSpec& spec) {
  const Turn turn(gate_);
  Status done = writer_.Publish(spec);
  if (done) return done;
  return std::unexpected(Annotate(std::move(done).error(), "publish to " + name_));
}

bool TmpfsVolume::Shows(const VolumeSpec& spec) const {
  const Turn turn(gate_);
  return writer_.Shows(spec);
}

std::optional<VolumeSpec> TmpfsVolume::Shown() const {
  const Turn turn(gate_);
  return writer_.Shown();
}

VolumeSize TmpfsVolume::Size() const {
  const Turn turn(gate_);
  return writer_.Size();
}

Status TmpfsVolume::Unmount() {
  if (unmounted_) return {};
  ESC_RETURN_IF_ERROR(unmount_());
  unmounted_ = true;
  return {};
}

}  // namespace escagent::fuse
