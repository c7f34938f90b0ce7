// The keeper is replaced, killed, and killed together with the agent.

#include <gmock/gmock.h>
#include <poll.h>

#include <chrono>
#include <csignal>
#include <random>

#include "agent/status/admin_protocol.h"
#include "tests/system/storm.h"
#include "tests/system/storm_value.h"

namespace escagent::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::EndsWith;

class KeeperTest : public StormTest {
 protected:
  void KillKeeper() {
    bed_.keeper().Signal(SIGKILL);
    ASSERT_EQ(bed_.keeper().Wait(seconds(10)), 128 + SIGKILL);
  }

  bool AgentHasKeeper() const {
    const auto status = status::AskAgent(bed_.admin_socket(), "status", seconds(1));
    return status && status->find("\"keeperConnected\":true") != std::string::npos;
  }

  // Whether the volume shows a new value soon, whoever watches it.
  void Rotate() {
    bed_.WriteEnvironment("acme/storm/dev", StormDefinition(++count_));
    EXPECT_TRUE(WaitFor(
        [this] {
          (void)status::AskAgent(bed_.admin_socket(), "refresh", seconds(1));
          return ReadCount() == count_;
        },
        seconds(20)))
        << "shows " << ReadCount() << ", not " << count_;
  }

  Status Publish(const InlineVolume& volume) {
    const Result<std::string> target = bed_.kubelet().Publish(bed_.endpoint(), volume);
    if (!target) return std::unexpected(target.error());
    return {};
  }
};

TEST_F(KeeperTest, NoReadFailsWhile20KeepersTakeOver) {
  constexpr int kUpgrades = Times(20);
  StartNode();
  ASSERT_FALSE(HasFatalFailure());
  StartReaders();
  StartRotations();
  std::minstd_rand random{std::random_device()()};
  for (int i = 0; i < kUpgrades && !HasFailure(); ++i) {
    poll(nullptr, 0, std::uniform_int_distribution<int>(0, 400)(random));
    bed_.StartKeeper();
  }
  // The last one has everything that the agents need.
  CrashAgents(Times(10), milliseconds(300));
  ExpectNothingFailed(kUpgrades, "upgrades of the keeper, then crashes of the agent");
}

TEST_F(KeeperTest, AgentsStartWhileTheKeeperIsReplaced) {
  constexpr int kUpgrades = Times(40);
  StartNode();
  ASSERT_FALSE(HasFatalFailure());
  StartReaders();
  StartRotations();
  std::minstd_rand random{std::random_device()()};
  for (int i = 0; i < kUpgrades && !HasFailure(); ++i) {
    CrashAgent(/*reap_first=*/true);
    // An agent needs some 15 ms to start.
    poll(nullptr, 0, std::uniform_int_distribution<int>(0, 25)(random));
    bed_.StartKeeper();
    AwaitAgent();
  }
  ExpectNothingFailed(kUpgrades, "upgrades of the keeper while an agent started");
}

TEST_F(KeeperTest, AKilledKeeperIsReplacedWithoutAFailedRead) {
  StartNode();
  ASSERT_FALSE(HasFatalFailure());
  StartReaders();
  KillKeeper();
  ASSERT_TRUE(WaitFor([this] { return !AgentHasKeeper(); }, seconds(10)));
  for (int i = 0; i < 3; ++i) Rotate();
  bed_.StartKeeper();
  ASSERT_TRUE(WaitFor([this] { return AgentHasKeeper(); }, seconds(10)));
  Register();  // with a new socket
  for (int i = 0; i < 3; ++i) Rotate();
  EXPECT_TRUE(Publish(volume_)) << "a republish never fails";
  Rotate();
  // Watchers see nothing of these, but no read fails.
  ExpectNothingFailed(1, "keeper killed and replaced");

  // Volumes of this keeper's time have everything again.
  const InlineVolume first = volume_;
  volume_ = bed_.Volume("second", first.attributes);
  const Status published = Publish(volume_);
  ASSERT_TRUE(published) << published.error().ToString();
  StartReaders();
  StartRotations();
  CrashAgents(Times(10), milliseconds(300));
  ExpectNothingFailed(Times(10), "crashes of the agent with the new keeper");

  // The volume from before is restored by kubelet's next call.
  volume_ = first;
  const Status again = Publish(volume_);
  EXPECT_TRUE(again) << again.error().ToString();
  EXPECT_EQ(ReadCount(), count_);
}

TEST_F(KeeperTest, AfterTheEndOfBothARepublishRepairsAndAnUnpublishLeavesNothing) {
  StartNode();
  ASSERT_FALSE(HasFatalFailure());
  const InlineVolume forgotten = bed_.Volume("forgotten", volume_.attributes);
  ASSERT_TRUE(Publish(forgotten));
  agent_->Signal(SIGKILL);
  KillKeeper();
  ASSERT_EQ(agent_->Wait(seconds(10)), 128 + SIGKILL);
  EXPECT_THAT(Read(Target() + "/alpha"), EndsWith("Transport endpoint is not connected"));

  bed_.StartKeeper();
  StartAgent();
  const Status republished = Publish(volume_);
  ASSERT_TRUE(republished) << republished.error().ToString();
  EXPECT_EQ(ReadCount(), count_);
  Rotate();
  for (const InlineVolume& volume : {volume_, forgotten}) {
    const Status status = bed_.kubelet().Unpublish(bed_.endpoint(), volume);
    EXPECT_TRUE(status) << status.error().ToString();
    EXPECT_EQ(LeftBehind(volume), std::vector<std::string>());
  }
}

TEST_F(KeeperTest, TheWatchdogLetsThoseGoWhoHangInItsVolumesAndInNoOther) {
  Testbed other(ProgramFolder());
  other.WriteEnvironment("acme/storm/dev", StormDefinition(count_));
  other.WriteClusterStore("storm", "acme/storm/dev");
  other.StartDevServer();
  other.StartKeeper();
  other.StartAgent();
  StartNode({"--watchdog", "2"});
  ASSERT_FALSE(HasFatalFailure());
  const InlineVolume beside = other.Volume("beside", volume_.attributes);
  ASSERT_TRUE(other.kubelet().Publish(other.endpoint(), beside));
  PodReaders readers(other.kubelet().TargetPath(beside), other.folder() + "/pod", true);

  agent_->Signal(SIGKILL);
  const auto start = std::chrono::steady_clock::now();
  const std::string failure = Read(Target() + "/nested/deep");
  const auto took =
      std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
  EXPECT_TRUE(failure.starts_with("error: open ")) << failure;
  EXPECT_GE(took, milliseconds(1500));
  EXPECT_LE(took, milliseconds(4000));
  ASSERT_EQ(agent_->Wait(seconds(10)), 128 + SIGKILL);

  StartAgent();
  EXPECT_EQ(ReadCount(), count_) << "on a new mount, before kubelet has called";
  Rotate();
  EXPECT_TRUE(readers.Stop(seconds(10)));
  EXPECT_EQ(readers.FailureCount(), 0) << readers.Failures();
  std::printf("  a hung reader got \"%s\" after %ld ms; %ld reads beside it\n", failure.c_str(),
              static_cast<long>(took.count()), readers.Operations());
}

}  // namespace
}  // namespace escagent::testing
