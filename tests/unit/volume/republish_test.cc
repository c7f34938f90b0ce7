#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/volume/volume_fixture.h"

namespace escagent::volume {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class RepublishTest : public VolumeTest {};

TEST_F(RepublishTest, OfAMountedVolumeIsOkAndMountsNothing) {
  ASSERT_TRUE(Publish(Request()));
  csi::PublishRequest again = Request();
  again.service_account_tokens = Secret(std::string_view("another token"));
  ASSERT_TRUE(Publish(again));
  EXPECT_EQ(mounter_.MountCalls(), 1);
  EXPECT_EQ(esc_->opens(), 1);
  EXPECT_EQ(Events(VolumeEvent::Kind::kRepublish).size(), 1U);
}

TEST_F(RepublishTest, IsOkWhateverHappensToEscAndStores) {
  ASSERT_TRUE(Publish(Request()));
  for (const Code code : {Code::kUnavailable, Code::kUnauthenticated, Code::kNotFound}) {
    esc_->Fail(Operation::kOpen, Error{code, "no"});
    esc_->Fail(Operation::kHead, Error{code, "no"});
    stores_.Fail(Error{code, "no"});
    EXPECT_TRUE(Publish(Request()));
  }
  esc_->Block(Operation::kOpen);
  EXPECT_TRUE(Publish(Request()));
  EXPECT_EQ(mounter_.MountCalls(), 1);
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "world");
}

TEST_F(RepublishTest, WithSomethingElseIsRefusedAndChangesNothing) {
  ASSERT_TRUE(Publish(Request()));

  csi::PublishRequest pod = Request();
  pod.pod.uid = "other";
  csi::PublishRequest attributes = Request("csi-1", {{"secretStore", "app"}, {"path", "app"}});
  csi::PublishRequest group = Request();
  group.volume_mount_group = "5";
  csi::PublishRequest flags = Request();
  flags.mount_flags = {"context=x"};
  for (csi::PublishRequest* const request : {&pod, &attributes, &group, &flags}) {
    const Status status = Publish(*request);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::kAlreadyExists) << status.error().message;
  }

  const Status elsewhere = Publish(Request("csi-1", {{"secretStore", "app"}}, "other"));
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().code, Code::kFailedPrecondition);
  EXPECT_FALSE(Exists(Target("other")));

  EXPECT_EQ(mounter_.MountCalls(), 1);
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "world");
}

TEST_F(RepublishTest, AttributesThatMeanTheSameAreTheSame) {
  ASSERT_TRUE(Publish(Request("csi-1", {{"secretStore", "app"}, {"mode", "0440"}})));
  EXPECT_TRUE(
      Publish(Request("csi-1", {{"secretStore", "app"}, {"mode", "440"}, {"format", "files"}})));
}

TEST_F(RepublishTest, ADeadMountOfOursGetsANewOneOnTop) {
  ASSERT_TRUE(Publish(Request()));
  mounter_.Kill(Target());
  EXPECT_TRUE(StatsOf("csi-1").abnormal);
  ASSERT_TRUE(Publish(Request()));
  EXPECT_EQ(mounter_.MountCalls(), 2);
  EXPECT_TRUE(mounter_.MountAt(Target())->healthy);
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "world");
  EXPECT_FALSE(StatsOf("csi-1").abnormal);
  EXPECT_EQ(Events(VolumeEvent::Kind::kRestack).size(), 1U);

  // And rotates as before.
  esc_->SetEnvironmentJson(kDev, Json("new"));
  EXPECT_TRUE(AdvanceUntil([&] { return mounter_.Read(Target(), "hello") == "new"; }));
}

TEST_F(RepublishTest, AMountOfAFormerAgentGetsANewOneOnTop) {
  ASSERT_TRUE(Publish(Request()));
  RestartAgent({Target()});
  ASSERT_TRUE(Publish(Request()));
  EXPECT_EQ(mounter_.MountCalls(), 2);
  EXPECT_TRUE(mounter_.MountAt(Target())->healthy);
  ASSERT_TRUE(manager().Unpublish("csi-1", Target()));
  EXPECT_EQ(mounter_.MountCount(), 0U);
  EXPECT_FALSE(Exists(Target()));
}

TEST_F(RepublishTest, AFailedRepairIsUnavailableAndLeavesTheMountAlone) {
  ASSERT_TRUE(Publish(Request()));
  RestartAgent({Target()});
  for (const Code code : {Code::kPermissionDenied, Code::kNotFound, Code::kInvalidArgument}) {
    stores_.Fail(Error{code, "store says no"});
    const Status status = Publish(Request());
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::kUnavailable);
    EXPECT_THAT(status.error().message, HasSubstr("store says no"));
    EXPECT_TRUE(mounter_.MountAt(Target()));
    EXPECT_TRUE(Exists(Target()));
  }
  stores_.Fail(std::nullopt);
  EXPECT_TRUE(Publish(Request()));
}

TEST_F(RepublishTest, AFailedRepairOfOursIsUnavailableAndCanBeRepeated) {
  ASSERT_TRUE(Publish(Request()));
  mounter_.Kill(Target());
  mounter_.FailMount(Error{Code::kInternal, "mount: no"});
  const Status status = Publish(Request());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kUnavailable);
  EXPECT_TRUE(Exists(Target()));
  mounter_.FailMount(std::nullopt);
  EXPECT_TRUE(Publish(Request()));
  EXPECT_TRUE(mounter_.MountAt(Target())->healthy);
}

TEST_F(RepublishTest, StatsAreOfThePublishedPathOnly) {
  ASSERT_TRUE(Publish(Request()));
  const csi::VolumeStats stats = StatsOf("csi-1");
  EXPECT_EQ(stats.used_bytes, static_cast<std::int64_t>(5 + std::string(kCanary).size()));
  EXPECT_EQ(stats.used_inodes, 4);  // root, hello, app, app/user
  EXPECT_EQ(stats.total_bytes, stats.used_bytes);
  EXPECT_FALSE(stats.abnormal);
  EXPECT_EQ(stats.condition, "mounted");

  for (const auto& [id, path] : std::vector<std::pair<std::string, std::string>>{
           {"csi-1", "some/path"}, {"csi-1", Target("other")}, {"csi-2", Target()}}) {
    const auto missing = manager().Stats(id, path);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Code::kNotFound);
  }

  ASSERT_TRUE(mounter_.Remove("csi-1", Target()));
  EXPECT_TRUE(StatsOf("csi-1").abnormal);
  EXPECT_THAT(StatsOf("csi-1").condition, Not(HasSubstr(kCanary)));
}

}  // namespace
}  // namespace escagent::volume
