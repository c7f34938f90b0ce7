#include "agent/mirror/refresh.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <vector>

#include "agent/mirror/data_hash.h"
#include "tests/unit/mirror/test_objects.h"

namespace escagent::mirror {
namespace {

ExternalSecret SyncedObject(std::string_view spec) {
  ExternalSecret object = ObjectWith(spec);
  object.status.synced_resource_version = SyncedResourceVersion(object);
  object.status.refresh_time = std::chrono::system_clock::time_point(std::chrono::hours(1));
  return object;
}

constexpr const char* kEveryPolicy[] = {
    R"({"refreshInterval": "10s"})", R"({"refreshInterval": "0"})",
    R"({"refreshPolicy": "OnChange"})", R"({"refreshPolicy": "CreatedOnce"})"};

TEST(MustSync, WhatIsInSyncStays) {
  for (const char* spec : kEveryPolicy) EXPECT_FALSE(MustSync(SyncedObject(spec), true)) << spec;
}

TEST(MustSync, AlwaysWhenNeverSyncedOrTheTargetIsNotValid) {
  for (const char* spec : kEveryPolicy) {
    EXPECT_TRUE(MustSync(ObjectWith(spec), true)) << spec;
    EXPECT_TRUE(MustSync(SyncedObject(spec), false)) << spec;
    ExternalSecret without_time = SyncedObject(spec);
    without_time.status.refresh_time.reset();
    EXPECT_TRUE(MustSync(without_time, true)) << spec;
  }
}

// ESO's refreshintervalZero: without an interval it is as with CreatedOnce.
TEST(MustSync, ChangesCountWithPeriodicAndOnChange) {
  const auto changed = [](const char* spec) {
    ExternalSecret object = SyncedObject(spec);
    object.annotations["force-sync"] = "1";
    return MustSync(object, true);
  };
  EXPECT_TRUE(changed(kEveryPolicy[0]));
  EXPECT_FALSE(changed(kEveryPolicy[1]));
  EXPECT_TRUE(changed(kEveryPolicy[2]));
  EXPECT_FALSE(changed(kEveryPolicy[3]));
}

TEST(MustSync, OnlyPeriodicWithAnIntervalFollowsTheSource) {
  EXPECT_TRUE(SyncedObject(kEveryPolicy[0]).spec.RefreshesPeriodically());
  EXPECT_FALSE(SyncedObject(kEveryPolicy[1]).spec.RefreshesPeriodically());
  EXPECT_FALSE(SyncedObject(kEveryPolicy[2]).spec.RefreshesPeriodically());
  EXPECT_FALSE(SyncedObject(kEveryPolicy[3]).spec.RefreshesPeriodically());
  EXPECT_FALSE(SyncedObject(R"({"refreshInterval": "-1s"})").spec.RefreshesPeriodically());
}

TEST(LookedAfterUntil, ReadyAndRefreshedWithinTwoIntervals) {
  using std::chrono::hours;
  const std::chrono::system_clock::time_point refreshed{hours(10)};
  const std::vector<Condition> ready = {{.type = kReadyCondition, .status = "True"}};
  const auto until = [&](hours since, hours interval) {
    return LookedAfterUntil(ready, refreshed, interval, refreshed + since);
  };
  EXPECT_EQ(until(hours(0), hours(1)), refreshed + hours(2));
  EXPECT_EQ(until(hours(1), hours(1)), refreshed + hours(2));
  EXPECT_EQ(until(hours(2), hours(1)), std::nullopt);
  EXPECT_EQ(until(hours(9), hours(0)), refreshed + hours(10)) << "nothing more is due";
}

TEST(LookedAfterUntil, NotWithoutBoth) {
  using std::chrono::hours;
  const std::chrono::system_clock::time_point now{hours(10)};
  const std::vector<Condition> ready = {{.type = "Other", .status = "False"},
                                        {.type = kReadyCondition, .status = "True"}};
  const std::vector<Condition> failed = {{.type = kReadyCondition, .status = "False"}};
  EXPECT_TRUE(LookedAfterUntil(ready, now, hours(1), now));
  EXPECT_FALSE(LookedAfterUntil(ready, std::nullopt, hours(1), now));
  EXPECT_FALSE(LookedAfterUntil(failed, now, hours(1), now));
  EXPECT_FALSE(LookedAfterUntil({}, now, hours(0), now));
}

}  // namespace
}  // namespace escagent::mirror
