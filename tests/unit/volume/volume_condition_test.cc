#include "agent/volume/volume_condition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"

namespace escagent::volume {
namespace {

using ::testing::HasSubstr;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;

class VolumeConditionTest : public ::testing::Test {
 protected:
  VolumeConditionTest() {
    health_.served = true;
    health_.environment = cache::EnvironmentStatus();
    health_.environment->fresh_at = clock_.Now();
  }
  Condition Describe() { return DescribeCondition(health_, 24h, clock_); }

  testing::FakeClock clock_;
  Health health_;
};

TEST_F(VolumeConditionTest, MountedWhenAllIsWell) {
  EXPECT_FALSE(Describe().abnormal);
  EXPECT_EQ(Describe().message, "mounted");
  health_.environment.reset();  // an optional volume that waits
  EXPECT_FALSE(Describe().abnormal);
}

TEST_F(VolumeConditionTest, EachFindingSaysSinceWhenAndWhy) {
  const Failure failure{Error{Code::kUnavailable, "ESC is down"}, clock_.Now()};
  clock_.Advance(90min);

  health_.environment->last_error = failure.error;
  EXPECT_TRUE(Describe().abnormal);
  EXPECT_THAT(Describe().message, HasSubstr("cannot be refreshed"));
  EXPECT_THAT(Describe().message, HasSubstr("2026-01-01T00:00:00Z"));
  EXPECT_THAT(Describe().message, HasSubstr("UNAVAILABLE: ESC is down"));

  health_.environment->last_error.reset();
  health_.render = failure;
  EXPECT_THAT(Describe().message, HasSubstr("last good ones"));
  EXPECT_THAT(Describe().message, HasSubstr("since 2026-01-01T00:00:00Z"));

  health_.mirror = failure;
  EXPECT_THAT(Describe().message, HasSubstr("; the Secret cannot be kept up since 2026-"));
  health_.mirror.reset();

  health_.render.reset();
  health_.source = failure;
  EXPECT_THAT(Describe().message, HasSubstr("store"));

  health_.source.reset();
  health_.served = false;
  EXPECT_TRUE(Describe().abnormal);
  EXPECT_THAT(Describe().message, HasSubstr("not served"));
}

TEST_F(VolumeConditionTest, StaleValuesAreAbnormalWithoutAnError) {
  clock_.Advance(24h);
  EXPECT_FALSE(Describe().abnormal);
  clock_.Advance(1min);
  EXPECT_TRUE(Describe().abnormal);
  EXPECT_THAT(Describe().message, HasSubstr("older than 24h0m0s"));
}

}  // namespace
}  // namespace escagent::volume
