#include "base/http.h"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "base/strings.h"

namespace escagent {

std::string_view HttpResponse::Header(std::string_view name) const {
  const auto it = std::find_if(headers.begin(), headers.end(), [&](const HttpHeader& header) {
    return EqualsIgnoreCase(header.name, name);
  });
  return it == headers.end() ? std::string_view() : std::string_view(it->value);
}

namespace {
// Whatever a server asks for: a wrong clock must not silence a client for ever.
constexpr std::chrono::seconds kMaxRetryAfter = std::chrono::hours(24);
}  // namespace

std::chrono::milliseconds RetryAfter(const HttpResponse& response,
                                     std::chrono::system_clock::time_point now) {
  const std::string value(response.Header("Retry-After"));
  if (value.empty()) return {};
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc() && end == value.data() + value.size()) {
    return std::min(std::chrono::seconds(seconds), kMaxRetryAfter);
  }
  const auto at = ParseHttpDate(value);
  if (!at) return {};
  return std::clamp<std::chrono::milliseconds>(
      std::chrono::duration_cast<std::chrono::milliseconds>(*at - now), {}, kMaxRetryAfter);
}

std::optional<std::chrono::system_clock::time_point> ParseHttpDate(std::string_view text) {
  std::tm tm{};
  const std::string value(text);
  const char* parsed = strptime(value.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &tm);
  if (parsed == nullptr || *parsed != '\0') return std::nullopt;
  return std::chrono::system_clock::from_time_t(timegm(&tm));
}

Code CodeOfHttpStatus(int status) {
  switch (status) {
    case 400:
    case 422:
      return Code::kInvalidArgument;
    case 401:
      return Code::kUnauthenticated;
    case 403:
      return Code::kPermissionDenied;
    case 404:
    case 410:
      return Code::kNotFound;
    case 405:
    case 501:
      return Code::kUnimplemented;
    case 408:
    case 504:
      return Code::kDeadlineExceeded;
    case 409:
      return Code::kAborted;
    case 412:
      return Code::kFailedPrecondition;
    case 429:
      return Code::kResourceExhausted;
    default:
      if (status >= 200 && status < 300) return Code::kOk;
      return status >= 500 ? Code::kUnavailable : Code::kUnknown;
  }
}

}  // namespace escagent
