#include "kube/api_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/json.h"
#include "kube/message_text.h"

namespace escagent::kube {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

Error ErrorOf(int status, const std::string& body, const Resource& resource = ConfigMaps(),
              std::vector<HttpHeader> headers = {}) {
  HttpResponse response;
  response.status = status;
  response.body = Secret(std::string_view(body));
  response.headers = std::move(headers);
  return ApiError(response, "get it", resource, {});
}

std::string StatusOf(const std::string& reason, const std::string& message) {
  return DumpJson({{"kind", "Status"}, {"reason", reason}, {"message", message}});
}

TEST(ApiErrorTest, TheReasonDecidesBeforeTheHttpStatus) {
  struct Case {
    int status;
    std::string reason;
    Code code;
  };
  for (const auto& [status, reason, code] : {
           Case{409, "AlreadyExists", Code::kAlreadyExists},
           Case{409, "Conflict", Code::kAborted},
           Case{409, "", Code::kAborted},
           Case{404, "NotFound", Code::kNotFound},
           Case{410, "Expired", Code::kFailedPrecondition},
           Case{410, "Gone", Code::kFailedPrecondition},
           Case{410, "SomethingNew", Code::kFailedPrecondition},
           Case{422, "Invalid", Code::kInvalidArgument},
           Case{400, "BadRequest", Code::kInvalidArgument},
           Case{401, "Unauthorized", Code::kUnauthenticated},
           Case{403, "Forbidden", Code::kPermissionDenied},
           Case{429, "TooManyRequests", Code::kResourceExhausted},
           Case{413, "RequestEntityTooLarge", Code::kInvalidArgument},
           Case{500, "InternalError", Code::kUnavailable},
           Case{500, "ServerTimeout", Code::kUnavailable},
           Case{504, "Timeout", Code::kDeadlineExceeded},
           Case{503, "", Code::kUnavailable},
           Case{302, "", Code::kUnknown},
       }) {
    EXPECT_EQ(ErrorOf(status, StatusOf(reason, "why")).code, code) << status << " " << reason;
    EXPECT_EQ(ErrorOf(status, StatusOf(reason, "why")).message, "get it: why");
  }
}

TEST(ApiErrorTest, AnswersWithoutAStatus) {
  const Error page = ErrorOf(404, "404 page not found\n");
  EXPECT_EQ(page.code, Code::kNotFound);
  EXPECT_THAT(page.message, HasSubstr("does not serve configmaps of v1"));
  const Error path =
      ErrorOf(404, StatusOf("NotFound", "the server could not find the requested resource"));
  EXPECT_EQ(path.code, Code::kNotFound);
  EXPECT_EQ(path.message, page.message);
  const Error proxy = ErrorOf(502, "<html>hush</html>");
  EXPECT_EQ(proxy.code, Code::kUnavailable);
  EXPECT_THAT(proxy.message, HasSubstr("502"));
  EXPECT_THAT(proxy.message, Not(HasSubstr("hush")));
}

TEST(ApiErrorTest, RetryAfterOfTheHeaderOrTheStatus) {
  const std::string body =
      R"({"kind":"Status","reason":"ServerTimeout","details":{"retryAfterSeconds":3}})";
  EXPECT_EQ(ErrorOf(500, body).retry_after, seconds(3));
  EXPECT_EQ(ErrorOf(500, body, ConfigMaps(), {{"Retry-After", "7"}}).retry_after, seconds(7));
  EXPECT_EQ(ErrorOf(500, R"({"kind":"Status","details":{"retryAfterSeconds":-3}})").retry_after,
            seconds(0));
  EXPECT_EQ(ErrorOf(500, R"({"kind":"Status","details":{"retryAfterSeconds":9000000000000000000}})")
                .retry_after,
            seconds(86400));
}

TEST(ApiErrorTest, ASecretsValuesAreNotQuoted) {
  for (
      const char* const message : {
          R"(Secret "app" is invalid: data[a b]: Invalid value: "hush": must consist of)",
          R"( "" is invalid: patch: Invalid value: "{\"data\":{\"a\":\"hush\"}}": bad)",
          R"(Secret is invalid: type: Invalid value: core.Secret{Data:map[hush]}: bad)",
          R"(failed to create: .data.a: expected string, got &value.valueUnstructured{Value:hush})",
          R"(ReadString: expects " or n, but found 1, error found in #10 byte of ...|:{"a":hush}|)",
          "admission webhook denied: value `hush` is bad",
      }) {
    for (const int status : {400, 422, 500}) {
      EXPECT_THAT(ErrorOf(status, StatusOf("", message), Secrets()).message, Not(HasSubstr("hush")))
          << message;
    }
    EXPECT_THAT(ErrorOf(422, StatusOf("Invalid", message), TokenReviews()).message,
                Not(HasSubstr("hush")));
    EXPECT_THAT(ErrorOf(422, StatusOf("Invalid", message), ConfigMaps()).message,
                HasSubstr("hush"));
  }
  EXPECT_THAT(
      ErrorOf(422, StatusOf("Invalid", R"(data[a b]: Invalid value: "a b": must consist of)"),
              Secrets())
          .message,
      HasSubstr(R"(data[a b]: Invalid value: "...": must consist of)"));
}

TEST(ApiErrorTest, WhoMayNotDoWhatStaysReadable) {
  const std::string rbac =
      R"(secrets "app" is forbidden: User "system:serviceaccount:a:b" cannot get resource "secrets")";
  EXPECT_THAT(ErrorOf(403, StatusOf("Forbidden", rbac), Secrets()).message, HasSubstr(rbac));
  const std::string webhook = R"(admission webhook "w" denied the request: User "x" sent "hush")";
  EXPECT_THAT(ErrorOf(403, StatusOf("Forbidden", webhook), Secrets()).message,
              Not(HasSubstr("hush")));
}

TEST(MessageTextTest, PlainTextIsOneLineAndShort) {
  EXPECT_EQ(PlainText("a\n\tb\x01\x02 c\n"), "a b c");
  EXPECT_EQ(PlainText("abcdef", 3), "abc...");
  EXPECT_EQ(PlainText("ab\u20AC", 4), "ab...") << "not in the middle of a character";
  EXPECT_EQ(PlainText("\xFF"), "(a text that is not UTF-8)");
}

}  // namespace
}  // namespace escagent::kube
