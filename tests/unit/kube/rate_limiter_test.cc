#include "kube/rate_limiter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/fakes/fake_clock.h"

namespace escagent::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;

// Callers on threads of their own, who write down their names as they are let through.
class RateLimiterTest : public ::testing::Test {
 protected:
  ~RateLimiterTest() override {
    stop_.request_stop();
    for (std::jthread& caller : callers_) caller.join();
  }

  // Makes the limiter; it outlives the callers.
  RateLimiter& MakeLimiter(RateLimiter::Options options) {
    limiter_ = std::make_unique<RateLimiter>(options, clock_);
    return *limiter_;
  }

  // Starts a caller and waits until it is asleep.
  void StartCaller(const std::string& name, Priority priority) {
    callers_.emplace_back([this, name, priority] {
      Result<RateLimiter::Permit> permit = limiter_->Acquire(priority, stop_.get_token());
      if (!permit) return;
      {
        MutexLock lock(mutex_);
        order_.push_back(name);
      }
      changed_.NotifyAll();
    });
    ASSERT_TRUE(clock_.AwaitSleepers(++sleepers_));
  }

  // Lets one token's time pass and waits until the next caller has gone.
  std::string NextAfter(milliseconds time) {
    std::size_t before = 0;
    {
      MutexLock lock(mutex_);
      before = order_.size();
    }
    clock_.Advance(time);
    MutexLock lock(mutex_);
    const auto deadline = std::chrono::steady_clock::now() + seconds(20);
    while (order_.size() == before) {
      if (!changed_.WaitUntil(mutex_, deadline)) return "nobody";
    }
    --sleepers_;
    return order_.at(before);
  }

  std::vector<std::string> Order() {
    MutexLock lock(mutex_);
    return order_;
  }

  escagent::testing::FakeClock clock_;
  std::stop_source stop_;
  std::size_t sleepers_ = 0;

 private:
  std::unique_ptr<RateLimiter> limiter_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> order_;
  std::vector<std::jthread> callers_;
};

TEST_F(RateLimiterTest, TheBurstGoesAtOnceAndThenAtTheRate) {
  RateLimiter& limiter = MakeLimiter({.qps = 10, .burst = 3, .max_in_flight = 100});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(limiter.Acquire(Priority::kNormal, {}));
  StartCaller("a", Priority::kNormal);
  EXPECT_EQ(clock_.UntilNextWakeUp(), milliseconds(100));
  clock_.Advance(milliseconds(99));
  ASSERT_TRUE(clock_.AwaitSleepers(1));
  EXPECT_THAT(Order(), ElementsAre());
  EXPECT_EQ(NextAfter(milliseconds(1)), "a");
  // An idle while fills the bucket to the burst and no further.
  clock_.Advance(seconds(100));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(limiter.Acquire(Priority::kNormal, {}));
  StartCaller("b", Priority::kNormal);
  EXPECT_EQ(NextAfter(milliseconds(100)), "b");
}

TEST_F(RateLimiterTest, InTheOrderOfPriorityThenOfArrival) {
  RateLimiter& limiter = MakeLimiter({.qps = 1, .burst = 1, .max_in_flight = 100});
  ASSERT_TRUE(limiter.Acquire(Priority::kNormal, {}));
  StartCaller("background", Priority::kBackground);
  StartCaller("normal 1", Priority::kNormal);
  StartCaller("normal 2", Priority::kNormal);
  StartCaller("interactive", Priority::kInteractive);
  EXPECT_EQ(NextAfter(seconds(1)), "interactive");
  EXPECT_EQ(NextAfter(seconds(1)), "normal 1");
  EXPECT_EQ(NextAfter(seconds(1)), "normal 2");
  EXPECT_EQ(NextAfter(seconds(1)), "background");
}

TEST_F(RateLimiterTest, EveryEighthIsTheOneThatHasWaitedLongest) {
  RateLimiter& limiter = MakeLimiter({.qps = 1, .burst = 1, .max_in_flight = 100});
  ASSERT_TRUE(limiter.Acquire(Priority::kNormal, {}));  // the first
  StartCaller("old", Priority::kBackground);
  for (int i = 2; i <= 9; ++i) {
    StartCaller(std::to_string(i), Priority::kInteractive);
  }
  std::vector<std::string> order;
  for (int i = 2; i <= 10; ++i) order.push_back(NextAfter(seconds(1)));
  EXPECT_THAT(order, ElementsAre("2", "3", "4", "5", "6", "7", "old", "8", "9"));
}

// Who is woken up to keep the time may find itself admitted already: the time moves on at once
// here, so that in some rounds it has.
TEST_F(RateLimiterTest, TheTimekeepingIsNeverLost) {
  RateLimiter& limiter = MakeLimiter({.qps = 1, .burst = 1, .max_in_flight = 1000});
  ASSERT_TRUE(limiter.Acquire(Priority::kNormal, {}));
  for (int round = 0; round < 100; ++round) {
    for (const char* name : {"a", "b", "c", "d"}) StartCaller(name, Priority::kNormal);
    for (const char* name : {"a", "b", "c", "d"}) ASSERT_EQ(NextAfter(seconds(1)), name);
  }
}

TEST_F(RateLimiterTest, OnlySoManyAtOnce) {
  RateLimiter& limiter = MakeLimiter({.qps = 100, .burst = 100, .max_in_flight = 2});
  std::optional<RateLimiter::Permit> first(*limiter.Acquire(Priority::kNormal, {}));
  std::optional<RateLimiter::Permit> second(*limiter.Acquire(Priority::kNormal, {}));
  StartCaller("a", Priority::kNormal);
  clock_.Advance(seconds(10));
  ASSERT_TRUE(clock_.AwaitSleepers(1));
  EXPECT_THAT(Order(), ElementsAre());
  EXPECT_TRUE(limiter.Acquire(Priority::kExempt, {})) << "exempt calls take no place";
  first.reset();
  EXPECT_EQ(NextAfter(seconds(0)), "a");
}

TEST_F(RateLimiterTest, APlaceThatGetsFreeStillNeedsAToken) {
  RateLimiter& limiter = MakeLimiter({.qps = 1, .burst = 1, .max_in_flight = 1});
  std::optional<RateLimiter::Permit> permit(*limiter.Acquire(Priority::kNormal, {}));
  StartCaller("a", Priority::kNormal);
  permit.reset();
  ASSERT_TRUE(clock_.AwaitSleepers(1));
  EXPECT_THAT(Order(), ElementsAre());
  EXPECT_EQ(NextAfter(seconds(1)), "a");
}

TEST_F(RateLimiterTest, TheTimekeepersStopPassesTheTaskOn) {
  RateLimiter& limiter = MakeLimiter({.qps = 1, .burst = 1, .max_in_flight = 100});
  ASSERT_TRUE(limiter.Acquire(Priority::kNormal, {}));
  std::stop_source stop;
  std::jthread timekeeper([&] {
    const Result<RateLimiter::Permit> permit = limiter.Acquire(Priority::kNormal, stop.get_token());
    ASSERT_FALSE(permit);
    EXPECT_EQ(permit.error().code, Code::kCancelled);
  });
  ASSERT_TRUE(clock_.AwaitSleepers(++sleepers_));
  StartCaller("a", Priority::kNormal);
  stop.request_stop();
  timekeeper.join();
  --sleepers_;
  ASSERT_TRUE(clock_.AwaitSleepers(1));
  EXPECT_EQ(NextAfter(seconds(1)), "a");
}

TEST_F(RateLimiterTest, HoldBackIsBoundedAndTheLongestCounts) {
  RateLimiter& limiter = MakeLimiter({.qps = 1000, .burst = 1000, .max_in_flight = 100});
  limiter.HoldBack(seconds(30));
  limiter.HoldBack(seconds(2));
  EXPECT_TRUE(limiter.Acquire(Priority::kExempt, {}));
  StartCaller("a", Priority::kInteractive);
  EXPECT_EQ(clock_.UntilNextWakeUp(), seconds(30));
  EXPECT_EQ(NextAfter(seconds(30)), "a");
  limiter.HoldBack(std::chrono::hours(20));
  StartCaller("b", Priority::kInteractive);
  EXPECT_EQ(NextAfter(seconds(60)), "b");
}

TEST_F(RateLimiterTest, ManyCallersAllGetThrough) {
  RateLimiter& limiter = MakeLimiter({.qps = 1000, .burst = 1, .max_in_flight = 2});
  constexpr int kCallers = 12;
  std::atomic<int> done = 0;
  std::vector<std::jthread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      for (int k = 0; k < 3; ++k) {
        const auto permit = limiter.Acquire(static_cast<Priority>(i % 4), {});
        EXPECT_TRUE(permit);
      }
      ++done;
    });
  }
  const auto deadline = std::chrono::steady_clock::now() + seconds(20);
  while (done < kCallers && std::chrono::steady_clock::now() < deadline) {
    clock_.Advance(milliseconds(1));
    std::this_thread::yield();
  }
  EXPECT_EQ(done, kCallers);
  // Those left over would wait for ever.
  while (done < kCallers) clock_.Advance(seconds(1));
}

}  // namespace
}  // namespace escagent::kube
