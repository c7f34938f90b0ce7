#include "base/clock.h"

#include <gtest/gtest.h>

#include <chrono>
#include <stop_token>
#include <thread>

#include "base/thread.h"

namespace escagent {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

TEST(SystemClockTest, NowDoesNotGoBack) {
  const SystemClock clock;
  const Clock::TimePoint a = clock.Now();
  const Clock::TimePoint b = clock.Now();
  EXPECT_LE(a, b);
  EXPECT_GT(clock.WallNow().time_since_epoch(), std::chrono::years(50));
}

TEST(SystemClockTest, SleepsUntilTheDeadline) {
  SystemClock clock;
  const Clock::TimePoint deadline = clock.Now() + milliseconds(20);
  EXPECT_TRUE(clock.SleepUntil(deadline, {}));
  EXPECT_GE(clock.Now(), deadline);
}

TEST(SystemClockTest, PastDeadlineReturnsAtOnce) {
  SystemClock clock;
  EXPECT_TRUE(clock.SleepUntil(clock.Now() - minutes(1), {}));
}

TEST(SystemClockTest, StopEndsTheSleep) {
  SystemClock clock;
  std::stop_source stop;
  const Clock::TimePoint start = clock.Now();
  const std::jthread thread = StartThread("stop", [&stop] { stop.request_stop(); });
  EXPECT_FALSE(clock.SleepUntil(start + minutes(10), stop.get_token()));
  EXPECT_LT(clock.Now(), start + minutes(1));
}

TEST(SystemClockTest, StoppedBeforeTheSleep) {
  SystemClock clock;
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(clock.SleepUntil(clock.Now() + minutes(10), stop.get_token()));
}

}  // namespace
}  // namespace escagent
