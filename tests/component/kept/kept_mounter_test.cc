#include "fuse/kept_mounter.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>

#include <filesystem>

#include "tests/component/kept/kept_fixture.h"

namespace escagent::fuse {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::WaitFor;

using KeptMounterTest = KeptTest;

TEST_F(KeptMounterTest, MountsShowsAndRemoves) {
  StartKeeper();
  const auto agent = StartAgent();
  EXPECT_FALSE(*agent->mounter->IsMountPoint(MountOf()));
  Mount(*agent, SpecOf({{"key", "one"}, {"sub/deep", "x"}}));
  EXPECT_EQ(Read("key"), "one");
  EXPECT_EQ(Read("sub/deep"), "x");
  EXPECT_TRUE(*agent->mounter->IsMountPoint(MountOf()));
  EXPECT_TRUE(agent->volume->Healthy());
  EXPECT_TRUE(agent->mounter->Remove(NewTarget("a").volume, MountOf()));
  EXPECT_FALSE(std::filesystem::exists(MountOf()));
  EXPECT_THAT(keeper::MountsBelow(Kubelet()), IsEmpty());
  EXPECT_TRUE(agent->mounter->Remove(NewTarget("a").volume, MountOf()));
}

TEST_F(KeptMounterTest, AWatcherSeesTheRotation) {
  StartKeeper();
  const auto agent = StartAgent();
  Mount(*agent, SpecOf({{"key", "one"}, {"old", "x"}}));
  Watcher watcher;
  watcher.Watch(MountOf(), IN_CREATE | IN_MOVED_TO | IN_DELETE);
  watcher.Watch(Path("key"), IN_ATTRIB, "key:");
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(agent->volume->Publish(SpecOf({{"key", std::to_string(i)}, {"new", "y"}})));
    EXPECT_EQ(Read("key"), std::to_string(i));
    EXPECT_EQ(Read("new"), "y");
    EXPECT_EQ(Read("old"), "errno 2");
    const std::vector<std::string> events = watcher.Events();
    EXPECT_THAT(events, Contains(HasSubstr("MOVED_TO ..data")));
    if (i != 0) continue;
    EXPECT_THAT(events, Contains(HasSubstr("CREATE new")));
    EXPECT_THAT(events, Contains(HasSubstr("DELETE old")));
    EXPECT_THAT(events, Contains(HasSubstr("key:")));
  }
}

TEST_F(KeptMounterTest, ASuccessorGoesOn) {
  StartKeeper();
  auto agent = StartAgent();
  Mount(*agent, SpecOf({{"key", "one"}}));
  ASSERT_TRUE(agent->volume->Publish(SpecOf({{"key", "two"}})));
  const UniqueFd held(open(Path("key").c_str(), O_RDONLY | O_CLOEXEC));
  for (int i = 0; i < 3; ++i) {
    if (i == 1) {
      EXPECT_TRUE(agent->link->Drained());
    }
    agent.reset();
    agent = StartAgent();
    ASSERT_NE(agent->volume, nullptr);
    EXPECT_EQ(agent->restored.front().metadata, "pod-a");
    EXPECT_TRUE(agent->volume->Shows(SpecOf({{"key", i == 0 ? "two" : "new"}})));
    EXPECT_EQ(Read("key"), i == 0 ? "two" : "new");
    ASSERT_TRUE(agent->volume->Publish(SpecOf({{"key", "new"}})));
    EXPECT_EQ(Read("key"), "new");
    char byte[4] = {};
    EXPECT_EQ(pread(held.Get(), byte, 3, 0), 3);
    EXPECT_STREQ(byte, "two");
  }
  EXPECT_THAT(keeper::MountsBelow(Kubelet()), SizeIs(1));
}

TEST_F(KeptMounterTest, ANewKeeperRotatesForTheSameAgent) {
  StartKeeper();
  const auto agent = StartAgent();
  Mount(*agent, SpecOf({{"key", "one"}}));
  ReplaceKeeper();
  ASSERT_TRUE(WaitFor([&] { return agent->reconnections == 1; }, keeper::kDeadline));
  EXPECT_TRUE(agent->mounter->Reconnected());
  EXPECT_EQ(Read("key"), "one");
  Watcher watcher;
  watcher.Watch(MountOf(), IN_MOVED_TO);
  ASSERT_TRUE(agent->volume->Publish(SpecOf({{"key", "two"}})));
  EXPECT_EQ(Read("key"), "two");
  EXPECT_THAT(watcher.Events(), Contains(HasSubstr("MOVED_TO ..data")));
}

TEST_F(KeptMounterTest, ALostKeeperCostsWatchersOnly) {
  StartKeeper();
  auto agent = StartAgent();
  Mount(*agent, SpecOf({{"key", "one"}}));
  KeeperProcess().Signal(SIGKILL);
  KeeperProcess().Wait(keeper::kDeadline);
  ASSERT_TRUE(WaitFor([&] { return !agent->link->Connected(); }, keeper::kDeadline));
  EXPECT_EQ(Read("key"), "one");
  ASSERT_TRUE(agent->volume->Publish(SpecOf({{"key", "two"}})));
  EXPECT_EQ(Read("key"), "two");
  EXPECT_TRUE(agent->mounter->Healthy());

  StartKeeper();
  ASSERT_TRUE(WaitFor([&] { return agent->reconnections == 1; }, keeper::kDeadline));
  EXPECT_TRUE(agent->mounter->Reconnected());
  ASSERT_TRUE(agent->volume->Publish(SpecOf({{"key", "three"}})));
  EXPECT_EQ(Read("key"), "three");
  const std::unique_ptr<MountedVolume> first = std::move(agent->volume);
  Mount(*agent, SpecOf({{"key", "b"}}), Backend::kFuse, "b");
  EXPECT_EQ(Read("key", "b"), "b");

  // What the new keeper knows outlives the agent; the rest is mounted anew on top.
  agent->volume.reset();
  agent.reset();
  agent = StartAgent();
  ASSERT_NE(agent->volume, nullptr);
  EXPECT_EQ(agent->restored.front().metadata, "pod-b");
  EXPECT_EQ(Read("key", "b"), "b");
  EXPECT_TRUE(*agent->mounter->IsMountPoint(MountOf("a")));
}

TEST_F(KeptMounterTest, WhatCouldNotBeKeptAtOnceIsKeptLater) {
  StartKeeper();
  auto agent = StartAgent(std::chrono::milliseconds(300));
  Mount(*agent, SpecOf({{"key", "one"}}));
  KeeperProcess().Signal(SIGSTOP);
  EXPECT_TRUE(agent->volume->Publish(SpecOf({{"key", "two"}})));
  EXPECT_EQ(Read("key"), "two");
  KeeperProcess().Signal(SIGCONT);
  const std::uint64_t before = agent->link->Client()->ListVolumes()->front().generation;
  EXPECT_TRUE(WaitFor(
      [&] {
        const auto kept = agent->link->Client()->ListVolumes();
        return kept && kept->front().generation > before;
      },
      keeper::kDeadline));
  agent.reset();
  agent = StartAgent();
  ASSERT_NE(agent->volume, nullptr);
  EXPECT_EQ(Read("key"), "two");
  // The successor makes the rename that watchers have not seen yet.
  EXPECT_TRUE(WaitFor(
      [&] {
        const auto kept = agent->link->Client()->ListVolumes();
        return kept && kept->front().rotated == kept->front().generation;
      },
      keeper::kDeadline));
}

TEST_F(KeptMounterTest, WhatTheWatchdogAbortedIsMountedAnewWithTheSameValues) {
  StartKeeper({"--watchdog", "1"});
  auto agent = StartAgent();
  Mount(*agent, SpecOf({{"key", "one"}}));
  agent.reset();
  ASSERT_TRUE(WaitFor([&] { return Read("key") == "errno 107"; }, keeper::kDeadline));
  agent = StartAgent();
  ASSERT_NE(agent->volume, nullptr);
  EXPECT_EQ(Read("key"), "one");
  ASSERT_TRUE(agent->volume->Publish(SpecOf({{"key", "two"}})));
  EXPECT_EQ(Read("key"), "two");
  EXPECT_TRUE(agent->mounter->Remove(NewTarget("a").volume, MountOf()));
  EXPECT_THAT(keeper::MountsBelow(Kubelet()), IsEmpty());
}

TEST_F(KeptMounterTest, AMountThatSomebodyRemovedComesBackAndAPodThatVanishedIsForgotten) {
  StartKeeper();
  auto agent = StartAgent();
  Mount(*agent, SpecOf({{"key", "one"}}));
  Mount(*agent, SpecOf({{"key", "b"}}), Backend::kFuse, "b");
  const std::size_t fds = keeper::OpenFds(KeeperProcess().pid());
  agent.reset();
  for (const char* const name : {"a", "b"}) {
    ASSERT_EQ(umount2(MountOf(name).c_str(), MNT_DETACH), 0);
  }
  std::filesystem::remove_all(Kubelet() + "/pods/b");
  agent = StartAgent();
  EXPECT_EQ(Read("key"), "one");
  EXPECT_THAT(agent->restored, SizeIs(1));
  EXPECT_LT(keeper::OpenFds(KeeperProcess().pid()), fds);
}

TEST_F(KeptMounterTest, OnlyVolumesOfKubeletCanBeMounted) {
  StartKeeper();
  const auto agent = StartAgent();
  for (const std::string& path :
       {Folder() + "/elsewhere/mount", Kubelet() + "/pods/a/volumes/kubernetes.io~csi/mount",
        Kubelet() + "/pods/a/b/volumes/kubernetes.io~csi/x/mount",
        Kubelet() + "/pods/a/volumes/kubernetes.io~csi/x/y/mount",
        Kubelet() + "/pods//volumes/kubernetes.io~csi/x/mount",
        Kubelet() + "/pods/a/volumes/kubernetes.io~csi/x/mount/"}) {
    MountOptions options;
    options.volume_id = "csi-1";
    options.mountpoint = path;
    const auto mounted = agent->mounter->Mount(options, SpecOf({{"key", "x"}}));
    ASSERT_FALSE(mounted) << path;
    EXPECT_EQ(mounted.error().code, Code::kInvalidArgument) << mounted.error().message;
  }
  EXPECT_THAT(keeper::MountsBelow(Kubelet()), IsEmpty());
}

}  // namespace
}  // namespace escagent::fuse
