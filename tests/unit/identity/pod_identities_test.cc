#include "agent/identity/pod_identities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/unit/identity/identity_fixture.h"

namespace escagent::identity {
namespace {

using namespace std::chrono_literals;
using escagent::testing::FakeOidcIssuer;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

class PodIdentitiesTest : public IdentityFixture {
 protected:
  Secret TokensOf(const std::string& service_account, const std::string& uid = "uid") const {
    json claims =
        FakeOidcIssuer::PodClaims(kIssuer, "acme", "shop", service_account, Now(), Now() + 3600);
    claims["kubernetes.io"]["serviceaccount"]["uid"] = uid;
    return Secret(
        std::string_view(json{{"urn:pulumi:org:acme", {{"token", issuer_.Sign(claims)}}}}.dump()));
  }

  static PodRequest RequestOf(const Secret& tokens, const std::string& volume,
                              const std::string& service_account = "web") {
    return {.volume_id = volume,
            .namespace_name = "shop",
            .service_account = service_account,
            .grant = {.organization = "acme"},
            .tokens = tokens};
  }

  // Asks until there is an answer, as kubelet's call does.
  Result<std::shared_ptr<RenewedToken>> Publish(const std::string& volume,
                                                const std::string& service_account = "web",
                                                const std::string& uid = "uid") {
    clock_.Advance(1s);
    const Clock::TimePoint asked_at = clock_.Now();
    const Secret tokens = TokensOf(service_account, uid);
    Result<std::shared_ptr<RenewedToken>> answer;
    EXPECT_TRUE(Eventually([&] {
      answer = pods_.Admit(RequestOf(tokens, volume, service_account), asked_at);
      return answer || answer.error().retry_after.count() == 0;
    }));
    return answer;
  }

  const FakeOidcIssuer issuer_;
  TokenCache cache_{{}, transport_, clock_};
  PodIdentities pods_{kApiUrl, cache_, clock_};
};

TEST_F(PodIdentitiesTest, EachPodsOwnTokenIsExchanged) {
  Grant("first");
  const auto one = Publish("v1");
  ASSERT_TRUE(one) << one.error().message;
  Grant("second");
  const auto two = Publish("v2");
  ASSERT_TRUE(two);
  EXPECT_EQ(*one, *two);
  EXPECT_EQ(Exchanges(), 2U);
  EXPECT_TRUE((*(*one)->Get({}))->Equals("second"));
}

TEST_F(PodIdentitiesTest, DoesNotWaitForEsc) {
  Grant("first");
  const Secret tokens = TokensOf("web");
  const auto answer = pods_.Admit(RequestOf(tokens, "v"), clock_.Now());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_GT(answer.error().retry_after, 0ms);
}

TEST_F(PodIdentitiesTest, IdentitiesAreServiceAccounts) {
  Grant("token");
  const auto web = Publish("v1", "web");
  const auto api = Publish("v2", "api");
  const auto reborn = Publish("v3", "web", "another-uid");
  ASSERT_TRUE(web);
  ASSERT_TRUE(api);
  ASSERT_TRUE(reborn);
  EXPECT_NE((*web)->key().Digest(), (*api)->key().Digest());
  EXPECT_NE((*web)->key().Digest(), (*reborn)->key().Digest());
  EXPECT_EQ((*web)->key().Digest(), (*Publish("v4", "web"))->key().Digest());
}

TEST_F(PodIdentitiesTest, ADeniedPodIsRefusedWhateverIsKnown) {
  Grant("token");
  const auto admitted = Publish("v1");
  ASSERT_TRUE(admitted);
  Deny();
  const auto denied = Publish("v2");
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().code, Code::kPermissionDenied);
  EXPECT_THAT(denied.error().message, HasSubstr("no policy"));
  // And whether it holds for those that are in is found out.
  EXPECT_TRUE(Eventually([&] { return !(*admitted)->IsAdmitted(); }));
  Grant("again");
  EXPECT_TRUE(Publish("v3"));
}

TEST_F(PodIdentitiesTest, Http401IsADenialToo) {
  Answer(401, "");
  EXPECT_EQ(Publish("v1").error().code, Code::kPermissionDenied);
  EXPECT_EQ(cache_.Stats().identities, 0U);
}

TEST_F(PodIdentitiesTest, DuringAnOutageOnlyTheKnownAreServed) {
  Grant("token");
  ASSERT_TRUE(Publish("v1", "web"));
  BreakDown();
  EXPECT_TRUE(Publish("v2", "web"));
  const auto unknown = Publish("v3", "api");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kUnavailable);
  EXPECT_THAT(unknown.error().message, HasSubstr("HTTP 503"));
}

TEST_F(PodIdentitiesTest, ADeniedIdentityIsNotServedDuringAnOutage) {
  Grant("token");
  const auto admitted = Publish("v1");
  ASSERT_TRUE(admitted);
  Deny();
  EXPECT_FALSE(Publish("v2"));
  ASSERT_TRUE(Eventually([&] { return !(*admitted)->IsAdmitted(); }));
  BreakDown();
  EXPECT_EQ(Publish("v3").error().code, Code::kUnavailable);
}

TEST_F(PodIdentitiesTest, AnotherPodsTokenIsRefused) {
  const Secret tokens = TokensOf("admin");
  const auto answer = pods_.Admit(RequestOf(tokens, "v", "web"), clock_.Now());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kPermissionDenied);
  EXPECT_THAT(answer.error().message, AllOf(HasSubstr("shop/admin"), HasSubstr("shop/web")));
  EXPECT_EQ(Exchanges(), 0U);
}

TEST_F(PodIdentitiesTest, WithoutATokenNothingIsAsked) {
  const Secret none;
  EXPECT_EQ(pods_.Admit(RequestOf(none, "v"), clock_.Now()).error().code,
            Code::kFailedPrecondition);
  EXPECT_EQ(pods_.Renew(RequestOf(none, "v")).error().code, Code::kFailedPrecondition);
}

TEST_F(PodIdentitiesTest, ARepublishBringsTheTokenForTheNextRenewal) {
  const Secret tokens = TokensOf("web");
  const auto token = pods_.Renew(RequestOf(tokens, "v"));
  ASSERT_TRUE(token);
  EXPECT_EQ(Exchanges(), 0U);
  Grant("first", 100);
  ASSERT_TRUE((*token)->Get({}));
  clock_.Advance(50s);
  const Secret later = TokensOf("web");
  ASSERT_TRUE(pods_.Renew(RequestOf(later, "v")));
  clock_.Advance(50s);
  ASSERT_TRUE((*token)->Get({}));
  const std::string jwt = json::parse(later.Reveal())["urn:pulumi:org:acme"]["token"];
  EXPECT_THAT(transport_.Requests().back().body, HasSubstr(jwt));
}

TEST_F(PodIdentitiesTest, AnOutcomeIsOfItsIdentityOnly) {
  Grant("token");
  ASSERT_TRUE(Publish("v1", "web"));
  Deny();
  // The same volume id, as somebody else, within the same moment.
  const Secret tokens = TokensOf("api");
  const Clock::TimePoint asked_at = clock_.Now();
  Result<std::shared_ptr<RenewedToken>> answer;
  EXPECT_TRUE(Eventually([&] {
    answer = pods_.Admit(RequestOf(tokens, "v1", "api"), asked_at);
    return answer || answer.error().retry_after.count() == 0;
  }));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kPermissionDenied);
}

}  // namespace
}  // namespace escagent::identity
