// The agent is killed with SIGKILL over and over, and the pods do not notice.

#include <chrono>
#include <csignal>

#include "base/syscall_filter.h"
#include "tests/system/storm.h"
#include "tests/system/storm_value.h"

namespace escagent::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

class CrashTest : public StormTest {};

TEST_F(CrashTest, NoReadFailsWhileTheAgentCrashes200Times) {
#ifdef ESC_AGENT_SANITIZED
  constexpr int kCrashes = 60;  // each start takes much longer
#else
  constexpr int kCrashes = 200;
#endif
  StartNode();
  ASSERT_FALSE(HasFatalFailure());
  StartReaders();
  StartRotations();
  const auto start = steady_clock::now();
  CrashAgents(kCrashes, milliseconds(400));
  std::printf("  in %lld s\n",
              static_cast<long long>(
                  std::chrono::duration_cast<seconds>(steady_clock::now() - start).count()));
  ExpectNothingFailed(kCrashes, "crashes of the agent");
  EXPECT_GE(rotations_->Done(), kCrashes / 8) << "rotations hardly came through";
}

// Without any cache in the kernel, and with as much as possible.
class CacheTest : public CrashTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(CacheTest, NoReadFailsWhileTheAgentCrashes) {
  constexpr int kCrashes = 40;
  attributes_["cache"] = GetParam();
  StartNode();
  ASSERT_FALSE(HasFatalFailure());
  StartReaders();
  StartRotations();
  CrashAgents(kCrashes, milliseconds(400));
  ExpectNothingFailed(kCrashes, "crashes of the agent");
}

INSTANTIATE_TEST_SUITE_P(Profiles, CacheTest, ::testing::Values("none", "full"));

TEST_F(CrashTest, WithEscDownTheLastValuesAreThereAtOnce) {
  constexpr int kCrashes = 50;
  StartNode();
  ASSERT_FALSE(HasFatalFailure());
  StartReaders();
  bed_.StopDevServer();
  milliseconds slowest{0};
  for (int i = 0; i < kCrashes && !HasFailure(); ++i) {
    CrashAgents(1, milliseconds(300));
    const auto start = steady_clock::now();
    EXPECT_EQ(ReadCount(), count_);
    slowest =
        std::max(slowest, std::chrono::duration_cast<milliseconds>(steady_clock::now() - start));
  }
  // A new value arrives when ESC is back.
  bed_.WriteEnvironment("acme/storm/dev", StormDefinition(++count_));
  bed_.StartDevServer();
  EXPECT_TRUE(WaitFor([this] { return readers_->WatchedCount() == count_; }, seconds(30)));
  ExpectNothingFailed(kCrashes, "crashes of the agent while ESC was down");
  std::printf("    after a start the first read took %ld ms at most\n",
              static_cast<long>(slowest.count()));
}

}  // namespace
}  // namespace escagent::testing
