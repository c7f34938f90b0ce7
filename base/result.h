#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace escagent {

// The status codes of gRPC (google.rpc.Code) that this project uses. The numbers are gRPC's, so
// that csi/ maps them by value. Which errors are worth a retry follows from the code: IsRetryable.
enum class Code {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kUnauthenticated = 16,
};

// The name of a code as gRPC spells it, for example "INVALID_ARGUMENT".
std::string_view CodeName(Code code);

// Whether the same call may succeed later without anybody changing anything.
bool IsRetryable(Code code);

// Why something failed. The message reads "<what was being done> <to which object>: <cause>;
// <what the reader can do>" and never holds a value, a token or a response body.
struct Error {
  Code code = Code::kUnknown;
  std::string message;
  // What the server asked for with Retry-After; zero when it did not.
  std::chrono::milliseconds retry_after{0};

  // "NOT_FOUND: open environment acme/web/dev: no such environment"
  std::string ToString() const;
};

inline std::unexpected<Error> MakeError(Code code, std::string message) {
  return std::unexpected<Error>(Error{code, std::move(message), std::chrono::milliseconds{0}});
}

inline std::unexpected<Error> InvalidArgument(std::string message) {
  return MakeError(Code::kInvalidArgument, std::move(message));
}
inline std::unexpected<Error> NotFound(std::string message) {
  return MakeError(Code::kNotFound, std::move(message));
}
inline std::unexpected<Error> PermissionDenied(std::string message) {
  return MakeError(Code::kPermissionDenied, std::move(message));
}
inline std::unexpected<Error> Unavailable(std::string message) {
  return MakeError(Code::kUnavailable, std::move(message));
}
inline std::unexpected<Error> FailedPrecondition(std::string message) {
  return MakeError(Code::kFailedPrecondition, std::move(message));
}
inline std::unexpected<Error> Internal(std::string message) {
  return MakeError(Code::kInternal, std::move(message));
}

// An Internal error (or NotFound, PermissionDenied, ... where errno says so) made from errno:
// "<context>: <strerror>".
std::unexpected<Error> ErrnoError(int error_number, std::string_view context);

// The same error with what the caller was doing put in front: "<context>: <message>".
Error Annotate(Error error, std::string_view context);

// A value or an Error. Unlike std::expected it may not be ignored.
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

using Status = Result<void>;

}  // namespace escagent

#define ESC_INTERNAL_CONCAT2(a, b) a##b
#define ESC_INTERNAL_CONCAT(a, b) ESC_INTERNAL_CONCAT2(a, b)

// Returns the error of `expr` from the enclosing function if it has one.
#define ESC_RETURN_IF_ERROR(expr)                                               \
  do {                                                                          \
    if (auto esc_status = (expr); !esc_status) {                                \
      return std::unexpected<::escagent::Error>(std::move(esc_status).error()); \
    }                                                                           \
  } while (false)

// ESC_ASSIGN_OR_RETURN(auto x, F()): x = the value of F(), or return its error.
#define ESC_ASSIGN_OR_RETURN(lhs, expr) \
  ESC_INTERNAL_ASSIGN_OR_RETURN(ESC_INTERNAL_CONCAT(esc_result_, __LINE__), lhs, expr)
#define ESC_INTERNAL_ASSIGN_OR_RETURN(tmp, lhs, expr)                          \
  auto tmp = (expr);                                                           \
  if (!tmp) return std::unexpected<::escagent::Error>(std::move(tmp).error()); \
  lhs = *std::move(tmp)
