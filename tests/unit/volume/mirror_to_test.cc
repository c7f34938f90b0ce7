#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_secret_mirror.h"
#include "tests/unit/volume/volume_fixture.h"

// Volumes with mirrorTo: when their Secret is written and released.

namespace escagent::volume {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr char kSecret[] = "default/app-env";
const Attributes kMirrored = {{"secretStore", "app"}, {"mirrorTo", "app-env"}};

class MirrorToTest : public VolumeTest {
 protected:
  MirrorToTest() { options_.secret_mirror = &mirror_; }
  ~MirrorToTest() override { manager_.reset(); }

  csi::PublishRequest Mirrored(const std::string& volume_id = "csi-1",
                               const std::string& name = "mount",
                               const std::string& pod_uid = "uid-1") const {
    csi::PublishRequest request = Request(volume_id, kMirrored, name);
    request.pod.uid = pod_uid;
    return request;
  }
  // The value of a key of the Secret; empty when it is not there.
  std::string Value(const std::string& key) const {
    const auto secret = mirror_.Find(kSecret);
    return secret && secret->data.contains(key) ? secret->data.at(key) : "";
  }
  // Publishes until the answer is an error that names `cause`.
  Status PublishUntil(const csi::PublishRequest& request, const std::string& cause) {
    Status status;
    EXPECT_TRUE(Eventually([&] {
      status = manager().Publish(request);
      return !status && status.error().message.contains(cause);
    }));
    return status;
  }

  testing::FakeSecretMirror mirror_;
};

TEST_F(MirrorToTest, TheSecretIsWrittenBeforeTheMount) {
  mirror_.Block(true);
  const Status waits = PublishUntil(Mirrored(), "has not answered yet");
  EXPECT_EQ(waits.error().code, Code::kUnavailable);
  EXPECT_GT(waits.error().retry_after, 0ms);
  EXPECT_EQ(mounter_.MountCalls(), 0);
  mirror_.Block(false);
  ASSERT_TRUE(Publish(Mirrored()));
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "world");
  const auto secret = mirror_.Find(kSecret);
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->data.at("hello"), "world");
  EXPECT_EQ(secret->data.at("app"), std::string(R"({"user":")") + kCanary + "\"}");
  EXPECT_EQ(secret->source, "SecretStore/app");
  EXPECT_THAT(secret->owners, UnorderedElementsAre("uid-1"));
}

TEST_F(MirrorToTest, RepublishesWriteNothingAndNeverFail) {
  ASSERT_TRUE(Publish(Mirrored()));
  mirror_.Fail(Error{Code::kUnavailable, "down"});
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(manager().Publish(Mirrored()));
  mounter_.Kill(Target());
  ASSERT_TRUE(manager().Publish(Mirrored()));
  EXPECT_FALSE(StatsOf("csi-1").abnormal) << StatsOf("csi-1").condition;
  EXPECT_EQ(mirror_.writes(), 1);
}

TEST_F(MirrorToTest, AnApiServerThatIsDownIsTheAnswerWithItsCause) {
  mirror_.Fail(Error{Code::kDeadlineExceeded, "connect: no route"});
  const Status status = PublishUntil(Mirrored(), "no route");
  EXPECT_EQ(status.error().code, Code::kUnavailable);
  EXPECT_GT(status.error().retry_after, 0ms);
  EXPECT_THAT(status.error().message, HasSubstr("write Secret default/app-env of mirrorTo"));
  EXPECT_THAT(status.error().message, Not(HasSubstr(kCanary)));
  EXPECT_EQ(mounter_.MountCalls(), 0);
  EXPECT_FALSE(Exists(Target()));

  // Kubelet comes again.
  mirror_.Fail(std::nullopt);
  clock_.Advance(10s);
  EXPECT_TRUE(Publish(Mirrored()));
  EXPECT_EQ(Value("hello"), "world");
}

TEST_F(MirrorToTest, NothingIsTriedForAVolumeThatNobodyAsksForAnyMore) {
  mirror_.Fail(Error{Code::kUnavailable, "down"});
  ASSERT_FALSE(PublishUntil(Mirrored(), "down"));
  clock_.Advance(11s);
  const int writes = mirror_.writes();
  // Another volume's write comes after any that was due.
  mirror_.Fail(std::nullopt);
  csi::PublishRequest other = Request("csi-2", {{"secretStore", "app"}, {"mirrorTo", "b"}}, "two");
  ASSERT_TRUE(Publish(other));
  EXPECT_EQ(mirror_.writes(), writes + 1);
  EXPECT_FALSE(mirror_.Find(kSecret));
}

TEST_F(MirrorToTest, AnErrorThatStaysIsAnsweredAndTriedWithTheNextPublish) {
  mirror_.Fail(Error{Code::kFailedPrecondition, "Secret default/app-env is foreign"});
  const Status status = Publish(Mirrored());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(status.error().message, HasSubstr("foreign"));
  mirror_.Fail(std::nullopt);
  clock_.Advance(1ms);
  EXPECT_TRUE(Publish(Mirrored()));
}

TEST_F(MirrorToTest, ARotationRewritesTheSecret) {
  ASSERT_TRUE(Publish(Mirrored()));
  esc_->SetEnvironmentJson(kDev, Json("again"));
  ASSERT_TRUE(AdvanceUntil([&] { return Value("hello") == "again"; }));
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "again");
  EXPECT_EQ(mirror_.writes(), 2);
}

TEST_F(MirrorToTest, AChangeOutsideThePathWritesNothing) {
  csi::PublishRequest request = Mirrored();
  request.attributes["path"] = "app";
  ASSERT_TRUE(Publish(request));
  ASSERT_TRUE(Publish(Request("csi-2", {{"secretStore", "app"}}, "all")));
  esc_->SetEnvironmentJson(kDev, Json("changed"));
  ASSERT_TRUE(AdvanceUntil([&] { return mounter_.Read(Target("all"), "hello") == "changed"; }));
  esc_->SetEnvironmentJson(kDev, R"({"app": {"user": "new"}})");
  ASSERT_TRUE(AdvanceUntil([&] { return Value("user") == "new"; }));
  EXPECT_EQ(mirror_.writes(), 2);
}

TEST_F(MirrorToTest, ReadersDoNotWaitForASecretThatCannotBeWritten) {
  ASSERT_TRUE(Publish(Mirrored()));
  mirror_.Fail(Error{Code::kUnavailable, "API server away"});
  esc_->SetEnvironmentJson(kDev, Json("again"));
  ASSERT_TRUE(AdvanceUntil([&] { return mounter_.Read(Target(), "hello") == "again"; }));
  ASSERT_TRUE(Eventually([&] { return StatsOf("csi-1").abnormal; }));
  EXPECT_THAT(StatsOf("csi-1").condition, HasSubstr("the Secret cannot be kept up since 2026-"));
  EXPECT_THAT(StatsOf("csi-1").condition, HasSubstr("API server away"));
  EXPECT_THAT(StatsOf("csi-1").condition, Not(HasSubstr(kCanary)));
  EXPECT_EQ(Value("hello"), "world");
  mirror_.Fail(std::nullopt);
  ASSERT_TRUE(AdvanceUntil([&] { return Value("hello") == "again"; }));
  EXPECT_TRUE(Eventually([&] { return !StatsOf("csi-1").abnormal; }));
}

TEST_F(MirrorToTest, PodsShareASecretThatGoesWithTheLast) {
  ASSERT_TRUE(Publish(Mirrored("csi-1", "one", "uid-1")));
  ASSERT_TRUE(Publish(Mirrored("csi-2", "two", "uid-2")));
  EXPECT_THAT(mirror_.Find(kSecret)->owners, UnorderedElementsAre("uid-1", "uid-2"));
  ASSERT_TRUE(manager().Unpublish("csi-1", Target("one")));
  ASSERT_TRUE(Eventually([&] { return mirror_.Find(kSecret)->owners.size() == 1; }));
  ASSERT_TRUE(manager().Unpublish("csi-2", Target("two")));
  EXPECT_TRUE(Eventually([&] { return !mirror_.Find(kSecret); }));
}

TEST_F(MirrorToTest, ASecondVolumeOfThePodKeepsItsOwnership) {
  ASSERT_TRUE(Publish(Mirrored("csi-1", "one")));
  ASSERT_TRUE(Publish(Mirrored("csi-2", "two")));
  ASSERT_TRUE(manager().Unpublish("csi-1", Target("one")));
  ASSERT_TRUE(manager().Unpublish("csi-2", Target("two")));
  ASSERT_TRUE(Eventually([&] { return !mirror_.Find(kSecret); }));

  ASSERT_TRUE(Publish(Mirrored("csi-3", "three")));
  ASSERT_TRUE(Publish(Mirrored("csi-4", "four")));
  ASSERT_TRUE(manager().Unpublish("csi-3", Target("three")));
  // A volume of another Secret comes and goes: the release before it is over by then.
  csi::PublishRequest other = Request("csi-5", {{"secretStore", "app"}, {"mirrorTo", "b"}}, "five");
  ASSERT_TRUE(Publish(other));
  ASSERT_TRUE(manager().Unpublish("csi-5", Target("five")));
  ASSERT_TRUE(Eventually([&] { return !mirror_.Find("default/b"); }));
  EXPECT_TRUE(mirror_.Find(kSecret));
}

TEST_F(MirrorToTest, UnpublishDoesNotNeedTheApiServer) {
  ASSERT_TRUE(Publish(Mirrored()));
  mirror_.Fail(Error{Code::kUnavailable, "away"});
  ASSERT_TRUE(manager().Unpublish("csi-1", Target()));
  EXPECT_FALSE(Exists(Target()));
  ASSERT_TRUE(Eventually([&] { return mirror_.releases() >= 1; }));
  EXPECT_TRUE(mirror_.Find(kSecret));
  mirror_.Fail(std::nullopt);
  EXPECT_TRUE(AdvanceUntil([&] { return !mirror_.Find(kSecret); }));
}

TEST_F(MirrorToTest, AVolumeThatIsPublishedAgainHasItsSecretAgain) {
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(Publish(Mirrored()));
    ASSERT_EQ(Value("hello"), "world") << round;
    ASSERT_TRUE(manager().Unpublish("csi-1", Target()));
  }
  EXPECT_TRUE(Eventually([&] { return !mirror_.Find(kSecret); }));
}

TEST_F(MirrorToTest, ASecretOfAVolumeThatWasNeverMountedIsReleased) {
  mounter_.FailMount(Error{Code::kInternal, "mount: no"});
  ASSERT_FALSE(Publish(Mirrored()));
  ASSERT_TRUE(mirror_.Find(kSecret));
  ASSERT_TRUE(manager().Unpublish("csi-1", Target()));
  EXPECT_TRUE(Eventually([&] { return !mirror_.Find(kSecret); }));
}

TEST_F(MirrorToTest, AnOptionalVolumeWritesWhenThereAreValues) {
  csi::PublishRequest request = Mirrored();
  request.attributes["optional"] = "true";
  request.attributes["path"] = "later";
  ASSERT_TRUE(Publish(request));
  EXPECT_FALSE(mirror_.Find(kSecret));
  esc_->SetEnvironmentJson(kDev, R"({"later": {"key": "value"}})");
  EXPECT_TRUE(AdvanceUntil([&] { return Value("key") == "value"; }));
  EXPECT_EQ(mirror_.writes(), 1);
}

TEST_F(MirrorToTest, ADeadMountIsRepairedWithoutTheApiServer) {
  ASSERT_TRUE(Publish(Mirrored()));
  RestartAgent({Target()});
  mirror_.Fail(Error{Code::kUnavailable, "away"});
  ASSERT_TRUE(Publish(Mirrored()));
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "world");
  mirror_.Fail(std::nullopt);
  esc_->SetEnvironmentJson(kDev, Json("again"));
  EXPECT_TRUE(AdvanceUntil([&] { return Value("hello") == "again"; }));
}

TEST_F(MirrorToTest, RestoredVolumesGoOn) {
  ASSERT_TRUE(Publish(Mirrored()));
  RestartAgent({Target()});
  esc_->SetEnvironmentJson(kDev, Json("new"));
  std::vector<fuse::RestoredVolume> restored;
  restored.push_back(mounter_.Restore(Target()));
  manager().Restore(std::move(restored));
  ASSERT_TRUE(AdvanceUntil([&] { return Value("hello") == "new"; }));
  ASSERT_TRUE(manager().Unpublish("csi-1", Target()));
  EXPECT_TRUE(Eventually([&] { return !mirror_.Find(kSecret); }));
}

TEST_F(MirrorToTest, KeysThatKubernetesRefusesKeepThePodFromStarting) {
  esc_->SetEnvironmentJson(kDev, std::string(R"({"a b": ")") + kCanary + R"(", "a_b": "x"})");
  const Status status = Publish(Mirrored());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kInvalidArgument);
  EXPECT_THAT(status.error().message, HasSubstr("\"a_b\""));
  EXPECT_THAT(status.error().message, Not(HasSubstr(kCanary)));
  EXPECT_EQ(mounter_.MountCalls(), 0);
}

TEST_F(MirrorToTest, NeedsAnApiServer) {
  options_.secret_mirror = nullptr;
  const Status status = Publish(Mirrored());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(status.error().message, HasSubstr("mirrorTo needs an API server"));
}

TEST_F(MirrorToTest, NeedsToKnowThePod) {
  const Status status = Publish(Mirrored("csi-1", "mount", ""));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kInvalidArgument);
  EXPECT_THAT(status.error().message, HasSubstr("podInfoOnMount"));
}

}  // namespace
}  // namespace escagent::volume
