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
  EXPECT_EQ(agent_->ListVolumes()->size(), 500U);
  ExpectResidentAtMost(keeper_->pid(), 3072);
}

TEST_F(Limits, LeaksNothingInTwoThousandCycles) {
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
  for (int i = 0; i < 2000 && !HasFailure(); ++i) cycle(i);
  EXPECT_EQ(OpenFds(keeper_->pid()), fds);
  EXPECT_EQ(OpenFds(getpid()), own);
  ExpectResidentAtMost(keeper_->pid(), kib + 64);
  EXPECT_TRUE(MountsBelow(Kubelet()).empty());
}

TEST_F(Limits, RefusesMoreVolumesBlobsAndKeysThanItMayKeep) {
  for (unsigned i = 0; i < kMaxBlobs; ++i) {
    ASSERT_TRUE(agent_->StoreBlob("blob-" + std::to_string(i), *KeeperClient::SealedMemfd("x")));
  }
  EXPECT_FALSE(agent_->StoreBlob("one-too-many", *KeeperClient::SealedMemfd("x")));
  EXPECT_TRUE(agent_->StoreBlob("blob-3", *KeeperClient::SealedMemfd("y")));
  EXPECT_EQ(agent_->ListBlobs()->size(), kMaxBlobs);

  const Target target = NewTarget("pod-1");
  ASSERT_TRUE(agent_->Mount(target, 0755, ""));
  agent_.reset();
  const UniqueFd raw = RawAgent();
  Message key = NewMessage(Verb::kKey);
  Copy(key.volume, sizeof key.volume, target.volume.c_str());
  Copy(key.text, sizeof key.text, "key");
  for (unsigned i = 0; i < kMaxPendingKeys; ++i) ASSERT_EQ(Ask(raw, key), 0);
  EXPECT_EQ(Ask(raw, key), ENOBUFS);
}

}  // namespace
}  // namespace escagent::keeper
