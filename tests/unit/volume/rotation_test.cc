#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/volume/volume_fixture.h"

namespace escagent::volume {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class RotationTest : public VolumeTest {
 protected:
  std::size_t SpecsShown() { return mounter_.MountAt(Target())->specs.size(); }
  bool Refreshed() { return esc_->heads() > 0; }
};

TEST_F(RotationTest, NewValuesAppearWithoutARemount) {
  ASSERT_TRUE(Publish(Request()));
  esc_->SetEnvironmentJson(kDev, R"({"hello": "again", "more": "x"})");
  ASSERT_TRUE(AdvanceUntil([&] { return mounter_.Read(Target(), "hello") == "again"; }));
  EXPECT_EQ(mounter_.Read(Target(), "more"), "x");
  EXPECT_EQ(mounter_.Read(Target(), "app/user"), std::nullopt);
  EXPECT_EQ(mounter_.MountCalls(), 1);
  ASSERT_TRUE(Eventually([&] { return manager().List()[0].generation == 2; }));
  ASSERT_TRUE(Eventually([&] { return Events(VolumeEvent::Kind::kRotate).size() == 1; }));
  EXPECT_EQ(StatsOf("csi-1").used_bytes, 6);
}

TEST_F(RotationTest, AChangeOutsideThePathSwapsNothing) {
  ASSERT_TRUE(Publish(Request("csi-1", {{"secretStore", "app"}, {"path", "app"}})));
  ASSERT_TRUE(Publish(Request("csi-2", {{"secretStore", "app"}}, "all")));
  esc_->SetEnvironmentJson(kDev, Json("changed"));
  ASSERT_TRUE(AdvanceUntil([&] { return mounter_.Read(Target("all"), "hello") == "changed"; }));
  // csi-1 subscribed first; a second change proves that the first one has passed it by.
  esc_->SetEnvironmentJson(kDev, R"({"app": {"user": "new"}})");
  ASSERT_TRUE(AdvanceUntil([&] { return mounter_.Read(Target(), "user") == "new"; }));
  EXPECT_EQ(SpecsShown(), 2U);
}

TEST_F(RotationTest, ValuesThatCannotBeShownLeaveTheLastGoodOnes) {
  ASSERT_TRUE(Publish(Request()));
  esc_->SetEnvironmentJson(kDev, std::string(R"({"a/b": ")") + kCanary + "\"}");
  ASSERT_TRUE(AdvanceUntil([&] { return StatsOf("csi-1").abnormal; }));
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "world");
  const csi::VolumeStats stats = StatsOf("csi-1");
  EXPECT_THAT(stats.condition, HasSubstr("\"a/b\""));
  EXPECT_THAT(stats.condition, HasSubstr("since 2026-"));
  EXPECT_THAT(stats.condition, Not(HasSubstr(kCanary)));
  ASSERT_TRUE(Eventually([&] { return !Events(VolumeEvent::Kind::kRotate).empty(); }));
  ASSERT_TRUE(Events(VolumeEvent::Kind::kRotate)[0].error);
  EXPECT_EQ(manager().List()[0].generation, 1U);

  // A repair of the mount shows the last good values too.
  mounter_.Kill(Target());
  ASSERT_TRUE(Publish(Request()));
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "world");
  EXPECT_TRUE(StatsOf("csi-1").abnormal);

  esc_->SetEnvironmentJson(kDev, Json("good"));
  ASSERT_TRUE(AdvanceUntil([&] { return mounter_.Read(Target(), "hello") == "good"; }));
  EXPECT_TRUE(Eventually([&] { return !StatsOf("csi-1").abnormal; }));
}

TEST_F(RotationTest, AMissingPathLeavesTheLastGoodValues) {
  ASSERT_TRUE(Publish(Request("csi-1", {{"secretStore", "app"}, {"path", "app"}})));
  esc_->SetEnvironmentJson(kDev, R"({"hello": "x"})");
  ASSERT_TRUE(AdvanceUntil([&] { return StatsOf("csi-1").abnormal; }));
  EXPECT_EQ(mounter_.Read(Target(), "user"), kCanary);
}

TEST_F(RotationTest, AFailedSwapIsTriedAgain) {
  ASSERT_TRUE(Publish(Request()));
  mounter_.FailPublish(Error{Code::kInternal, "swap: no"});
  esc_->SetEnvironmentJson(kDev, Json("new"));
  ASSERT_TRUE(AdvanceUntil([&] { return StatsOf("csi-1").abnormal; }));
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "world");
  mounter_.FailPublish(std::nullopt);
  ASSERT_TRUE(Publish(Request()));
  ASSERT_TRUE(Eventually([&] { return mounter_.Read(Target(), "hello") == "new"; }));
  EXPECT_TRUE(Eventually([&] { return !StatsOf("csi-1").abnormal; }));
}

TEST_F(RotationTest, AFailingRefreshKeepsTheValuesAndShowsInTheCondition) {
  ASSERT_TRUE(Publish(Request()));
  esc_->Fail(Operation::kHead, Error{Code::kUnavailable, "ESC is down"});
  esc_->Fail(Operation::kOpen, Error{Code::kUnavailable, "ESC is down"});
  ASSERT_TRUE(AdvanceUntil([&] { return StatsOf("csi-1").abnormal; }));
  EXPECT_THAT(StatsOf("csi-1").condition, HasSubstr("ESC is down"));
  EXPECT_THAT(StatsOf("csi-1").condition, HasSubstr("last current at 2026-01-01T00:"));
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "world");
  EXPECT_TRUE(manager().List()[0].abnormal);
  // New pods of the same identity start with the last good values.
  ASSERT_TRUE(Publish(Request("csi-2", {{"secretStore", "app"}}, "second")));

  esc_->StopFailing(Operation::kHead);
  esc_->StopFailing(Operation::kOpen);
  EXPECT_TRUE(AdvanceUntil([&] { return !StatsOf("csi-1").abnormal; }));
}

TEST_F(RotationTest, AnOptionalPathAppearsAndDisappears) {
  ASSERT_TRUE(
      Publish(Request("csi-1", {{"secretStore", "app"}, {"path", "late"}, {"optional", "true"}})));
  EXPECT_TRUE(mounter_.MountAt(Target())->specs.back().files.empty());
  EXPECT_FALSE(StatsOf("csi-1").abnormal);
  esc_->SetEnvironmentJson(kDev, R"({"late": {"key": "v"}})");
  ASSERT_TRUE(AdvanceUntil([&] { return mounter_.Read(Target(), "key") == "v"; }));
  esc_->SetEnvironmentJson(kDev, R"({"hello": "x"})");
  ASSERT_TRUE(AdvanceUntil([&] { return mounter_.Read(Target(), "key") == std::nullopt; }));
}

TEST_F(RotationTest, AnOptionalEnvironmentAppearsWithinTheInterval) {
  stores_.SetStore("default/app", kProd, Token("1"));
  ASSERT_TRUE(Publish(
      Request("csi-1", {{"secretStore", "app"}, {"optional", "true"}, {"refreshInterval", "2s"}})));
  EXPECT_TRUE(Exists(Target()));
  EXPECT_TRUE(mounter_.MountAt(Target())->specs.back().files.empty());
  EXPECT_FALSE(StatsOf("csi-1").abnormal);
  EXPECT_EQ(manager().List()[0].environment, kProd);
  EXPECT_FALSE(manager().List()[0].refresh_age);

  // Still not there at the next tries.
  const int opens = esc_->opens();
  ASSERT_TRUE(AdvanceUntil([&] { return esc_->opens() > opens; }));
  EXPECT_TRUE(mounter_.MountAt(Target())->specs.back().files.empty());

  esc_->SetEnvironmentJson(kProd, Json("late"));
  ASSERT_TRUE(AdvanceUntil([&] { return mounter_.Read(Target(), "hello") == "late"; }));
  ASSERT_TRUE(Eventually([&] { return manager().List()[0].generation == 2; }));
  // From here on it is refreshed like any other.
  esc_->SetEnvironmentJson(kProd, Json("later"));
  ASSERT_TRUE(AdvanceUntil([&] { return mounter_.Read(Target(), "hello") == "later"; }));
}

}  // namespace
}  // namespace escagent::volume
