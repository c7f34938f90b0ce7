#include "esc/api_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace escagent::esc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::chrono::system_clock::time_point kNow{std::chrono::seconds(1767225600)};
constexpr std::string_view kToken = "pul-0123456789";

Error ErrorOf(int status, std::string_view body, std::vector<HttpHeader> headers = {}) {
  HttpResponse response;
  response.status = status;
  response.headers = std::move(headers);
  response.body = Secret(body);
  return ApiError(response, "open environment acme/web/dev", Secret(kToken), kNow);
}

TEST(ApiErrorTest, CodesAndHints) {
  struct Case {
    int status;
    std::string body;
    Code code;
    std::string message;
  };
  const Case cases[] = {
      {400, R"({"code":400,"message":"bad request"})", Code::kInvalidArgument,
       "open environment acme/web/dev: HTTP 400: bad request"},
      {401, R"({"code":"401","message":"Unauthorized"})", Code::kUnauthenticated,
       "HTTP 401: Unauthorized; the access token was refused; check the access token of the store"},
      {403, R"({"message":"Approval required"})", Code::kPermissionDenied,
       "needs an approved request"},
      {403, R"({"message":"no"})", Code::kPermissionDenied, "check its permissions"},
      {404, "", Code::kNotFound,
       "no such environment, version or session, or the token cannot see it"},
      {405, "", Code::kUnimplemented, "HTTP 405"},
      {408, "", Code::kDeadlineExceeded, "HTTP 408"},
      {409, R"({"message":"conflict"})", Code::kAborted, "HTTP 409: conflict"},
      {418, "", Code::kUnavailable, "HTTP 418"},
      {429, "", Code::kResourceExhausted, "too many requests"},
      {500, "", Code::kUnavailable, "HTTP 500"},
      {501, "", Code::kUnimplemented, "HTTP 501"},
      {503, "", Code::kUnavailable, "HTTP 503"},
      {302, "", Code::kUnavailable, "check the API URL and any proxy"},
      {101, "", Code::kUnavailable, "check the API URL and any proxy"},
  };
  for (const Case& c : cases) {
    const Error error = ErrorOf(c.status, c.body);
    EXPECT_EQ(error.code, c.code) << c.status;
    EXPECT_THAT(error.message, HasSubstr(c.message)) << c.status;
    EXPECT_THAT(error.message, HasSubstr("open environment acme/web/dev: HTTP ")) << c.status;
  }
}

TEST(ApiErrorTest, ShowsTheDiagnostics) {
  const Error error = ErrorOf(400, R"({"code":400,"message":"Bad Request: evaluation failed",
      "diagnostics":[{"range":{"environment":"dev","begin":{"line":3,"column":5,"byte":40},
                               "end":{"line":3,"column":9,"byte":44}},
                      "summary":"unknown property \"x\"","path":"values.a"}, {"summary":"two"}]})");
  EXPECT_EQ(error.message,
            "open environment acme/web/dev: HTTP 400: Bad Request: evaluation failed: unknown "
            "property \"x\" (at values.a, environment dev, line 3, column 5); two");
}

TEST(ApiErrorTest, TakesNothingElseFromTheBody) {
  for (const std::string body :
       {R"(<html>canary</html>)", R"("canary")", R"(["canary"])", R"({"message":["canary"]})",
        R"({"message":{"canary":1},"diagnostics":"canary"})",
        R"({"detail":"canary","value":"canary"})", R"({"message":"canary")", "canary\xFF"}) {
    EXPECT_EQ(ErrorOf(400, body).message, "open environment acme/web/dev: HTTP 400") << body;
  }
}

TEST(ApiErrorTest, BoundsAndCleansTexts) {
  const Error error =
      ErrorOf(400, R"({"message":"one\n\u0007two )" + std::string(5000, 'x') + R"("})");
  EXPECT_THAT(error.message, HasSubstr(": one two xxx"));
  EXPECT_LT(error.message.size(), 600U);
  EXPECT_EQ(ErrorOf(400, R"({"message":"m","pad":")" + std::string(300000, 'x') + R"("})").message,
            "open environment acme/web/dev: HTTP 400");
}

TEST(ApiErrorTest, NeverRepeatsTheToken) {
  const std::string token(kToken);
  // Straight, escaped, in a diagnostic, in the request id, and where the text is cut.
  const std::string bodies[] = {
      R"({"message":"bad header: token )" + token + " " + token + R"("})",
      R"({"message":"\u0070ul-0123456789"})",
      R"({"diagnostics":[{"summary":")" + token + R"("}]})",
      R"({"message":")" + std::string(495, 'x') + token + R"("})",
      R"({"message":")" + std::string(493, 'x') + R"(\u0070ul-0123456789"})",
      R"({"diagnostics":[{"summary":")" + std::string(493, 'x') + R"(\u0070ul-0123456789"}]})",
  };
  for (const std::string& body : bodies) {
    const Error error = ErrorOf(500, body, {{"X-Pulumi-Request-ID", token}});
    EXPECT_THAT(error.message, AllOf(Not(HasSubstr(token)), Not(HasSubstr("pul-")))) << body;
    EXPECT_THAT(error.message, HasSubstr("[token]"));
  }
}

TEST(ApiErrorTest, RequestIdOnServerErrors) {
  const std::vector<HttpHeader> headers = {{"x-pulumi-request-id", "abc\r\n123"}};
  EXPECT_THAT(ErrorOf(502, "", headers).message, HasSubstr("(request id abc 123)"));
  EXPECT_THAT(ErrorOf(400, "", headers).message, Not(HasSubstr("request id")));
}

TEST(ApiErrorTest, RetryAfter) {
  EXPECT_EQ(ErrorOf(429, "", {{"Retry-After", "7"}}).retry_after, std::chrono::seconds(7));
  EXPECT_EQ(ErrorOf(503, "", {{"Retry-After", "Thu, 01 Jan 2026 00:01:00 GMT"}}).retry_after,
            std::chrono::seconds(60));
  EXPECT_EQ(ErrorOf(503, "").retry_after, std::chrono::seconds(0));
  EXPECT_EQ(ErrorOf(500, "", {{"Retry-After", "7"}}).retry_after, std::chrono::seconds(0));
}

}  // namespace
}  // namespace escagent::esc
