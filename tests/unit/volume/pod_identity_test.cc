#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "agent/identity/pod_identities.h"
#include "agent/identity/token_cache.h"
#include "tests/fakes/fake_http_transport.h"
#include "tests/fakes/fake_oidc_issuer.h"
#include "tests/unit/volume/volume_fixture.h"

// Volumes that are opened with the pod's own identity (`auth: pod`).

namespace escagent::volume {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kExchange = "/api/oauth/token";

class PodIdentityTest : public VolumeTest {
 protected:
  PodIdentityTest() {
    options_.pods = &pods_;
    Grant();
  }
  ~PodIdentityTest() override {
    manager_.reset();
    cache_.reset();
  }

  void Grant(int lifetime = 3600) {
    Answer(200, json{{"access_token", Token("pod")}, {"expires_in", lifetime}}.dump());
  }
  void Deny() { Answer(403, json{{"error_description", "no policy"}}.dump()); }
  void BreakDown() { Answer(502, ""); }
  void Answer(int status, const std::string& body) {
    transport_.Forget("POST", kExchange);
    transport_.Answer("POST", kExchange, status, body);
  }

  csi::PublishRequest PodVolume(const std::string& volume, const std::string& account = "podinfo",
                                Attributes more = {}) {
    clock_.Advance(1ms);
    Attributes attributes = {{"environment", kDev}, {"auth", "pod"}};
    attributes.merge(more);
    csi::PublishRequest request = Request(volume, attributes, volume);
    request.pod.service_account = account;
    const auto now = std::chrono::system_clock::to_time_t(clock_.WallNow());
    const json claims = testing::FakeOidcIssuer::PodClaims("https://issuer", "acme", "default",
                                                           account, now, now + 3600);
    request.service_account_tokens = Secret(
        std::string_view(json{{"urn:pulumi:org:acme", {{"token", issuer_.Sign(claims)}}}}.dump()));
    return request;
  }
  std::optional<std::string> Hello(const std::string& volume) const {
    return mounter_.Read(Target(volume), "hello");
  }
  // ESC refuses whoever asks for the environment.
  void RefuseAll() {
    const Error error{.code = Code::kUnauthenticated, .message = "HTTP 401"};
    esc_->Fail(Operation::kHead, error);
    esc_->Fail(Operation::kOpen, error);
  }
  void AdmitAll() {
    esc_->StopFailing(Operation::kHead);
    esc_->StopFailing(Operation::kOpen);
  }

  const testing::FakeOidcIssuer issuer_;
  testing::FakeHttpTransport transport_;
  identity::TokenCache tokens_{{}, transport_, clock_};
  identity::PodIdentities pods_{"https://esc.test/api/esc", tokens_, clock_};
};

TEST_F(PodIdentityTest, OpensTheEnvironmentAsThePod) {
  ASSERT_TRUE(Publish(PodVolume("v1")));
  EXPECT_EQ(Hello("v1"), "world");
  const auto status = manager().List().at(0);
  EXPECT_EQ(status.store, "ServiceAccount default/podinfo");
  EXPECT_EQ(status.environment, kDev);
  EXPECT_EQ(status.condition, "mounted");
}

TEST_F(PodIdentityTest, OneServiceAccountSharesOthersDoNot) {
  ASSERT_TRUE(Publish(PodVolume("v1")));
  ASSERT_TRUE(Publish(PodVolume("v2")));
  EXPECT_EQ(esc_->opens(), 1);
  ASSERT_TRUE(Publish(PodVolume("v3", "other")));
  EXPECT_EQ(esc_->opens(), 2);
  EXPECT_EQ(cache_->List().size(), 2U);
  ASSERT_TRUE(Publish(PodVolume("v4", "podinfo", {{"authScope", "team:ops"}})));
  EXPECT_EQ(cache_->List().size(), 3U);
}

TEST_F(PodIdentityTest, AMissingTokenSaysWhatToAdd) {
  csi::PublishRequest request = PodVolume("v1");
  request.service_account_tokens = Secret();
  const Status status = Publish(request);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(status.error().message,
              AllOf(HasSubstr("tokenRequests"), HasSubstr("urn:pulumi:org:acme")));
  EXPECT_FALSE(Exists(Target("v1")));
}

TEST_F(PodIdentityTest, ADeniedPodIsNotMountedWhateverIsCached) {
  ASSERT_TRUE(Publish(PodVolume("v1")));
  Deny();
  const Status status = Publish(PodVolume("v2"));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kPermissionDenied);
  EXPECT_THAT(status.error().message, AllOf(HasSubstr("no policy"), Not(HasSubstr(kCanary))));
  EXPECT_EQ(mounter_.MountCount(), 1U);
  EXPECT_EQ(Hello("v1"), "world");
  const VolumeEvent event = Events(VolumeEvent::Kind::kPublish).back();
  ASSERT_TRUE(event.error);
  EXPECT_EQ(event.source.store, "ServiceAccount default/podinfo");
  EXPECT_EQ(event.source.environment, kDev);
}

TEST_F(PodIdentityTest, DuringAnOutageOnlyKnownIdentitiesAreServed) {
  ASSERT_TRUE(Publish(PodVolume("v1")));
  BreakDown();
  EXPECT_TRUE(Publish(PodVolume("v2")));
  EXPECT_EQ(Hello("v2"), "world");
  EXPECT_EQ(Publish(PodVolume("v3", "other")).error().code, Code::kUnavailable);
}

TEST_F(PodIdentityTest, ARepublishIsOkWhateverItBrings) {
  ASSERT_TRUE(Publish(PodVolume("v1")));
  const std::size_t exchanges = transport_.Requests().size();
  csi::PublishRequest without = PodVolume("v1");
  without.service_account_tokens = Secret();
  EXPECT_TRUE(Publish(without));
  Deny();
  EXPECT_TRUE(Publish(PodVolume("v1")));
  EXPECT_EQ(transport_.Requests().size(), exchanges);
}

TEST_F(PodIdentityTest, ARestoredVolumeIsRefreshedFromTheNextPublishOn) {
  ASSERT_TRUE(Publish(PodVolume("v1")));
  RestartAgent({Target("v1")});
  const auto record = mounter_.MountAt(Target("v1"))->options.metadata;
  EXPECT_THAT(record, AllOf(Not(HasSubstr(kCanary)), Not(HasSubstr("eyJ"))));
  std::vector<fuse::RestoredVolume> restored;
  restored.push_back(mounter_.Restore(Target("v1")));
  manager().Restore(std::move(restored));
  esc_->SetEnvironmentJson(kDev, Json("new"));
  clock_.Advance(20s);
  EXPECT_EQ(Hello("v1"), "world");
  EXPECT_FALSE(StatsOf("v1", "v1").abnormal);
  ASSERT_TRUE(Publish(PodVolume("v1")));
  EXPECT_TRUE(AdvanceUntil([&] { return Hello("v1") == "new"; }));
}

TEST_F(PodIdentityTest, ARestoredVolumeWithoutATokenForLongIsAbnormal) {
  ASSERT_TRUE(Publish(PodVolume("v1")));
  RestartAgent({Target("v1")});
  std::vector<fuse::RestoredVolume> restored;
  restored.push_back(mounter_.Restore(Target("v1")));
  manager().Restore(std::move(restored));
  EXPECT_TRUE(AdvanceUntil([&] { return StatsOf("v1", "v1").abnormal; }));
  EXPECT_THAT(StatsOf("v1", "v1").condition, HasSubstr("requiresRepublish"));
}

TEST_F(PodIdentityTest, EmptiesTheFilesOfARefusedIdentity) {
  ASSERT_TRUE(Publish(PodVolume("v1", "podinfo", {{"onRevoke", "empty"}})));
  ASSERT_TRUE(Publish(PodVolume("v2")));
  RefuseAll();
  ASSERT_TRUE(AdvanceUntil([&] { return Hello("v1") == ""; }));
  EXPECT_EQ(mounter_.Read(Target("v1"), "app/user"), "");
  // The default keeps them.
  EXPECT_EQ(Hello("v2"), "world");
  ASSERT_TRUE(
      Eventually([&] { return StatsOf("v1", "v1").condition.contains("onRevoke: empty"); }));
  EXPECT_TRUE(StatsOf("v1", "v1").abnormal);
  EXPECT_THAT(StatsOf("v2", "v2").condition, HasSubstr("ESC refuses the identity"));
  ASSERT_TRUE(Eventually([&] { return Events(VolumeEvent::Kind::kRefuse).size() == 2; }));
  const VolumeEvent refusal = Events(VolumeEvent::Kind::kRefuse).at(0);
  ASSERT_TRUE(refusal.error);
  EXPECT_THAT(refusal.error->message, HasSubstr("HTTP 401"));
  EXPECT_EQ(refusal.pod.name, "podinfo");
  EXPECT_EQ(refusal.source.environment, kDev);
  EXPECT_EQ(Publish(PodVolume("v3")).error().code, Code::kUnauthenticated);
  AdmitAll();
  EXPECT_TRUE(AdvanceUntil([&] { return Hello("v1") == "world"; }));
  EXPECT_TRUE(Eventually([&] { return !StatsOf("v1", "v1").abnormal; }));
}

TEST_F(PodIdentityTest, AnOutageEmptiesNothing) {
  ASSERT_TRUE(Publish(PodVolume("v1", "podinfo", {{"onRevoke", "empty"}})));
  const int heads = esc_->heads();
  esc_->Fail(Operation::kHead, {.code = Code::kUnavailable, .message = "HTTP 502"});
  ASSERT_TRUE(AdvanceUntil([&] { return esc_->heads() > heads + 2; }));
  EXPECT_EQ(Hello("v1"), "world");
  EXPECT_TRUE(Events(VolumeEvent::Kind::kRefuse).empty());
}

TEST_F(PodIdentityTest, ADeadMountOfARefusedIdentityIsMendedEmpty) {
  ASSERT_TRUE(Publish(PodVolume("v1", "podinfo", {{"onRevoke", "empty"}})));
  RefuseAll();
  ASSERT_TRUE(AdvanceUntil([&] { return Hello("v1") == ""; }));
  mounter_.Kill(Target("v1"));
  ASSERT_TRUE(Publish(PodVolume("v1", "podinfo", {{"onRevoke", "empty"}})));
  EXPECT_EQ(mounter_.MountCalls(), 2);
  EXPECT_EQ(Hello("v1"), "");
}

TEST_F(PodIdentityTest, AStoresTokenCanBeRevokedToo) {
  ASSERT_TRUE(Publish(Request("csi-1", {{"secretStore", "app"}, {"onRevoke", "empty"}})));
  RefuseAll();
  EXPECT_TRUE(AdvanceUntil([&] { return Hello("mount") == ""; }));
  AdmitAll();
  esc_->SetEnvironmentJson(kDev, Json("back"));
  EXPECT_TRUE(AdvanceUntil([&] { return Hello("mount") == "back"; }));
}

TEST_F(PodIdentityTest, ARestoredVolumeIsEmptiedWhenItsIdentityIsDenied) {
  const Attributes attributes = {{"secretStore", "app"}, {"onRevoke", "empty"}};
  ASSERT_TRUE(Publish(Request("csi-1", attributes)));
  RestartAgent({Target()});
  RefuseAll();
  std::vector<fuse::RestoredVolume> restored;
  restored.push_back(mounter_.Restore(Target()));
  manager().Restore(std::move(restored));
  EXPECT_TRUE(AdvanceUntil([&] { return Hello("mount") == ""; }));
  AdmitAll();
  EXPECT_TRUE(AdvanceUntil([&] { return Hello("mount") == "world"; }));
}

TEST_F(PodIdentityTest, WithoutIdentitiesSuchVolumesAreRefused) {
  options_.pods = nullptr;
  EXPECT_EQ(Publish(PodVolume("v1")).error().code, Code::kFailedPrecondition);
}

}  // namespace
}  // namespace escagent::volume
