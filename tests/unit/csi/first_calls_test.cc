#include "csi/first_calls.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace escagent::csi {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

TEST(FirstCallsTest, WaitsForNobodyWhenAllHaveCalled) {
  FirstCalls calls;
  calls.Expect(7);
  calls.Expect(8);
  calls.Arrived("fd:8");
  calls.Arrived("fd:7");
  calls.Arrived("fd:7");
  const auto before = steady_clock::now();
  calls.Await(before + seconds(20));
  EXPECT_LT(steady_clock::now() - before, FirstCalls::kPatience);
}

TEST(FirstCallsTest, WaitsUntilTheCallComes) {
  FirstCalls calls;
  calls.Expect(7);
  bool arrived = false;
  std::jthread caller([&] {
    arrived = true;
    calls.Arrived("fd:7");
  });
  // Should this machine stop for kPatience in between, Await does not wait and the test says
  // nothing.
  const auto before = steady_clock::now();
  calls.Await(before + seconds(20));
  const bool in_time = steady_clock::now() - before < FirstCalls::kPatience;
  caller.join();
  EXPECT_TRUE(arrived || !in_time);
}

TEST(FirstCallsTest, GivesUpOnAConnectionThatIsOld) {
  FirstCalls calls;
  const auto before = steady_clock::now();
  calls.Expect(7);
  calls.Arrived("fd:70");
  calls.Await(before + seconds(20));
  EXPECT_GE(steady_clock::now() - before, FirstCalls::kPatience);
  EXPECT_LT(steady_clock::now() - before, seconds(10));
}

TEST(FirstCallsTest, EndsAtTheDeadline) {
  FirstCalls calls;
  const auto before = steady_clock::now();
  calls.Expect(7);
  calls.Await(before + milliseconds(1));
  calls.Await(before);
  EXPECT_LT(steady_clock::now() - before, FirstCalls::kPatience);
}

}  // namespace
}  // namespace escagent::csi
