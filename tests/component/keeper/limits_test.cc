#include <sys/stat.h>

#include <cerrno>

#include "tests/component/keeper/keeper_fixture.h"

namespace escagent::keeper {
namespace {

// Resident memory says nothing about the program under a sanitizer.
void ExpectResidentAtMost(pid_t pid, std::size_t kib) {
  if (!kSanitized) {
    EXPECT_LE(ResidentKib(pid), kib);
  }
}

constexpr int kCycles = kSanitized ? 500 : 10000;

class Limits : public KeeperTest {
 protected:
  Limits() {
    StartKeeper();
    agent_ = NewAgent();
  }
  std::unique_ptr<KeeperClient> agent_;
};

TEST_F(Limits, KeepsFiveHundredVolumesInThreeMebibytes) {
  for (int i = 0; i < 500; ++i) {
    const Target target = NewTarget("pod-" + std::to_string(i));
    ASSERT_TRUE(agent_->Mount(target, 0755, "")) << i;
    ASSERT_TRUE(agent_->Store(target.volume, 1, *KeeperClient::SealedMemfd("state")));
  }
  const std::size_t kib = ResidentKib(keeper_->pid());
  RecordProperty("rss_kib", static_cast<int>(kib));
  std::printf("keeper RSS with 500 volumes: %zu KiB\n", kib);
  ExpectResidentAtMost(keeper_->pid(), 3072);
  EXPECT_EQ(agent_->ListVolumes()->size(), 500U);
  ReplaceKeeper();
  agent_ = NewAgent();
  EXPECT_EQ(agent_->ListVolumes()->size(), 500U);
  ExpectResidentAtMost(keeper_->pid(), 3072);
}

TEST_F(Limits, LeaksNothingInTenThousandCycles) {
  const Target target = NewTarget("pod-1");
  const auto cycle = [&](int i) {
    const auto mounted = agent_->Mount(target, 0755, "");
    ASSERT_TRUE(mounted) << i << ": " << mounted.error().ToString();
    ASSERT_TRUE(agent_->Store(target.volume, 1, *KeeperClient::SealedMemfd("state")));
    ASSERT_TRUE(agent_->Unmount(target)) << i;
  };
  for (int i = 0; i < 20; ++i) cycle(i);
  const std::size_t fds = OpenFds(keeper_->pid());
  const std::size_t kib = ResidentKib(keeper_->pid());
  const std::size_t own = OpenFds(getpid());
  for (int i = 0; i < kCycles && !HasFailure(); ++i) cycle(i);
  EXPECT_EQ(OpenFds(keeper_->pid()), fds);
  EXPECT_EQ(OpenFds(getpid()), own);
  ExpectResidentAtMost(keeper_->pid(), kib + 64);
  EXPECT_TRUE(MountsBelow(Kubelet()).empty());
}

TEST_F(Limits, LeaksNothingInRotationsAndSuccessors) {
  const Target target = NewTarget("pod-1");
  ASSERT_TRUE(agent_->Mount(target, 0755, ""));
  const auto cycle = [&](std::uint64_t i) {
    agent_ = nullptr;
    agent_ = NewAgent();
    auto volumes = agent_->ListVolumes();
    ASSERT_TRUE(volumes && volumes->size() == 1) << i;
    const RawFuse server(std::move((*volumes)[0].device), "value");
    ASSERT_TRUE(agent_->Rotate(target.volume, i, i + 1, kDeadline)) << i;
  };
  for (std::uint64_t i = 1; i < 10; ++i) cycle(i);
  const std::size_t fds = OpenFds(keeper_->pid());
  const std::size_t kib = ResidentKib(keeper_->pid());
  for (std::uint64_t i = 10; i < 110 && !HasFailure(); ++i) cycle(i);
  EXPECT_EQ(OpenFds(keeper_->pid()), fds);
  EXPECT_EQ(Children(keeper_->pid()), 0U);
  ExpectResidentAtMost(keeper_->pid(), kib + 64);
}

TEST_F(Limits, RefusesMoreVolumesThanItMayKeep) {
  for (unsigned i = 0; i < kMaxVolumes; ++i) {
    ASSERT_TRUE(agent_->MountTmpfs(NewTarget("pod-" + std::to_string(i)), 0755, 4096, 0, 0, ""))
        << i;
  }
  const Target more = NewTarget("more");
  EXPECT_FALSE(agent_->MountTmpfs(more, 0755, 4096, 0, 0, ""));
  EXPECT_FALSE(*agent_->Probe(more));
  ASSERT_TRUE(agent_->Unmount(NewTarget("pod-77")));
  EXPECT_TRUE(agent_->MountTmpfs(more, 0755, 4096, 0, 0, ""));
}

}  // namespace
}  // namespace escagent::keeper
