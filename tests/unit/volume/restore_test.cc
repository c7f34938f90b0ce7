#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/volume/volume_record.h"
#include "tests/unit/volume/volume_fixture.h"

namespace escagent::volume {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class RestoreTest : public VolumeTest {
 protected:
  // Another agent that takes over everything that is mounted at `targets`.
  void TakeOver(const std::vector<std::string>& targets) {
    RestartAgent(targets);
    std::vector<fuse::RestoredVolume> restored;
    for (const std::string& target : targets) restored.push_back(mounter_.Restore(target));
    manager().Restore(std::move(restored));
  }
};

TEST_F(RestoreTest, GoesOnWithoutAMountOrARotation) {
  ASSERT_TRUE(Publish(Request()));
  TakeOver({Target()});
  EXPECT_TRUE(AdvanceUntil([&] { return manager().List().at(0).refresh_age.has_value(); }));
  EXPECT_EQ(mounter_.MountCalls(), 1);
  EXPECT_EQ(mounter_.MountAt(Target())->specs.size(), 1U);
  EXPECT_TRUE(Events(VolumeEvent::Kind::kRotate).empty());

  const VolumeStatus status = manager().List().at(0);
  EXPECT_EQ(status.pod.name, "podinfo");
  EXPECT_EQ(status.store, "SecretStore default/app");
  EXPECT_EQ(status.environment, kDev);
  EXPECT_TRUE(status.served);
  EXPECT_FALSE(status.abnormal) << status.condition;
  EXPECT_EQ(StatsOf("csi-1").used_inodes, 4);
}

TEST_F(RestoreTest, ShowsWhatChangedWhileNobodyWasThere) {
  ASSERT_TRUE(Publish(Request()));
  esc_->SetEnvironmentJson(kDev, Json("new"));
  TakeOver({Target()});
  EXPECT_TRUE(AdvanceUntil([&] { return mounter_.Read(Target(), "hello") == "new"; }));
  EXPECT_EQ(mounter_.MountAt(Target())->specs.size(), 2U);
}

TEST_F(RestoreTest, KeepsTheValuesWhileEscAndStoresAreAway) {
  ASSERT_TRUE(Publish(Request()));
  esc_->Fail(Operation::kOpen, Error{Code::kUnavailable, "down"});
  stores_.Fail(Error{Code::kUnavailable, "no store"});
  TakeOver({Target()});
  EXPECT_TRUE(AdvanceUntil([&] { return StatsOf("csi-1").abnormal; }));
  EXPECT_THAT(StatsOf("csi-1").condition, HasSubstr("no store"));
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "world");
  EXPECT_TRUE(Publish(Request()));
  EXPECT_EQ(mounter_.MountCalls(), 1);

  stores_.Fail(std::nullopt);
  EXPECT_TRUE(AdvanceUntil([&] { return manager().List().at(0).condition.contains("down"); }));
  esc_->StopFailing(Operation::kOpen);
  esc_->SetEnvironmentJson(kDev, Json("new"));
  EXPECT_TRUE(AdvanceUntil([&] { return mounter_.Read(Target(), "hello") == "new"; }));
  EXPECT_TRUE(AdvanceUntil([&] { return !StatsOf("csi-1").abnormal; }));
}

TEST_F(RestoreTest, RefusesTheSameThingsAsBefore) {
  ASSERT_TRUE(Publish(Request()));
  TakeOver({Target()});
  csi::PublishRequest other_pod = Request();
  other_pod.pod.uid = "other";
  EXPECT_EQ(Publish(other_pod).error().code, Code::kAlreadyExists);
  EXPECT_EQ(Publish(Request("csi-2")).error().code, Code::kFailedPrecondition);
  EXPECT_TRUE(manager().Unpublish("csi-1", Target()));
  EXPECT_FALSE(Exists(Target()));
  EXPECT_TRUE(manager().List().empty());
}

TEST_F(RestoreTest, ADeadMountIsMountedAnewOnlyWithValues) {
  ASSERT_TRUE(Publish(Request()));
  esc_->Fail(Operation::kOpen, Error{Code::kUnavailable, "down"});
  TakeOver({Target()});
  mounter_.Kill(Target());
  EXPECT_EQ(Publish(Request()).error().code, Code::kUnavailable);
  EXPECT_EQ(mounter_.MountCalls(), 1);
  esc_->StopFailing(Operation::kOpen);
  EXPECT_TRUE(AdvanceUntil([&] { return Publish(Request()).has_value(); }));
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "world");
}

TEST_F(RestoreTest, WhatCannotBeUnderstoodIsServedOn) {
  ASSERT_TRUE(Publish(Request()));
  RestartAgent({Target()});
  fuse::RestoredVolume restored = mounter_.Restore(Target());
  restored.metadata = "{}";
  std::vector<fuse::RestoredVolume> list;
  list.push_back(std::move(restored));
  manager().Restore(std::move(list));
  EXPECT_TRUE(manager().List().empty());
  EXPECT_TRUE(mounter_.MountAt(Target())->healthy);
  EXPECT_TRUE(manager().Unpublish("csi-1", Target()));
  EXPECT_EQ(mounter_.MountCount(), 0U);
}

TEST(VolumeRecordTest, ReadsWhatItWrote) {
  VolumeIdentity identity;
  identity.volume_id = "csi-1";
  identity.target = "/t/mount";
  identity.pod = {.name = "p", .namespace_name = "n", .uid = "u", .service_account = "s"};
  identity.requested = {.attributes = {{"secretStore", "app"}, {"path", "a[\"b\"]"}},
                        .volume_mount_group = "5",
                        .mount_flags = {"ro", "context=x"}};
  const Clock::WallTime at{std::chrono::milliseconds(1234567890123)};
  const auto record = DecodeRecord(EncodeRecord(identity, {"SecretStore n/app", "a/b/c"}, at));
  ASSERT_TRUE(record) << record.error().message;
  EXPECT_EQ(record->request.volume_id, "csi-1");
  EXPECT_EQ(record->request.target_path, "/t/mount");
  EXPECT_EQ(record->request.pod.namespace_name, "n");
  EXPECT_EQ(record->request.attributes, identity.requested.attributes);
  EXPECT_EQ(record->request.volume_mount_group, "5");
  EXPECT_EQ(record->request.mount_flags, identity.requested.mount_flags);
  EXPECT_EQ(record->source.store, "SecretStore n/app");
  EXPECT_EQ(record->source.environment, "a/b/c");
  EXPECT_EQ(record->mounted_at, at);
}

TEST(VolumeRecordTest, TakesWhatIsMissingForEmptyAndRefusesWhatIsNoObject) {
  EXPECT_TRUE(DecodeRecord(R"({"volumeId": 5, "attributes": "x", "mountFlags": {}})"));
  EXPECT_FALSE(DecodeRecord("[]"));
  EXPECT_FALSE(DecodeRecord("nonsense"));
}

}  // namespace
}  // namespace escagent::volume
