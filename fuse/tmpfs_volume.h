#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "base/mutex.h"
#include "base/result.h"
#include "fuse/atomic_writer.h"
#include "fuse/volume.h"

namespace escagent::fuse {

// The MountedVolume over a tmpfs (Backend::kTmpfs). Nobody serves it: it goes on showing what was
// published last when this object, or the process, is gone. Thread-safe; all calls but Unmount and
// Healthy wait for a Publish that is under way.
class TmpfsVolume final : public MountedVolume {
 public:
  // `name` is for messages ("the volume at /x"). `unmount` is of whoever mounted it; it may be
  // called on any thread, again after an error, and not any more after it said OK.
  TmpfsVolume(AtomicWriter writer, std::string name, std::function<Status()> unmount);
  TmpfsVolume(const TmpfsVolume&) = delete;
  TmpfsVolume& operator=(const TmpfsVolume&) = delete;

  // The errors of AtomicWriter::Publish.
  Status Publish(const VolumeSpec& spec) override;
  bool Shows(const VolumeSpec& spec) const override;
  std::optional<VolumeSpec> Shown() const override;
  VolumeSize Size() const override;
  Status Unmount() override;
  // There is nothing that could die. Whether it is still mounted is not looked at.
  bool Healthy() const override { return true; }

 private:
  // Lets one at a time use the writer, without a mutex that is held over its system calls.
  class Gate {
   public:
    void Enter();
    void Leave();

   private:
    Mutex mutex_;
    CondVar left_;
    bool busy_ GUARDED_BY(mutex_) = false;
  };
  class Turn;

  mutable Gate gate_;
  AtomicWriter writer_;  // by who entered the gate
  const std::string name_;
  const std::function<Status()> unmount_;
  std::atomic<bool> unmounted_{false};
};

}  // namespace escagent::fuse
