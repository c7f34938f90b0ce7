#include "esc/devserver/json_web_keys.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/fakes/fake_oidc_issuer.h"

namespace escagent::devserver {
namespace {

using escagent::testing::FakeOidcIssuer;
using nlohmann::json;

const json kTokenClaims = {{"sub", "me"}, {"umlaut", "\u00fc"}};

std::string Verify(const JsonWebKeys& keys, const std::string& token) {
  const auto claims = keys.Verify(token);
  return claims ? (*claims)["sub"].get<std::string>() : claims.error().message;
}

class JsonWebKeysTest : public ::testing::TestWithParam<FakeOidcIssuer::Algorithm> {
 protected:
  const FakeOidcIssuer issuer_{GetParam()};
};

TEST_P(JsonWebKeysTest, VerifiesSignatures) {
  const auto keys = JsonWebKeys::Parse(issuer_.Jwks(), "keys");
  ASSERT_TRUE(keys) << keys.error().message;
  const std::string token = issuer_.Sign(kTokenClaims);
  EXPECT_EQ(*keys->Verify(token), kTokenClaims);
  // One character of the claims, then of the signature.
  for (const std::size_t at : {token.find('.') + 5, token.rfind('.') + 5}) {
    std::string forged = token;
    forged[at] = forged[at] == 'A' ? 'B' : 'A';
    const auto claims = keys->Verify(forged);
    ASSERT_FALSE(claims);
    EXPECT_EQ(claims.error().code, Code::kUnauthenticated);
    EXPECT_FALSE(claims.error().message.contains(token.substr(0, 10)));
  }
  const FakeOidcIssuer other(GetParam());
  EXPECT_EQ(Verify(*keys, other.Sign(kTokenClaims)),
            "verify the subject token: its signature is not the issuer's");
  const FakeOidcIssuer unknown(GetParam(), "key-2");
  EXPECT_EQ(Verify(*keys, unknown.Sign(kTokenClaims)),
            "verify the subject token: the issuer's JWK set has no key of its \"kid\" and \"alg\"");
}

TEST_P(JsonWebKeysTest, FindsTheKeyAmongSeveral) {
  const FakeOidcIssuer first(FakeOidcIssuer::Algorithm::kRs256, "a");
  const FakeOidcIssuer second(FakeOidcIssuer::Algorithm::kEs256, "b");
  const json set = {
      {"keys", {first.Jwk(), second.Jwk(), {{"kty", "oct"}, {"k", "AAAA"}}, issuer_.Jwk()}}};
  const auto keys = JsonWebKeys::Parse(set.dump(), "keys");
  ASSERT_TRUE(keys);
  for (const FakeOidcIssuer* issuer : {&first, &second, &issuer_}) {
    EXPECT_EQ(Verify(*keys, issuer->Sign(kTokenClaims)), "me");
  }
}

INSTANTIATE_TEST_SUITE_P(Algorithms, JsonWebKeysTest,
                         ::testing::Values(FakeOidcIssuer::Algorithm::kRs256,
                                           FakeOidcIssuer::Algorithm::kEs256));

TEST(JsonWebKeysBadInputTest, RefusesWhatIsNoToken) {
  const FakeOidcIssuer issuer;
  const auto keys = JsonWebKeys::Parse(issuer.Jwks(), "keys");
  ASSERT_TRUE(keys);
  const std::string good = issuer.Sign(kTokenClaims);
  // {"alg":"none"} and {"alg":"HS256"} with a signature that nobody made.
  for (const std::string& token :
       {std::string(), std::string("a.b"), std::string("..."), good + ".x",
        "eyJhbGciOiJub25lIn0" + good.substr(good.find('.')),
        "eyJhbGciOiJub25lIn0" + good.substr(good.find('.'), good.rfind('.') - good.find('.') + 1),
        "eyJhbGciOiJIUzI1NiJ9" + good.substr(good.find('.')), good.substr(0, good.size() - 8),
        good + "="}) {
    EXPECT_FALSE(keys->Verify(token)) << token;
  }
}

TEST(JsonWebKeysBadInputTest, RefusesSetsWithoutAKey) {
  for (const char* text :
       {"", "[]", "{}", R"({"keys": {}})", R"({"keys": []})", R"({"keys": [1, {"kty": "RSA"}]})",
        R"({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]})",
        R"({"keys": [{"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}]})"}) {
    const auto keys = JsonWebKeys::Parse(text, "keys");
    ASSERT_FALSE(keys) << text;
    EXPECT_EQ(keys.error().code, Code::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace escagent::devserver
