#include "agent/status/freshness_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>

#include "base/mutex.h"
#include "tests/fakes/fake_clock.h"

namespace escagent::status {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using State = FreshnessMinute::State;

class FreshnessLogTest : public ::testing::Test {
 protected:
  FreshnessLogTest() {
    environment_.key.ref.environment = "dev";
    environment_.interval = seconds(10);
    environment_.fresh_at = clock_.Now();
  }

  // Changes what the log sees from its next look on.
  void Change(const std::function<void(cache::EnvironmentStatus&)>& change) {
    MutexLock lock(mutex_);
    change(environment_);
  }
  // Lets the log look once more.
  void LookAfter(seconds time) {
    clock_.Advance(time);
    ASSERT_TRUE(clock_.AwaitSleepers(1));
  }
  FreshnessHour Hour() { return log_->LastHour().at(environment_.key); }

  void Start() {
    log_ = std::make_unique<FreshnessLog>(
        [this]() -> std::vector<cache::EnvironmentStatus> {
          MutexLock lock(mutex_);
          if (gone_) return {};
          return {environment_};
        },
        clock_);
    ASSERT_TRUE(clock_.AwaitSleepers(1));
  }

  testing::FakeClock clock_;
  Mutex mutex_;
  cache::EnvironmentStatus environment_;
  bool gone_ = false;
  std::unique_ptr<FreshnessLog> log_;
};

TEST_F(FreshnessLogTest, TheOldestAgeOfAMinuteCounts) {
  Start();
  LookAfter(seconds(20));
  Change([&](auto& environment) { environment.fresh_at = clock_.Now(); });
  LookAfter(seconds(10));
  EXPECT_EQ(Hour().back().state, State::kFresh);
  EXPECT_EQ(Hour().back().oldest, seconds(20));
  EXPECT_EQ(Hour().front().state, State::kUnknown);
}

TEST_F(FreshnessLogTest, LateAndFailingAreToldApart) {
  Start();
  LookAfter(seconds(31));
  EXPECT_EQ(Hour().back().state, State::kLate);
  Change([](auto& environment) { environment.last_error = Error{Code::kUnavailable, "away", {}}; });
  LookAfter(seconds(10));
  EXPECT_EQ(Hour().back().state, State::kFailing);
}

TEST_F(FreshnessLogTest, AnEnvironmentThatWasNeverOpenedFails) {
  Change([](auto& environment) {
    environment.fresh_at.reset();
    environment.last_error = Error{Code::kNotFound, "no such environment", {}};
  });
  Start();
  EXPECT_EQ(Hour().back().state, State::kFailing);
  EXPECT_EQ(Hour().back().oldest, seconds(0));
}

TEST_F(FreshnessLogTest, MinutesMoveOnAndLeaveAfterAnHour) {
  Change([](auto& environment) { environment.last_error = Error{Code::kUnavailable, "away", {}}; });
  Start();
  Change([&](auto& environment) {
    environment.last_error.reset();
    environment.fresh_at = clock_.Now() + minutes(2);
  });
  LookAfter(minutes(2));
  FreshnessHour hour = Hour();
  EXPECT_EQ(hour[57].state, State::kFailing);
  EXPECT_EQ(hour[58].state, State::kUnknown) << "nobody looked in that minute";
  EXPECT_EQ(hour[59].state, State::kFresh);
  Change([&](auto& environment) { environment.fresh_at = clock_.Now() + minutes(58); });
  LookAfter(minutes(58));
  hour = Hour();
  EXPECT_EQ(hour[1].state, State::kFresh);
  EXPECT_EQ(hour[59].state, State::kFresh);
}

TEST_F(FreshnessLogTest, AnEnvironmentThatNobodyUsesIsForgottenAfterAnHour) {
  Start();
  {
    MutexLock lock(mutex_);
    gone_ = true;
  }
  LookAfter(minutes(59));
  EXPECT_EQ(log_->LastHour().size(), 1U);
  LookAfter(minutes(1));
  EXPECT_TRUE(log_->LastHour().empty());
}

TEST_F(FreshnessLogTest, AJumpOfManyHoursForgetsAll) {
  Start();
  {
    MutexLock lock(mutex_);
    gone_ = true;
  }
  LookAfter(std::chrono::hours(30));
  EXPECT_TRUE(log_->LastHour().empty());
}

}  // namespace
}  // namespace escagent::status
