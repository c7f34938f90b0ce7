#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <new>

#include "tests/component/keeper/keeper_fixture.h"

namespace escagent::keeper {
namespace {

using ::escagent::testing::WaitFor;

class KeeperMount : public KeeperTest {
 protected:
  KeeperMount() {
    StartKeeper();
    agent_ = NewAgent();
  }
  std::unique_ptr<KeeperClient> agent_;
};

TEST_F(KeeperMount, ShowsAReadOnlyMountThatTheAgentServes) {
  const Target target = NewTarget("pod-1");
  auto mounted = agent_->Mount(target, 0755, "");
  ASSERT_TRUE(mounted) << mounted.error().ToString();
  EXPECT_FALSE(mounted->existed);
  EXPECT_EQ(mounted->device_number, DeviceAt(MountOf(target)));
  const RawFuse server(std::move(mounted->device), "value");

  EXPECT_EQ(ReadOrErrno(MountOf(target) + "/key"), "value");
  EXPECT_EQ(mkdir((MountOf(target) + "/new").c_str(), 0755), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_TRUE(server.Changes().empty());
  const std::string mounts = testing::ReadAll("/proc/self/mountinfo");
  const std::size_t line = mounts.find(MountOf(target));
  const std::string options = mounts.substr(line, mounts.find('\n', line) - line);
  EXPECT_TRUE(options.contains(" ro,nosuid,nodev,noexec")) << options;
  EXPECT_TRUE(
      options.contains("fuse.esc-agent esc-agent rw,user_id=0,group_id=0,"
                       "default_permissions,allow_other"))
      << options;
}

TEST_F(KeeperMount, UnmountsWithNobodyServing) {
  const Target target = NewTarget("pod-1");
  auto mounted = agent_->Mount(target, 0755, "");
  ASSERT_TRUE(mounted);
  ASSERT_TRUE(agent_->Unmount(target));
  EXPECT_TRUE(MountsBelow(Kubelet()).empty());
  EXPECT_FALSE(std::filesystem::exists(MountOf(target)));
  EXPECT_TRUE(agent_->ListVolumes()->empty());
  EXPECT_TRUE(agent_->Unmount(target)) << "nothing is there: that is what was wanted";
  const RawFuse server(std::move(mounted->device), "value");
  EXPECT_TRUE(WaitFor([&] { return server.Ended(); }, kDeadline)) << "the keeper let go of it";
}

TEST_F(KeeperMount, UnmountsByTheVolumesNameAlone) {
  const Target target = NewTarget("pod-1");
  ASSERT_TRUE(agent_->Mount(target, 0755, ""));
  ASSERT_TRUE(agent_->Unmount({.volume = target.volume, .pod_uid = "", .volume_name = ""}));
  EXPECT_TRUE(MountsBelow(Kubelet()).empty());
}

TEST_F(KeeperMount, MountsOnceWhenAskedTwice) {
  const Target target = NewTarget("pod-1");
  auto first = agent_->Mount(target, 0755, "");
  ASSERT_TRUE(first);
  const RawFuse server(std::move(first->device), "value");
  const auto second = agent_->Mount(target, 0755, "");
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->existed);
  EXPECT_EQ(second->device_number, first->device_number);
  EXPECT_EQ(MountsBelow(Kubelet()).size(), 1U);
}

TEST_F(KeeperMount, MountsTheSameConnectionAgainAfterSomebodyUnmountedIt) {
  const Target target = NewTarget("pod-1");
  auto first = agent_->Mount(target, 0755, "");
  ASSERT_TRUE(first);
  const RawFuse server(std::move(first->device), "value", agent_->RotatorThread());
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(umount2(MountOf(target).c_str(), MNT_DETACH), 0);
    const auto again = agent_->Mount(target, 0755, "");
    ASSERT_TRUE(again) << again.error().ToString();
    EXPECT_TRUE(again->existed);
    EXPECT_EQ(ReadOrErrno(MountOf(target) + "/key"), "value");
    EXPECT_EQ(mkdir((MountOf(target) + "/new").c_str(), 0755), -1);
    EXPECT_EQ(errno, EROFS);
  }
  ASSERT_TRUE(agent_->Rotate({.volume = target.volume,
                              .old_generation = 0,
                              .new_generation = 5,
                              .added_keys = {},
                              .removed_keys = {}},
                             kDeadline));
  EXPECT_EQ(server.LinkOf("..data"), "..5");
}

TEST_F(KeeperMount, StacksAFreshConnectionOnADeadOne) {
  const Target target = NewTarget("pod-1");
  ASSERT_TRUE(agent_->Mount(target, 0755, ""));
  auto fresh = agent_->Mount(target, 0755, "", /*fresh=*/true);
  ASSERT_TRUE(fresh);
  EXPECT_FALSE(fresh->existed);
  EXPECT_EQ(MountsBelow(Kubelet()).size(), 2U);
  const RawFuse server(std::move(fresh->device), "new");
  EXPECT_EQ(ReadOrErrno(MountOf(target) + "/key"), "new");
  ASSERT_TRUE(agent_->Unmount(target));
  EXPECT_TRUE(MountsBelow(Kubelet()).empty());
}

TEST_F(KeeperMount, LeavesMountsOfOthersAlone) {
  const Target target = NewTarget("pod-1");
  std::filesystem::create_directories(MountOf(target));
  ASSERT_EQ(mount("other", MountOf(target).c_str(), "tmpfs", 0, nullptr), 0);
  const auto unmounted = agent_->Unmount(target);
  ASSERT_FALSE(unmounted);
  EXPECT_EQ(unmounted.error().code, Code::kUnavailable);
  EXPECT_EQ(MountsBelow(Kubelet()).size(), 1U);
  // On top of it is allowed, and taken off again.
  ASSERT_TRUE(agent_->Mount(target, 0755, ""));
  EXPECT_FALSE(agent_->Unmount(target));
  EXPECT_EQ(MountsBelow(Kubelet()).size(), 1U);
}

TEST_F(KeeperMount, FailsWithoutAFolderAndLeavesNothing) {
  const Target missing{.volume = "csi-1", .pod_uid = "nobody", .volume_name = "secrets"};
  const auto mounted = agent_->Mount(missing, 0755, "");
  ASSERT_FALSE(mounted);
  EXPECT_EQ(mounted.error().code, Code::kNotFound);
  const Target labelled = NewTarget("pod-1");
  EXPECT_FALSE(agent_->Mount(labelled, 0755, "no:such:lsm:here"));
  EXPECT_FALSE(std::filesystem::exists(MountOf(labelled)));
  EXPECT_TRUE(agent_->ListVolumes()->empty());
}

TEST_F(KeeperMount, RotatesThroughTheMountSoThatWatchersSeeIt) {
  const Target target = NewTarget("pod-1");
  auto mounted = agent_->Mount(target, 0755, "");
  ASSERT_TRUE(mounted);
  const RawFuse server(std::move(mounted->device), "value", agent_->RotatorThread());
  const UniqueFd watcher(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  ASSERT_GE(inotify_add_watch(watcher.Get(), MountOf(target).c_str(), IN_ALL_EVENTS), 0);

  const auto rotated = agent_->Rotate({.volume = target.volume,
                                       .old_generation = 1,
                                       .new_generation = 2,
                                       .added_keys = {"a key", "b"},
                                       .removed_keys = {"c"}},
                                      kDeadline);
  ASSERT_TRUE(rotated) << rotated.error().ToString();
  const std::vector<std::string> expected = {"MKDIR ..2", "SYMLINK ..data_tmp ..2",
                                             "RENAME ..data_tmp ..data",
                                             "SYMLINK a key ..data/a key", "SYMLINK b ..data/b"};
  EXPECT_EQ(server.Changes(), expected) << "c and ..1 never were: nothing to remove";

  std::array<char, 4096> events;
  const ssize_t size = read(watcher.Get(), events.data(), events.size());
  bool moved = false;
  for (ssize_t at = 0; at < size;) {
    const auto* const event = reinterpret_cast<const inotify_event*>(events.data() + at);
    moved = moved || ((event->mask & IN_MOVED_TO) != 0 && std::string(event->name) == "..data");
    at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
  }
  EXPECT_TRUE(moved);

  ASSERT_TRUE(agent_->Rotate({.volume = target.volume,
                              .old_generation = 2,
                              .new_generation = 3,
                              .added_keys = {},
                              .removed_keys = {"b"}},
                             kDeadline));
  const std::vector<std::string> changes = server.Changes();
  EXPECT_EQ(changes[changes.size() - 2], "UNLINK b");
  EXPECT_EQ(changes.back(), "RMDIR ..2");
}

TEST_F(KeeperMount, ReportsWhatTheServerSaidToARotation) {
  const Target target = NewTarget("pod-1");
  auto mounted = agent_->Mount(target, 0755, "");
  ASSERT_TRUE(mounted);
  RawFuse server(std::move(mounted->device), "value");
  server.RefuseChanges();
  const KeeperClient::Rotation rotation{.volume = target.volume,
                                        .old_generation = 1,
                                        .new_generation = 2,
                                        .added_keys = {"a"},
                                        .removed_keys = {}};
  EXPECT_FALSE(agent_->Rotate(rotation, kDeadline));
  KeeperClient::Rotation bad = rotation;
  for (const char* const key : {"..data", "..", ".", "", "a/b"}) {
    bad.added_keys = {key};
    EXPECT_FALSE(agent_->Rotate(bad, kDeadline)) << key;
  }
  bad = rotation;
  bad.volume = "unknown";
  const auto unknown = agent_->Rotate(bad, kDeadline);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kNotFound);
}

TEST_F(KeeperMount, ServesOthersWhileARotationWaitsForItsServer) {
  const Target hung = NewTarget("pod-1");
  const Target other = NewTarget("pod-2");
  auto mounted = agent_->Mount(hung, 0755, "");
  ASSERT_TRUE(mounted);
  const KeeperClient::Rotation rotation{.volume = hung.volume,
                                        .old_generation = 0,
                                        .new_generation = 2,
                                        .added_keys = {},
                                        .removed_keys = {}};
  // Nobody answers.
  const auto late = agent_->Rotate(rotation, std::chrono::milliseconds(50));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kDeadlineExceeded);
  const auto twice = agent_->Rotate(rotation, std::chrono::milliseconds(50));
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, Code::kUnavailable);
  ASSERT_TRUE(agent_->Mount(other, 0755, ""));
  auto volumes = agent_->ListVolumes();
  ASSERT_TRUE(volumes);
  EXPECT_TRUE((*volumes)[0].rotating);
  EXPECT_FALSE((*volumes)[1].rotating);
  // A successor, which takes the connection from the keeper, answers the rotator.
  agent_.reset();
  mounted->device.Reset();
  agent_ = NewAgent();
  volumes = agent_->ListVolumes();
  ASSERT_EQ(volumes->size(), 2U);
  const RawFuse server(std::move((*volumes)[0].device), "value", agent_->RotatorThread());
  EXPECT_TRUE(WaitFor([&] { return server.LinkOf("..data") == "..2"; }, kDeadline));
  EXPECT_TRUE(WaitFor([&] { return !(*agent_->ListVolumes())[0].rotating; }, kDeadline));
}

// A reader in a loop never sees an error though the servers die one after the other.
TEST_F(KeeperMount, ReadersSurviveTheDeathOfTheServersProcess) {
  if (kSanitized) GTEST_SKIP() << "TSan has no threads after a fork";
  const Target target = NewTarget("pod-1");
  auto mounted = agent_->Mount(target, 0755, "");
  ASSERT_TRUE(mounted);
  mounted->device.Reset();
  // A process of its own, so that no server inherits an open file of its own mount.
  struct Shared {
    std::atomic<bool> stop = false;
    std::atomic<int> reads = 0;
    std::atomic<int> failures = 0;
  };
  void* const memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* const shared = new (memory) Shared;
  const pid_t reader = fork();
  if (reader == 0) {
    while (!shared->stop) {
      ++(ReadOrErrno(MountOf(target) + "/key") == "value" ? shared->reads : shared->failures);
    }
    _exit(0);
  }
  for (int round = 0; round < 10; ++round) {
    auto volumes = agent_->ListVolumes();
    ASSERT_EQ(volumes->size(), 1U);
    const pid_t child = fork();
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      RawFuse server(std::move((*volumes)[0].device), "value");
      server.Resend();
      while (true) pause();
    }
    (*volumes)[0].device.Reset();
    const int before = shared->reads;
    EXPECT_TRUE(WaitFor([&] { return shared->reads > before + 20; }, kDeadline));
    if (round == 9) {
      shared->stop = true;
      waitpid(reader, nullptr, 0);
    }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  EXPECT_EQ(shared->failures, 0);
  munmap(memory, sizeof(Shared));
}

TEST_F(KeeperMount, GivesAWritableTmpfsToTheAgentOnly) {
  const Target target = NewTarget("pod-1");
  const auto mounted = agent_->MountTmpfs(target, 0755, 1U << 20, 1234, 2345, "");
  ASSERT_TRUE(mounted) << mounted.error().ToString();
  const UniqueFd file(openat(mounted->root.Get(), "key", O_CREAT | O_WRONLY | O_CLOEXEC, 0640));
  ASSERT_TRUE(file) << errno;
  ASSERT_EQ(write(file.Get(), "value", 5), 5);
  EXPECT_EQ(ReadOrErrno(MountOf(target) + "/key"), "value");
  EXPECT_EQ(open((MountOf(target) + "/new").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600), -1);
  EXPECT_EQ(errno, EROFS);

  struct statfs size = {};
  ASSERT_EQ(statfs(MountOf(target).c_str(), &size), 0);
  EXPECT_EQ(static_cast<std::uint64_t>(size.f_bsize) * size.f_blocks, 1U << 20);
  struct stat root = {};
  ASSERT_EQ(stat(MountOf(target).c_str(), &root), 0);
  EXPECT_EQ(root.st_uid, 1234U);
  EXPECT_EQ(root.st_gid, 2345U);
  EXPECT_EQ(root.st_mode & 07777, 0755U);

  ASSERT_TRUE(agent_->Chown(target.volume, "key", 7, 8));
  struct stat given = {};
  ASSERT_EQ(fstat(file.Get(), &given), 0);
  EXPECT_EQ(given.st_uid, 7U);
  EXPECT_EQ(given.st_gid, 8U);
  EXPECT_TRUE((*agent_->ListVolumes())[0].tmpfs);
  ASSERT_TRUE(agent_->Unmount(target));
  EXPECT_TRUE(MountsBelow(Kubelet()).empty());
}

TEST_F(KeeperMount, GivesOnlyFilesOfTheVolumeAway) {
  const Target target = NewTarget("pod-1");
  ASSERT_TRUE(agent_->MountTmpfs(target, 0755, 1U << 20, 0, 0, ""));
  const auto mounted = agent_->MountTmpfs(target, 0755, 1U << 20, 0, 0, "");
  ASSERT_TRUE(mounted);
  EXPECT_TRUE(mounted->existed);
  const std::string path = Folder() + "/mine";
  testing::WriteAll(path, "x");
  const int root = mounted->root.Get();
  ASSERT_EQ(symlinkat(path.c_str(), root, "link"), 0);
  ASSERT_EQ(symlinkat("/", root, "up"), 0);
  ASSERT_EQ(mkdirat(root, "folder", 0755), 0);
  ASSERT_TRUE(agent_->Chown(target.volume, "folder", 7, 8));
  EXPECT_FALSE(agent_->Chown(target.volume, path, 7, 8));
  EXPECT_FALSE(agent_->Chown(target.volume, "up" + path, 7, 8));
  EXPECT_FALSE(agent_->Chown(target.volume, "../mine", 7, 8));
  EXPECT_FALSE(agent_->Chown(target.volume, "folder/../../mine", 7, 8));
  EXPECT_FALSE(agent_->Chown(target.volume, "", 7, 8));
  EXPECT_FALSE(agent_->Chown(target.volume, "absent", 7, 8));
  static_cast<void>(agent_->Chown(target.volume, "link", 7, 8));  // the link itself
  struct stat found = {};
  ASSERT_EQ(stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_uid, 0U);
  const Target fuse = NewTarget("pod-2");
  ASSERT_TRUE(agent_->Mount(fuse, 0755, ""));
  EXPECT_FALSE(agent_->Chown(fuse.volume, "key", 7, 8));
}

TEST_F(KeeperMount, ListsMountsThatBelongToNoVolume) {
  const Target kept = NewTarget("pod-1");
  ASSERT_TRUE(agent_->Mount(kept, 0755, ""));
  const Target lost = NewTarget("pod-2");
  ASSERT_TRUE(agent_->Mount(lost, 0755, ""));
  EXPECT_TRUE(agent_->ListStale()->empty());
  // The keeper dies: whatever it had is stale for the next one.
  agent_.reset();
  keeper_.reset();
  StartKeeper();
  agent_ = NewAgent();
  const auto stale = agent_->ListStale();
  ASSERT_TRUE(stale);
  ASSERT_EQ(stale->size(), 2U);
  EXPECT_EQ((*stale)[1].pod_uid, "pod-2");
  EXPECT_EQ(ReadOrErrno(MountOf(lost) + "/key"), "errno " + std::to_string(ENOTCONN));
  auto fresh = agent_->Mount(kept, 0755, "");
  ASSERT_TRUE(fresh);
  const RawFuse server(std::move(fresh->device), "value");
  EXPECT_EQ(ReadOrErrno(MountOf(kept) + "/key"), "value") << "stacked on the dead one";
  const auto left = agent_->ListStale();
  ASSERT_EQ(left->size(), 1U);
  ASSERT_TRUE(agent_->Unmount(left->front()));
  EXPECT_EQ(MountsBelow(Kubelet() + "/pods/pod-2").size(), 0U);
  EXPECT_EQ(MountsBelow(Kubelet() + "/pods/pod-1").size(), 2U);
  ASSERT_TRUE(agent_->Unmount(kept));
  EXPECT_TRUE(MountsBelow(Kubelet()).empty());
}

}  // namespace
}  // namespace escagent::keeper
