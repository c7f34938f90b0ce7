#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <thread>

#include "tests/component/keeper/keeper_fixture.h"

namespace escagent::keeper {
namespace {

using ::escagent::testing::WaitFor;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class Rotation : public KeeperTest {
 protected:
  Rotation() : target_(NewTarget("pod-1")) {
    StartKeeper();
    agent_ = NewAgent();
    auto mounted = agent_->Mount(target_, 0755, "");
    EXPECT_TRUE(mounted);
    device_ = std::move(mounted->device);
  }

  KeptVolume Kept() const {
    auto volumes = agent_->ListVolumes();
    EXPECT_TRUE(volumes && volumes->size() == 1);
    return std::move(volumes->front());
  }

  Target target_;
  std::unique_ptr<KeeperClient> agent_;
  UniqueFd device_;
};

TEST_F(Rotation, ChangesTheTreeAsAnAtomicWriterDoes) {
  RawFuse server(DupOf(device_), "value");
  server.Add("..1", S_IFDIR | 0755);
  for (const char* const path :
       {"..1/a", "..1/gone", "gone", "..2/a", "..2/a key", "..2/folder/x"}) {
    server.Add(path);
  }
  server.Add("..1/folder", S_IFDIR | 0755);
  server.Add("..1/folder/y");
  server.Add("..2/folder", S_IFDIR | 0755);
  EXPECT_EQ(Kept().rotated, 0U);
  ASSERT_TRUE(agent_->Rotate(target_.volume, 1, 2, kDeadline));
  ASSERT_TRUE(WaitFor([&] { return Children(keeper_->pid()) == 0; }, kDeadline));
  std::vector<std::string> changes = server.Changes();
  ASSERT_EQ(changes.size(), 10U) << ::testing::PrintToString(changes);
  // What decides comes first, and watchers of old files wake up when everything is there.
  EXPECT_EQ(changes[0], "MKDIR ..2");
  EXPECT_EQ(changes[1], "SYMLINK ..data_tmp ..2");
  EXPECT_EQ(changes[2], "RENAME ..data_tmp ..data");
  std::sort(changes.begin() + 3, changes.begin() + 6);
  EXPECT_EQ(changes[3], "SYMLINK a ..data/a");
  EXPECT_EQ(changes[4], "SYMLINK a key ..data/a key");
  EXPECT_EQ(changes[5], "SYMLINK folder ..data/folder");
  EXPECT_EQ(changes[6], "UNLINK gone");
  EXPECT_THAT(std::vector<std::string>(changes.begin() + 7, changes.end()),
              UnorderedElementsAre("SETATTR ..1/a", "SETATTR ..1/gone", "SETATTR ..1/folder/y"));
  EXPECT_EQ(Kept().rotated, 2U);
}

TEST_F(Rotation, IsSeenByWatchers) {
  RawFuse server(DupOf(device_), "value");
  server.Add("..1", S_IFDIR | 0755);
  server.Add("..1/a");
  const UniqueFd watcher(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  const int folder = inotify_add_watch(watcher.Get(), MountOf(target_).c_str(), IN_ALL_EVENTS);
  const int file =
      inotify_add_watch(watcher.Get(), (MountOf(target_) + "/..1/a").c_str(), IN_ATTRIB);
  ASSERT_TRUE(folder >= 0 && file >= 0);
  ASSERT_TRUE(agent_->Rotate(target_.volume, 1, 2, kDeadline));
  std::array<char, 4096> events;
  const ssize_t size = read(watcher.Get(), events.data(), events.size());
  bool moved = false;
  bool touched = false;
  for (ssize_t at = 0; at < size;) {
    const auto* const event = reinterpret_cast<const inotify_event*>(events.data() + at);
    moved = moved || (event->wd == folder && (event->mask & IN_MOVED_TO) != 0 &&
                      std::string(event->name) == "..data");
    touched = touched || (event->wd == file && (event->mask & IN_ATTRIB) != 0);
    at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
  }
  EXPECT_TRUE(moved);
  EXPECT_TRUE(touched);
}

TEST_F(Rotation, MayFindPartOfItDone) {
  RawFuse server(DupOf(device_), "value");
  server.Add("..2", S_IFDIR | 0755);
  server.Add("..2/a");
  server.Add("..data_tmp", S_IFLNK | 0777);
  server.Add("a", S_IFLNK | 0777);
  ASSERT_TRUE(agent_->Rotate(target_.volume, 0, 2, kDeadline));
  EXPECT_THAT(server.Changes(), ElementsAre("UNLINK ..data_tmp", "SYMLINK ..data_tmp ..2",
                                            "RENAME ..data_tmp ..data"));
}

TEST_F(Rotation, ReportsWhatTheServerSaid) {
  RawFuse server(DupOf(device_), "value");
  server.RefuseChanges();
  EXPECT_FALSE(agent_->Rotate(target_.volume, 1, 2, kDeadline));
  EXPECT_EQ(Kept().rotated, 0U);
  const auto unknown = agent_->Rotate("unknown", 1, 2, kDeadline);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kNotFound);
  EXPECT_FALSE(agent_->Rotate(target_.volume, 1, 0, kDeadline)) << "to nothing";
  const Target memory = NewTarget("pod-2");
  ASSERT_TRUE(agent_->MountTmpfs(memory, 0755, 4096, 0, 0, ""));
  EXPECT_FALSE(agent_->Rotate(memory.volume, 0, 1, kDeadline));
}

TEST_F(Rotation, ServesOthersWhileTheServerDoesNotAnswer) {
  const auto late = agent_->Rotate(target_.volume, 0, 2, std::chrono::milliseconds(50));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kDeadlineExceeded);
  EXPECT_TRUE(Kept().rotating);
  const auto other = agent_->Rotate(target_.volume, 0, 3, std::chrono::milliseconds(50));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kUnavailable);
  const Target second = NewTarget("pod-2");
  auto mounted = agent_->Mount(second, 0755, "");
  ASSERT_TRUE(mounted);
  {
    const RawFuse server(std::move(mounted->device), "value");
    ASSERT_TRUE(agent_->Rotate(second.volume, 0, 9, kDeadline));
    EXPECT_EQ(server.LinkOf("..data"), "..9");
  }
  ASSERT_TRUE(agent_->Unmount(second));
  // A successor takes the connection from the keeper, answers, and takes the reply over.
  agent_.reset();
  device_.Reset();
  agent_ = NewAgent();
  const RawFuse server(std::move(Kept().device), "value");
  ASSERT_TRUE(agent_->Rotate(target_.volume, 0, 2, kDeadline));
  EXPECT_EQ(server.LinkOf("..data"), "..2");
  EXPECT_EQ(Kept().rotated, 2U);
  EXPECT_FALSE(Kept().rotating);
}

TEST_F(Rotation, GoesOnWithASuccessorWhereTheServerDied) {
  {
    RawFuse server(DupOf(device_), "value");
    server.HangAt("RENAME");
    EXPECT_FALSE(agent_->Rotate(target_.volume, 0, 2, std::chrono::milliseconds(200)));
    EXPECT_THAT(server.Changes(), ElementsAre("MKDIR ..2", "SYMLINK ..data_tmp ..2"));
  }
  agent_.reset();
  device_.Reset();
  agent_ = NewAgent();
  RawFuse server(std::move(Kept().device), "value");
  server.Add("..2", S_IFDIR | 0755);
  server.Add("..data_tmp", S_IFLNK | 0777);
  server.Resend();
  const auto rotated = agent_->Rotate(target_.volume, 0, 2, kDeadline);
  EXPECT_TRUE(rotated) << rotated.error().ToString();
  EXPECT_THAT(server.Changes(), ElementsAre("RENAME ..data_tmp ..data"));
}

// Nobody answers: the process is killed, and who waits for it is told.
TEST_F(Rotation, EndsWithItsVolume) {
  Status rotated;
  std::jthread waits([&] { rotated = agent_->Rotate(target_.volume, 0, 2, kDeadline); });
  ASSERT_TRUE(WaitFor([&] { return Children(keeper_->pid()) == 1; }, kDeadline));
  ASSERT_TRUE(agent_->Unmount(target_));
  waits.join();
  ASSERT_FALSE(rotated);
  EXPECT_EQ(rotated.error().code, Code::kAborted);
  EXPECT_EQ(Children(keeper_->pid()), 0U);
  EXPECT_TRUE(MountsBelow(Kubelet()).empty());
}

// The agent is dead and has read a change without answering it: nothing wakes the process but the
// end of the connection, whose other end the keeper has.
TEST_F(Rotation, AKeeperThatIsKilledTakesItAlong) {
  {
    RawFuse server(DupOf(device_), "value");
    server.HangAt("MKDIR");
    EXPECT_FALSE(agent_->Rotate(target_.volume, 0, 2, std::chrono::milliseconds(200)));
  }
  ASSERT_EQ(Children(keeper_->pid()), 1U);
  agent_.reset();
  device_.Reset();
  keeper_->Signal(SIGKILL);
  EXPECT_EQ(keeper_->Wait(kDeadline), 128 + SIGKILL);
  EXPECT_TRUE(WaitFor(
      [&] { return ReadOrErrno(MountOf(target_) + "/key") == "errno " + std::to_string(ENOTCONN); },
      kDeadline));
  keeper_.reset();
}

TEST_F(Rotation, AtMostSixtyFourAtATime) {
  agent_.reset();
  const UniqueFd raw = RawAgent();
  Message mount = NewMessage(Verb::kMount);
  mount.numbers[0] = 0755;
  Message rotate = NewMessage(Verb::kRotate);
  rotate.numbers[1] = 2;
  for (unsigned i = 0; i <= kMaxRotations; ++i) {
    const Target target = NewTarget("many-" + std::to_string(i));
    target.volume.copy(mount.ids.volume, sizeof mount.ids.volume - 1);
    target.pod_uid.copy(mount.ids.pod_uid, sizeof mount.ids.pod_uid - 1);
    target.volume_name.copy(mount.ids.volume_name, sizeof mount.ids.volume_name - 1);
    ASSERT_EQ(Ask(raw, mount), 0) << i;
    rotate.ids = mount.ids;
    if (i < kMaxRotations) {
      ASSERT_EQ(Send(raw.Get(), {rotate, {}}, 0), 0);
    }
  }
  EXPECT_EQ(Ask(raw, rotate), EBUSY);
  EXPECT_EQ(Children(keeper_->pid()), kMaxRotations);
}

}  // namespace
}  // namespace escagent::keeper
