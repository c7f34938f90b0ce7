#include "agent/mirror/refresh.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace escagent::mirror
