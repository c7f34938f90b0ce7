#include "esc/token_exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http_transport.h"

namespace escagent::esc {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kTokenPath = "/api/oauth/token";
constexpr std::string_view kSubject = "eyJhbGciOi.J9+/=subject-token.signature";

class TokenExchangeTest : public ::testing::Test {
 protected:
  Result<ExchangedToken> Exchange(TokenGrant grant = {.organization = "acme"},
                                  std::chrono::seconds lifetime = 0s,
                                  const std::string& url = "https://esc.test/api/esc") {
    return exchange_.Exchange(url, grant, subject_, lifetime, {});
  }

  Error FailWith(int status, std::string_view body, std::vector<HttpHeader> headers = {}) {
    transport_.Answer("POST", kTokenPath, status, body, std::move(headers));
    const Result<ExchangedToken> exchanged = Exchange();
    EXPECT_FALSE(exchanged);
    return exchanged ? Error{} : exchanged.error();
  }

  const Secret subject_{kSubject};
  escagent::testing::FakeHttpTransport transport_;
  escagent::testing::FakeClock clock_;
  const TokenExchange exchange_{{}, transport_, clock_};
};

TEST_F(TokenExchangeTest, SendsTheFormThatPulumiWants) {
  transport_.Answer("POST", kTokenPath, 200,
                    R"({"access_token":"pul-secret","token_type":"token","expires_in":7200})");
  const auto exchanged = Exchange({.organization = "acme"}, 600s);
  ASSERT_TRUE(exchanged) << exchanged.error().message;
  EXPECT_TRUE(exchanged->token.Equals("pul-secret"));
  EXPECT_EQ(exchanged->lifetime, 7200s);
  const auto request = transport_.Requests().back();
  EXPECT_EQ(request.url, "https://esc.test/api/oauth/token");
  EXPECT_EQ(request.authorization, "");
  EXPECT_EQ(request.content_type, "application/x-www-form-urlencoded");
  EXPECT_EQ(request.body,
            "audience=urn%3Apulumi%3Aorg%3Aacme"
            "&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"
            "&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aid_token"
            "&requested_token_type=urn%3Apulumi%3Atoken-type%3Aaccess_token%3Aorganization"
            "&scope=&expiration=600"
            "&subject_token=eyJhbGciOi.J9%2B%2F%3Dsubject-token.signature");
}

TEST_F(TokenExchangeTest, AsksForTheTypeThatTheScopeNames) {
  transport_.Answer("POST", kTokenPath, 200, R"({"access_token":"pul-secret"})");
  ASSERT_TRUE(Exchange({.organization = "acme", .scope = "team:ops"}));
  EXPECT_THAT(
      transport_.Requests().back().body,
      AllOf(HasSubstr("access_token%3Ateam&scope=team%3Aops&"), Not(HasSubstr("expiration"))));
  ASSERT_TRUE(Exchange({.organization = "acme", .scope = "user:ann"}));
  EXPECT_THAT(transport_.Requests().back().body,
              HasSubstr("access_token%3Apersonal&scope=user%3Aann&"));
}

TEST_F(TokenExchangeTest, TakesAnyFormOfTheUrl) {
  transport_.Answer("POST", kTokenPath, 200, R"({"access_token":"pul-secret"})");
  transport_.Answer("POST", "/proxied/api/oauth/token", 200, R"({"access_token":"pul-secret"})");
  EXPECT_TRUE(Exchange({.organization = "acme"}, 0s, "https://esc.test"));
  EXPECT_TRUE(Exchange({.organization = "acme"}, 0s, "https://esc.test/api/esc/"));
  EXPECT_TRUE(Exchange({.organization = "acme"}, 0s, "https://esc.test/proxied/api/esc"));
}

TEST_F(TokenExchangeTest, ReadsLifetimesLeniently) {
  for (const auto& [member, expected] :
       {std::pair{"", 600s}, std::pair{R"(,"expires_in":"90")", 90s},
        std::pair{R"(,"expires_in":1.5e2)", 150s}, std::pair{R"(,"expires_in":-1)", 600s},
        std::pair{R"(,"expires_in":null)", 600s}, std::pair{R"(,"expires_in":"soon")", 600s},
        std::pair{R"(,"expires_in":1e300)", std::chrono::seconds(7 * 24h)}}) {
    escagent::testing::FakeHttpTransport transport;
    transport.Answer("POST", kTokenPath, 200,
                     R"({"access_token":"pul-secret")" + std::string(member) + "}");
    const TokenExchange exchange({}, transport, clock_);
    EXPECT_EQ(
        exchange.Exchange("https://esc.test", {.organization = "acme"}, subject_, 0s, {})->lifetime,
        expected)
        << member;
  }
}

TEST_F(TokenExchangeTest, RefusalsSayWhatToLookAt) {
  const Error denied =
      FailWith(403, R"({"error":"access_denied","error_description":"no policy allows it"})");
  EXPECT_EQ(denied.code, Code::kPermissionDenied);
  EXPECT_THAT(denied.message, AllOf(HasSubstr("organization acme"), HasSubstr("HTTP 403"),
                                    HasSubstr("no policy allows it"), HasSubstr("allow policy"),
                                    HasSubstr("urn:pulumi:org:acme")));
}

TEST_F(TokenExchangeTest, RefusesWithTheCodeOfTheStatus) {
  EXPECT_EQ(FailWith(400, R"({"error":"invalid_grant"})").code, Code::kPermissionDenied);
}

TEST_F(TokenExchangeTest, UnauthorizedIsUnauthenticated) {
  const Error error = FailWith(401, R"({"code":401,"message":"unknown issuer"})");
  EXPECT_EQ(error.code, Code::kUnauthenticated);
  EXPECT_THAT(error.message, HasSubstr("unknown issuer"));
}

TEST_F(TokenExchangeTest, AServerWithoutTheRouteIsSaidSo) {
  const Error error = FailWith(404, "404 page not found");
  EXPECT_EQ(error.code, Code::kFailedPrecondition);
  EXPECT_THAT(error.message, HasSubstr("check the API URL"));
}

TEST_F(TokenExchangeTest, OutagesAreUnavailable) {
  const Error limited = FailWith(429, "", {{"Retry-After", "7"}});
  EXPECT_EQ(limited.code, Code::kUnavailable);
  EXPECT_EQ(limited.retry_after, 7s);
}

TEST_F(TokenExchangeTest, ServerErrorsAndRedirectsAreUnavailable) {
  EXPECT_EQ(FailWith(502, "<html>bad gateway</html>").code, Code::kUnavailable);
  transport_.Answer("POST", kTokenPath, 302, "");
  EXPECT_EQ(Exchange().error().code, Code::kUnavailable);
  transport_.AnswerError("POST", kTokenPath, {.code = Code::kDeadlineExceeded, .message = "late"});
  EXPECT_EQ(Exchange().error().code, Code::kUnavailable);
}

TEST_F(TokenExchangeTest, AnAnswerWithoutATokenIsUnavailable) {
  for (const std::string_view body :
       {"", "{}", "[]", R"({"access_token":7})", R"({"access_token":""})",
        R"({"access_token":"a\r\nb"})", R"({"access_token":"pul-)"}) {
    escagent::testing::FakeHttpTransport transport;
    transport.Answer("POST", kTokenPath, 200, body);
    const TokenExchange exchange({}, transport, clock_);
    const auto exchanged =
        exchange.Exchange("https://esc.test", {.organization = "acme"}, subject_, 0s, {});
    ASSERT_FALSE(exchanged) << body;
    EXPECT_EQ(exchanged.error().code, Code::kUnavailable) << body;
  }
}

TEST_F(TokenExchangeTest, NoTokenIsInAMessage) {
  const Error error =
      FailWith(400, R"({"error_description":"bad token )" + std::string(kSubject) + R"("})");
  EXPECT_THAT(error.message, AllOf(HasSubstr("bad token [token]"), Not(HasSubstr("signature"))));
}

TEST_F(TokenExchangeTest, NoTokenIsInAMessageThatIsCut) {
  // Nor one that is spelt in another way.
  const Error escaped = FailWith(400, R"({"error_description":")" + std::string(285, 'x') +
                                          R"( \u0065)" + std::string(kSubject.substr(1)) + R"("})");
  EXPECT_THAT(escaped.message, AllOf(HasSubstr("xxx [token]"), Not(HasSubstr("eyJ"))));
}

}  // namespace
}  // namespace escagent::esc
