#pragma once

#include <fcntl.h>
#include <sys/mount.h>

#include <chrono>
#include <ctime>
#include <memory>
#include <string>
#include <utility>

#include "fuse/event_loop.h"
#include "fuse/session.h"
#include "fuse/tree_codec.h"
#include "tests/component/fuse/mount_fixture.h"
#include "tests/component/fuse/rename_helper.h"

namespace escagent::fuse {

// A volume whose rotations a helper makes, served by this process, for each cache profile.
class RenameTest : public MountTest, public ::testing::WithParamInterface<CacheProfile> {
 protected:
  static constexpr EventLoop::SessionId kSessionId = 7;

  RenameTest() : pod_(NewFolder("volume")), mounts_(MountTwice(pod_)) {}
  ~RenameTest() override { umount2(pod_.c_str(), MNT_DETACH); }

  void Start(const VolumeSpec& spec) {
    const auto number = static_cast<std::uint64_t>(time(nullptr));
    session_ = *Session::Start(UniqueFd(fcntl(mounts_.device.Get(), F_DUPFD_CLOEXEC, 0)),
                               *SecretTree::Create(spec, number, std::chrono::system_clock::now()),
                               GetParam(), kDeadline);
    ASSERT_TRUE(loop_->Add(session_, kSessionId));
  }

  // Another process goes on with what it can know, and nothing else.
  void TakeOver() {
    const UniqueFd state =
        *EncodeTree({.tree = Tree().Save(), .cache = GetParam(), .init = session_->Init()});
    loop_->Remove(kSessionId);
    SavedVolume saved = *DecodeTree(state);
    session_ =
        *Session::Resume(UniqueFd(fcntl(mounts_.device.Get(), F_DUPFD_CLOEXEC, 0)),
                         *SecretTree::Restore(std::move(saved.tree)), GetParam(), saved.init);
    ASSERT_TRUE(loop_->Add(session_, kSessionId));
  }

  SecretTree& Tree() const { return session_->Tree(); }
  Rotation Prepare(const VolumeSpec& spec) const {
    return **Tree().Prepare(spec, std::chrono::system_clock::now());
  }
  RenameHelper HelperFor(const Rotation& rotation) const {
    return {mounts_.root.Get(), rotation.previous->Number(), rotation.current->Number()};
  }
  // What the agent does when the helper is done, but for giving up what is old.
  void Finish(const Rotation& rotation) const {
    Tree().FinishRotation();
    session_->Settle(rotation.current->Number());
  }
  Rotation Rotate(const VolumeSpec& spec) const {
    const Rotation rotation = Prepare(spec);
    EXPECT_EQ(HelperFor(rotation).Run(), 0);
    Finish(rotation);
    return rotation;
  }

  std::string Path(const std::string& name) const { return pod_ + "/" + name; }

  const std::string pod_;
  MountPair mounts_;
  std::shared_ptr<Session> session_;
  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Create(2);
};

}  // namespace escagent::fuse
