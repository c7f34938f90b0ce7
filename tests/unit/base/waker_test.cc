#include "base/waker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/fakes/fake_clock.h"

namespace escagent {
namespace {

using std::chrono_literals::operator""s;

TEST(Waker, SleepsUntilTheDeadline) {
  testing::FakeClock clock;
  Waker waker;
  std::atomic<bool> awake = false;
  std::jthread sleeper([&](const std::stop_token& stop) {
    waker.SleepUntil(clock, clock.Now() + 5s, stop);
    awake = true;
  });
  ASSERT_TRUE(clock.AwaitSleepers(1));
  clock.Advance(4s);
  ASSERT_TRUE(clock.AwaitSleepers(1));
  EXPECT_FALSE(awake);
  clock.Advance(1s);
  sleeper.join();
  EXPECT_TRUE(awake);
}

TEST(Waker, WakeUpEndsTheSleep) {
  testing::FakeClock clock;
  Waker waker;
  std::jthread sleeper(
      [&](const std::stop_token& stop) { waker.SleepUntil(clock, clock.Now() + 5s, stop); });
  ASSERT_TRUE(clock.AwaitSleepers(1));
  waker.WakeUp();
  sleeper.join();
}

TEST(Waker, AnEarlyWakeUpEndsTheNextSleepAndOnlyThat) {
  testing::FakeClock clock;
  Waker waker;
  waker.WakeUp();
  waker.SleepUntil(clock, clock.Now() + 5s, {});  // returns at once, or the test hangs
  std::jthread sleeper(
      [&](const std::stop_token& stop) { waker.SleepUntil(clock, clock.Now() + 5s, stop); });
  EXPECT_TRUE(clock.AwaitSleepers(1));
}

TEST(Waker, StopEndsTheSleep) {
  testing::FakeClock clock;
  Waker waker;
  std::jthread sleeper(
      [&](const std::stop_token& stop) { waker.SleepUntil(clock, clock.Now() + 5s, stop); });
  ASSERT_TRUE(clock.AwaitSleepers(1));
  sleeper.request_stop();
  sleeper.join();
}

}  // namespace
}  // namespace escagent
