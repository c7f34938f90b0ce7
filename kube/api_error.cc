#include "kube/api_error.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/json.h"
#include "base/json_fields.h"
#include "kube/message_text.h"

namespace escagent::kube {
namespace {

using nlohmann::json;

// A Status is small; a large answer is something else's page.
constexpr std::size_t kMaxStatusBody = std::size_t{1} << 20;
// What servers say of a path below a known group.
constexpr std::string_view kUnknownPath = "the server could not find the requested resource";
constexpr std::chrono::seconds kMaxRetryAfter = std::chrono::hours(24);

// metav1.StatusReason (k8s.io/apimachinery/pkg/apis/meta/v1/types.go).
std::optional<Code> CodeOfReason(std::string_view reason) {
  struct Row {
    std::string_view reason;
    Code code;
  };
  static constexpr std::array kCodes = {Row{"AlreadyExists", Code::kAlreadyExists},
                                        Row{"BadRequest", Code::kInvalidArgument},
                                        Row{"Conflict", Code::kAborted},
                                        Row{"Expired", Code::kFailedPrecondition},
                                        Row{"Forbidden", Code::kPermissionDenied},
                                        Row{"Gone", Code::kFailedPrecondition},
                                        Row{"InternalError", Code::kUnavailable},
                                        Row{"Invalid", Code::kInvalidArgument},
                                        Row{"MethodNotAllowed", Code::kUnimplemented},
                                        Row{"NotAcceptable", Code::kUnimplemented},
                                        Row{"NotFound", Code::kNotFound},
                                        Row{"RequestEntityTooLarge", Code::kInvalidArgument},
                                        Row{"ServerTimeout", Code::kUnavailable},
                                        Row{"ServiceUnavailable", Code::kUnavailable},
                                        Row{"Timeout", Code::kDeadlineExceeded},
                                        Row{"TooManyRequests", Code::kResourceExhausted},
                                        Row{"Unauthorized", Code::kUnauthenticated},
                                        Row{"UnsupportedMediaType", Code::kUnimplemented}};
  const auto* it = std::ranges::find(kCodes, reason, &Row::reason);
  if (it == kCodes.end()) return std::nullopt;
  return it->code;
}

Code CodeOfStatus(std::int64_t http_status) {
  if (http_status == 410) return Code::kFailedPrecondition;
  if (http_status == 413) return Code::kInvalidArgument;
  const Code code = CodeOfHttpStatus(static_cast<int>(http_status));
  return code == Code::kOk ? Code::kUnknown : code;
}

// What the agent sends there, or what the server could quote, is secret.
bool HoldsSecrets(const Resource& resource) {
  return (resource.group.empty() && resource.plural == Secrets().plural) ||
         resource.group == TokenReviews().group;
}

// Whether a message can quote what was sent. The others are made from the request's path alone, but
// a Forbidden can be the words of an admission webhook or a policy.
bool CanQuote(Code code, std::string_view message) {
  switch (code) {
    case Code::kNotFound:
    case Code::kAlreadyExists:
    case Code::kAborted:
    case Code::kUnauthenticated:
    case Code::kResourceExhausted:
    case Code::kFailedPrecondition:
      return false;
    case Code::kPermissionDenied:
      return message.find(": User \"") == std::string_view::npos ||
             message.find("denied the request") != std::string_view::npos;
    default:
      return true;
  }
}

std::chrono::milliseconds RetryAfterOf(const json& status) {
  const std::chrono::seconds asked(IntegerMember(Member(status, "details"), "retryAfterSeconds"));
  return std::clamp<std::chrono::seconds>(asked, {}, kMaxRetryAfter);
}

std::string WithoutStatus(int http_status, const Resource& resource) {
  if (http_status == 404) {
    // The path itself is unknown; a missing object comes with a Status.
    return "the server does not serve " + resource.plural + " of " + resource.ApiVersion() +
           "; install its CustomResourceDefinition or check the server's address";
  }
  return "HTTP status " + std::to_string(http_status) +
         " without an explanation; is there a proxy between?";
}

}  // namespace

Error StatusError(const json& status, std::string_view action, const Resource& resource) {
  Error error;
  error.code = CodeOfReason(StringMember(status, "reason"))
                   .value_or(CodeOfStatus(IntegerMember(status, "code")));
  error.retry_after = RetryAfterOf(status);
  std::string text = StringMember(status, "message");
  if (HoldsSecrets(resource) && CanQuote(error.code, text)) text = WithoutQuotedValues(text);
  text = PlainText(text);
  if (text.empty()) text = "the server refused without a message";
  error.message = std::string(action) + ": " + text;
  return error;
}

Error ApiError(const HttpResponse& response, std::string_view action, const Resource& resource,
               std::chrono::system_clock::time_point now) {
  Error error;
  Result<json> status = response.body.Size() <= kMaxStatusBody
                            ? ParseJson(response.body.Reveal(), "answer")
                            : Result<json>(InvalidArgument("too large"));
  if (status && StringMember(*status, "kind") == "Status" &&
      StringMember(*status, "message") != kUnknownPath) {
    error = StatusError(*status, action, resource);
    if (!CodeOfReason(StringMember(*status, "reason"))) error.code = CodeOfStatus(response.status);
  } else {
    error.code = CodeOfStatus(response.status);
    error.message = std::string(action) + ": " + WithoutStatus(response.status, resource);
  }
  if (status) Scrub(*status);
  if (const auto asked = RetryAfter(response, now); asked.count() > 0) error.retry_after = asked;
  return error;
}

}  // namespace escagent::kube
