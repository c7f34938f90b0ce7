// A new agent starts while the old one runs, and takes over; kubelet's calls go on while agents
// die.

#include <poll.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "tests/system/storm.h"
#include "tests/system/storm_value.h"

namespace escagent::testing {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

class RolloutTest : public StormTest {};

TEST_F(RolloutTest, NoReadFailsWhile30AgentsTakeOver) {
  constexpr int kRollouts = Times(30);
  StartNode();
  ASSERT_FALSE(HasFatalFailure());
  StartReaders();
  StartRotations();
  std::minstd_rand random{std::random_device()()};
  milliseconds slowest{0};
  for (int i = 0; i < kRollouts && !HasFailure(); ++i) {
    // From none: the one that took over is told to go in the middle of its start.
    poll(nullptr, 0, std::uniform_int_distribution<int>(0, 400)(random));
    const auto start = steady_clock::now();
    SpawnAgent();
    EXPECT_EQ(previous_->Wait(seconds(3)), 0) << "the old agent hands over and exits";
    slowest = std::max(slowest, duration_cast<milliseconds>(steady_clock::now() - start));
  }
  ExpectNothingFailed(kRollouts, "rollouts");
  EXPECT_GE(rotations_->Done(), kRollouts / 3);
  std::printf("    from the start of the new one to the exit of the old: %ld ms at most\n",
              static_cast<long>(slowest.count()));
}

// kubelet's work on other pods, meanwhile.
class CallsTest : public StormTest {
 protected:
  // As kubelet: what is UNAVAILABLE (a broken connection is, too) is tried again, and CANCELLED, of
  // a call that an agent has not finished when it hands over. Nothing else may happen: the rest of
  // kubelet's codes for "try again" are for calls that take too long.
  bool Call(const std::string& what, const std::function<Status()>& call) {
    const auto deadline = steady_clock::now() + seconds(30);
    while (true) {
      ++calls_;
      const auto start = steady_clock::now();
      const Status status = call();
      const auto took = duration_cast<milliseconds>(steady_clock::now() - start);
      if (took > slowest_.load()) slowest_ = took;
      if (status) return true;
      const bool again =
          status.error().code == Code::kUnavailable || status.error().code == Code::kCancelled;
      if (!again || steady_clock::now() > deadline) {
        ADD_FAILURE() << what << ": " << status.error().ToString();
        return false;
      }
      ++retries_;
      poll(nullptr, 0, 20);
    }
  }

  Status Publish(const InlineVolume& volume) {
    const Result<std::string> target = bed_.kubelet().Publish(bed_.endpoint(), volume);
    if (!target) return std::unexpected(target.error());
    return {};
  }
  Status Unpublish(const InlineVolume& volume) {
    return bed_.kubelet().Unpublish(bed_.endpoint(), volume);
  }

  // One pod after the other.
  void Pods(const std::string& name, const std::stop_token& stop) {
    for (int i = 0; !stop.stop_requested(); ++i) {
      const InlineVolume volume = bed_.Volume(name + "-" + std::to_string(i), volume_.attributes);
      const std::string target = bed_.kubelet().TargetPath(volume);
      if (!Call("publish", [&] { return Publish(volume); })) return;
      const std::string bytes = Read(target + "/alpha");
      EXPECT_TRUE(StormCount("alpha", bytes)) << bytes.substr(0, 80);
      if (!Call("unpublish", [&] { return Unpublish(volume); })) return;
      EXPECT_NE(access(target.c_str(), F_OK), 0) << target << " is left";
      ++pods_;
    }
  }

  std::atomic<int> calls_ = 0;
  std::atomic<int> retries_ = 0;
  std::atomic<int> pods_ = 0;
  std::atomic<milliseconds> slowest_{milliseconds(0)};
};

TEST_F(CallsTest, PodsComeAndGoWhileTheAgentCrashes) {
  constexpr int kCrashes = Times(60);
  StartNode();
  ASSERT_FALSE(HasFatalFailure());
  StartReaders();
  StartRotations();
  {
    std::vector<std::jthread> kubelet;
    for (const char* name : {"a", "b", "c"}) {
      kubelet.emplace_back([this, name](const std::stop_token& stop) { Pods(name, stop); });
    }
    CrashAgents(kCrashes, milliseconds(400));
  }
  ExpectNothingFailed(kCrashes, "crashes of the agent while pods came and went");
  std::printf("    %d pods, %d calls, %d of them tried again, the slowest %ld ms\n", pods_.load(),
              calls_.load(), retries_.load(), static_cast<long>(slowest_.load().count()));
  EXPECT_GE(pods_, Times(20));
  EXPECT_EQ(MountsBelow(bed_.kubelet_dir()).size(), 1U) << "only the first pod's is left";
}

TEST_F(CallsTest, EverythingAtOnce) {
  constexpr int kEvents = Times(60);
  StartNode();
  ASSERT_FALSE(HasFatalFailure());
  StartReaders();
  StartRotations();
  std::minstd_rand random{std::random_device()()};
  const auto up_to = [&random](int most) {
    return std::uniform_int_distribution<int>(0, most)(random);
  };
  {
    std::vector<std::jthread> kubelet;
    for (const char* name : {"a", "b"}) {
      kubelet.emplace_back([this, name](const std::stop_token& stop) { Pods(name, stop); });
    }
    for (int i = 0; i < kEvents && !HasFailure(); ++i) {
      poll(nullptr, 0, up_to(400));
      const int event = up_to(9);
      if (event < 5) CrashAgent(event % 2 == 0);
      if (event >= 5 && event <= 7) {
        AwaitAgent();  // of two that start, the second may be the one that is replaced
        SpawnAgent();
        EXPECT_EQ(previous_->Wait(seconds(5)), 0) << "the old agent hands over and exits";
      }
      if (event > 7) bed_.StartKeeper();
    }
  }
  ExpectNothingFailed(kEvents, "crashes, rollouts and keeper upgrades while pods came and went");
  std::printf("    %d pods, %d calls, %d of them tried again, the slowest %ld ms\n", pods_.load(),
              calls_.load(), retries_.load(), static_cast<long>(slowest_.load().count()));
}

TEST_F(CallsTest, CallsWaitForTheNextAgentAndAreAnswered) {
  StartNode();
  ASSERT_FALSE(HasFatalFailure());
  const InlineVolume leaves = bed_.Volume("leaves", volume_.attributes);
  ASSERT_TRUE(Publish(leaves));
  agent_->Signal(SIGKILL);
  ASSERT_EQ(agent_->Wait(seconds(10)), 128 + SIGKILL);

  const InlineVolume comes = bed_.Volume("comes", volume_.attributes);
  std::atomic<int> answered = 0;
  {
    std::vector<std::jthread> kubelet;
    const auto call = [&](const char* what, const std::function<Status()>& one) {
      kubelet.emplace_back([&answered, what, one] {
        const Status status = one();
        EXPECT_TRUE(status) << what << ": " << status.error().ToString();
        ++answered;
      });
    };
    call("publish", [&] { return Publish(comes); });
    call("republish", [&] { return Publish(volume_); });
    call("unpublish", [&] { return Unpublish(leaves); });
    EXPECT_FALSE(WaitFor([&] { return answered > 0; }, milliseconds(500)));
    SpawnAgent();
  }
  EXPECT_EQ(answered, 3);
  EXPECT_TRUE(StormCount("alpha", Read(bed_.kubelet().TargetPath(comes) + "/alpha")));
  EXPECT_EQ(ReadCount(), count_);
  EXPECT_EQ(MountsBelow(bed_.kubelet_dir()).size(), 2U);
}

}  // namespace
}  // namespace escagent::testing
