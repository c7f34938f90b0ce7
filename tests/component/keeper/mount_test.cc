#include <fcntl.h>
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

TEST_F(KeeperMount, SaysHowToUseIt) {
  const std::string program = "/proc/" + std::to_string(keeper_->pid()) + "/exe";
  const auto run = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(), program);
    testing::Process process(flags, {}, Folder() + "/usage");
    const int code = process.Wait(kDeadline);
    return std::to_string(code) + (process.Out() + process.Err()).substr(0, 10);
  };
  EXPECT_EQ(run({"--help"}), "0esc-keeper");
  EXPECT_EQ(run({"--socket", "/x"}), "2esc-keeper");
  EXPECT_EQ(run({"--socket=/x", "--kubelet-dir=/y", "z"}), "2esc-keeper");
  EXPECT_EQ(run({"--socket=/x", "--kubelet-dir=/y", "--agent-uid=joe"}), "2esc-keeper");
  EXPECT_EQ(run({"--socket=/x", "--kubelet-dir=/absent"}).substr(0, 1), "1");
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
  const RawFuse server(std::move(first->device), "value");
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(umount2(MountOf(target).c_str(), MNT_DETACH), 0);
    const auto again = agent_->Mount(target, 0755, "");
    ASSERT_TRUE(again) << again.error().ToString();
    EXPECT_TRUE(again->existed);
    EXPECT_EQ(ReadOrErrno(MountOf(target) + "/key"), "value");
    EXPECT_EQ(mkdir((MountOf(target) + "/new").c_str(), 0755), -1);
    EXPECT_EQ(errno, EROFS);
  }
  ASSERT_TRUE(agent_->Rotate(target.volume, 0, 5, kDeadline));
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

TEST_F(KeeperMount, ProbesWhatIsMounted) {
  const Target target = NewTarget("pod-1");
  EXPECT_FALSE(*agent_->Probe(target));
  EXPECT_FALSE(*agent_->Probe({.volume = "", .pod_uid = "nobody", .volume_name = "secrets"}));
  EXPECT_FALSE(agent_->Probe({.volume = "", .pod_uid = "", .volume_name = "secrets"}));
  ASSERT_TRUE(agent_->Mount(target, 0755, ""));
  EXPECT_TRUE(*agent_->Probe(target));
  EXPECT_FALSE((*agent_->ListVolumes())[0].gone);
  ASSERT_EQ(umount2(MountOf(target).c_str(), MNT_DETACH), 0);
  EXPECT_FALSE(*agent_->Probe(target));
  EXPECT_TRUE((*agent_->ListVolumes())[0].gone);
  ASSERT_EQ(mount("other", MountOf(target).c_str(), "tmpfs", 0, nullptr), 0);
  EXPECT_TRUE(*agent_->Probe(target));
  EXPECT_TRUE((*agent_->ListVolumes())[0].gone) << "something else is there";
  ASSERT_EQ(umount2(MountOf(target).c_str(), MNT_DETACH), 0);
}

// As `umount -f` does.
TEST_F(KeeperMount, MountsAfreshWhatSomebodyAborted) {
  const Target target = NewTarget("pod-1");
  ASSERT_TRUE(agent_->Mount(target, 0755, ""));
  EXPECT_TRUE(umount2(MountOf(target).c_str(), MNT_FORCE) == 0 || errno == EBUSY);
  EXPECT_TRUE((*agent_->ListVolumes())[0].aborted);
  auto again = agent_->Mount(target, 0755, "");
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_FALSE(again->existed);
  EXPECT_FALSE((*agent_->ListVolumes())[0].aborted);
  const RawFuse server(std::move(again->device), "value");
  EXPECT_EQ(ReadOrErrno(MountOf(target) + "/key"), "value");
}

// The keeper dies: whatever it had is stale for the next one.
TEST_F(KeeperMount, UnmountsWhatKubeletHasForgottenWhenAnAgentStarts) {
  const Target published = NewTarget("pod-1");
  const Target forgotten = NewTarget("pod-2");
  const Target memory = NewTarget("pod-3");
  const Target foreign = NewTarget("pod-4");
  testing::WriteAll(FolderOf(published) + "/vol_data.json", "{}");
  ASSERT_TRUE(agent_->Mount(published, 0755, ""));
  ASSERT_TRUE(agent_->Mount(forgotten, 0755, ""));
  ASSERT_TRUE(agent_->MountTmpfs(memory, 0755, 4096, 0, 0, ""));
  std::filesystem::create_directories(MountOf(foreign));
  ASSERT_EQ(mount("other", MountOf(foreign).c_str(), "tmpfs", 0, nullptr), 0);
  agent_.reset();
  keeper_.reset();
  StartKeeper();
  agent_ = NewAgent();
  ASSERT_TRUE(agent_->Ready(/*just_started=*/false));
  EXPECT_EQ(MountsBelow(Kubelet()).size(), 4U) << "this agent may serve them still";
  agent_ = nullptr;
  agent_ = NewAgent();
  ASSERT_TRUE(agent_->Ready(/*just_started=*/true));
  EXPECT_EQ(MountsBelow(Kubelet()),
            (std::vector<std::string>{MountOf(published), MountOf(foreign)}));
  EXPECT_FALSE(std::filesystem::exists(FolderOf(forgotten)));
  EXPECT_FALSE(std::filesystem::exists(FolderOf(memory)));
  EXPECT_TRUE(agent_->ListVolumes()->empty());
  EXPECT_EQ(ReadOrErrno(MountOf(published) + "/key"), "errno " + std::to_string(ENOTCONN));
  EXPECT_TRUE(*agent_->Probe(published));
  // kubelet publishes it again: on top of the dead one.
  auto fresh = agent_->Mount(published, 0755, "");
  ASSERT_TRUE(fresh) << fresh.error().ToString();
  const RawFuse server(std::move(fresh->device), "value");
  EXPECT_EQ(ReadOrErrno(MountOf(published) + "/key"), "value");
  EXPECT_EQ(MountsBelow(FolderOf(published)).size(), 2U);
  std::filesystem::remove(FolderOf(published) + "/vol_data.json");
  ASSERT_TRUE(agent_->Ready(/*just_started=*/true));
  EXPECT_EQ(ReadOrErrno(MountOf(published) + "/key"), "value") << "the keeper has volumes";
  ASSERT_TRUE(agent_->Unmount(published));
  EXPECT_TRUE(MountsBelow(FolderOf(published)).empty());
  EXPECT_FALSE(agent_->Unmount(foreign)) << "somebody else's";
}

TEST_F(KeeperMount, UnmountsWhatAnEarlierKeeperHasLeft) {
  const Target target = NewTarget("pod-1");
  testing::WriteAll(FolderOf(target) + "/vol_data.json", "{}");
  ASSERT_TRUE(agent_->Mount(target, 0755, ""));
  agent_.reset();
  keeper_.reset();
  StartKeeper();
  agent_ = NewAgent();
  ASSERT_TRUE(agent_->Unmount(target));
  EXPECT_TRUE(MountsBelow(Kubelet()).empty());
  EXPECT_FALSE(std::filesystem::exists(MountOf(target)));
}

}  // namespace
}  // namespace escagent::keeper
