#pragma once

#include <expected>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace escagent::apiserver {

// A failure as Kubernetes' API tells it: a meta/v1 Status with the HTTP code, the machine-readable
// reason, the message and the details (k8s.io/apimachinery/pkg/api/errors is where the texts come
// from).
struct ApiError {
  int code = 500;
  std::string reason;  // "NotFound", "Conflict", ...
  std::string message{};
  nlohmann::json details{};     // null: none
  int retry_after_seconds = 0;  // > 0: also as the Retry-After header
  std::string continue_token{};

  // The Status object.
  nlohmann::json ToJson() const;
};

// What a request names in its errors: "secrets", or "externalsecrets.external-secrets.io".
struct ObjectName {
  std::string group;
  std::string resource;
  std::string kind{};
  std::string name{};

  // resource, with the group behind a dot.
  std::string Qualified() const;
};

// One thing wrong with an object: the reason is "FieldValueRequired", "FieldValueInvalid", ...
struct FieldCause {
  std::string reason;
  std::string message{};
  std::string field;  // "spec.refreshInterval"
};

ApiError BadRequest(std::string message);
ApiError Unauthorized();
ApiError Forbidden(const ObjectName& object, const std::string& cause);
ApiError NotFoundError(const ObjectName& object);
// "the server could not find the requested resource": there is no such path.
ApiError NoSuchResource();
ApiError AlreadyExists(const ObjectName& object);
ApiError Conflict(const ObjectName& object, const std::string& cause);
// The object changed since it was read.
ApiError Modified(const ObjectName& object);
ApiError Invalid(const ObjectName& object, const std::vector<FieldCause>& causes);
ApiError Expired(std::string message);
ApiError MethodNotSupported(const ObjectName& object, const std::string& verb);
ApiError UnsupportedMediaType(std::string_view accepted);
ApiError NotAcceptable();
ApiError TooLarge(std::string message);
ApiError InternalError(const std::string& cause);
ApiError NotImplemented(std::string message);

template <class T>
class [[nodiscard]] Outcome : public std::expected<T, ApiError> {
 public:
  using std::expected<T, ApiError>::expected;
};
using Done = Outcome<void>;

inline std::unexpected<ApiError> Fail(ApiError error) {
  return std::unexpected<ApiError>(std::move(error));
}

}  // namespace escagent::apiserver

#define API_INTERNAL_CONCAT2(a, b) a##b
#define API_INTERNAL_CONCAT(a, b) API_INTERNAL_CONCAT2(a, b)

// As ESC_RETURN_IF_ERROR and ESC_ASSIGN_OR_RETURN, for an Outcome.
#define API_RETURN_IF_ERROR(expr)                                      \
  do {                                                                 \
    if (auto api_done = (expr); !api_done) {                           \
      return ::escagent::apiserver::Fail(std::move(api_done).error()); \
    }                                                                  \
  } while (false)
#define API_ASSIGN_OR_RETURN(lhs, expr) \
  API_INTERNAL_ASSIGN_OR_RETURN(API_INTERNAL_CONCAT(api_outcome_, __LINE__), lhs, expr)
#define API_INTERNAL_ASSIGN_OR_RETURN(tmp, lhs, expr)                   \
  auto tmp = (expr);                                                    \
  if (!tmp) return ::escagent::apiserver::Fail(std::move(tmp).error()); \
  lhs = *std::move(tmp)
