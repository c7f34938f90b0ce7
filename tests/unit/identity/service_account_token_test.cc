#include "agent/identity/service_account_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "agent/identity/identity_key.h"
#include "agent/identity/pod_subject.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_oidc_issuer.h"

namespace escagent::identity {
namespace {

using escagent::testing::FakeOidcIssuer;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kAudience = "urn:pulumi:org:acme";

class ServiceAccountTokenTest : public ::testing::Test {
 protected:
  std::string Sign(const json& claims) const { return issuer_.Sign(claims); }
  static json Claims(long long expires = 2000) {
    return FakeOidcIssuer::PodClaims("https://issuer", "acme", "shop", "web", 1000, expires);
  }
  static Secret Tokens(const std::string& jwt, const std::string& audience = kAudience) {
    return Secret(std::string_view(
        json{{audience, {{"token", jwt}, {"expirationTimestamp", "2026-01-01T01:00:00Z"}}}}
            .dump()));
  }
  static Result<ServiceAccountToken> Decode(const std::string& jwt) {
    return DecodeServiceAccountToken(Secret(std::string_view(jwt)));
  }

  const FakeOidcIssuer issuer_;
};

TEST_F(ServiceAccountTokenTest, ReadsTheClaims) {
  const std::string jwt = Sign(Claims());
  const auto token = FindServiceAccountToken(Tokens(jwt), kAudience);
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_TRUE(token->jwt.Equals(jwt));
  EXPECT_EQ(token->issuer, "https://issuer");
  EXPECT_EQ(token->namespace_name, "shop");
  EXPECT_EQ(token->service_account, "web");
  EXPECT_EQ(token->service_account_uid, "uid-of-web");
  EXPECT_EQ(token->expires_at, Clock::WallTime(std::chrono::seconds(2000)));
}

TEST_F(ServiceAccountTokenTest, TheSubjectIsEnough) {
  json claims = Claims();
  claims.erase("kubernetes.io");
  claims.erase("exp");
  const auto token = Decode(Sign(claims));
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->namespace_name, "shop");
  EXPECT_EQ(token->service_account, "web");
  EXPECT_EQ(token->service_account_uid, "");
  EXPECT_FALSE(token->expires_at);
}

TEST_F(ServiceAccountTokenTest, WithoutATokenTheErrorSaysWhatToAdd) {
  for (const Secret& tokens :
       {Secret(), Secret(std::string_view("{}")), Tokens("a.b.c", "https://other"), Tokens("")}) {
    const auto token = FindServiceAccountToken(tokens, kAudience);
    ASSERT_FALSE(token);
    EXPECT_EQ(token.error().code, Code::kFailedPrecondition);
    EXPECT_THAT(token.error().message,
                AllOf(HasSubstr("tokenRequests"), HasSubstr(kAudience), HasSubstr("CSIDriver"),
                      HasSubstr("csiDriver.tokenRequests")));
  }
}

TEST_F(ServiceAccountTokenTest, RefusesWhatIsNone) {
  json nobody = Claims();
  nobody.erase("kubernetes.io");
  nobody["sub"] = "user:ann";
  json half = Claims();
  half["kubernetes.io"] = {{"namespace", "shop"}};
  for (const std::string& jwt :
       {std::string("opaque-secret"), std::string("a.b"), std::string("a.!!.c"),
        std::string("a.YWJj.c"), std::string("a.WzFd.c"), std::string(".."), Sign(nobody),
        Sign(half), Sign(json::object())}) {
    const auto token = FindServiceAccountToken(Tokens(jwt), kAudience);
    ASSERT_FALSE(token) << jwt;
    EXPECT_EQ(token.error().code, Code::kFailedPrecondition) << jwt;
    EXPECT_THAT(token.error().message, Not(HasSubstr("opaque-secret")));
  }
  EXPECT_FALSE(FindServiceAccountToken(Secret(std::string_view("[")), kAudience));
}

TEST_F(ServiceAccountTokenTest, ImpossibleTimesAreNone) {
  for (const json& expires : {json(1e300), json(-5), json("soon"), json(0)}) {
    json claims = Claims();
    claims["exp"] = expires;
    const auto token = Decode(Sign(claims));
    ASSERT_TRUE(token);
    EXPECT_FALSE(token->expires_at) << expires;
  }
}

TEST(IdentityKeyTest, DigestsDifferWithEachPart) {
  const IdentityKey key{"url", {"acme", ""}, "who"};
  EXPECT_EQ(key.Digest(), (IdentityKey{"url", {"acme", ""}, "who"}.Digest()));
  for (const IdentityKey& other :
       {IdentityKey{"url2", {"acme", ""}, "who"}, IdentityKey{"url", {"acme2", ""}, "who"},
        IdentityKey{"url", {"acme", "team:a"}, "who"}, IdentityKey{"url", {"acme", ""}, "who2"},
        IdentityKey{"url", {"acm", "e"}, "who"}}) {
    EXPECT_NE(key.Digest(), other.Digest());
  }
}

TEST_F(ServiceAccountTokenTest, TheTokenThatIsGoodLongestIsKept) {
  escagent::testing::FakeClock clock;
  const long long now = std::chrono::system_clock::to_time_t(clock.WallNow());
  PodSubject subject(clock);
  EXPECT_EQ(subject.Get({}).error().code, Code::kUnavailable);
  const std::string first = Sign(Claims(now + 100));
  const std::string later = Sign(Claims(now + 200));
  const std::string sooner = Sign(Claims(now + 50));
  for (const std::string& jwt : {first, later, sooner}) subject.Offer(*Decode(jwt));
  EXPECT_TRUE(subject.Get({})->Equals(later));
  clock.Advance(std::chrono::seconds(201));
  EXPECT_EQ(subject.Get({}).error().code, Code::kUnavailable);
  const std::string fresh = Sign(Claims(now + 900));
  subject.Offer(*Decode(fresh));
  EXPECT_TRUE(subject.Get({})->Equals(fresh));
}

}  // namespace
}  // namespace escagent::identity
