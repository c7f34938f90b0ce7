#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace escagent {

struct HttpHeader {
  std::string name;
  std::string value;
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<HttpHeader> headers;
  // Sent as "Authorization: <scheme> <credential>". Borrowed for the duration of the call.
  std::string authorization_scheme = "token";
  const Secret* credential = nullptr;
  // Sent when not empty, or when the method is POST, PUT or PATCH.
  Secret body;
  std::string content_type;
  std::chrono::milliseconds connect_timeout{3000};
  // From the start of the call to the last byte of the answer.
  std::chrono::milliseconds total_timeout{10000};
  // A longer body ends the call with RESOURCE_EXHAUSTED.
  std::size_t max_body = std::size_t{16} << 20;
};

struct HttpResponse {
  int status = 0;
  std::vector<HttpHeader> headers;
  Secret body;

  // The first header of this name (case-insensitive); empty when absent.
  std::string_view Header(std::string_view name) const;
};

// The seam for HTTP. An answer of any status is a success here; an Error means that there was no
// whole answer: UNAVAILABLE (no connection, TLS, reset, truncated), DEADLINE_EXCEEDED,
// RESOURCE_EXHAUSTED (body cap), CANCELLED (`stop`), INVALID_ARGUMENT (URL or scheme not allowed).
// Errors name scheme, host and path of the URL, never its query, headers or bodies. Thread-safe.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  virtual Result<HttpResponse> Send(const HttpRequest& request, std::stop_token stop) = 0;
};

// The delay that an answer's Retry-After header asks for (RFC 9110 10.2.3: seconds or an HTTP
// date), zero when there is none.
std::chrono::milliseconds RetryAfter(const HttpResponse& response,
                                     std::chrono::system_clock::time_point now);

// The time of an HTTP date (RFC 9110 5.6.7, in the form that servers must send), as in the header
// Date; nothing for anything else.
std::optional<std::chrono::system_clock::time_point> ParseHttpDate(std::string_view text);

// INVALID_ARGUMENT for 400, UNAUTHENTICATED for 401, ... The mapping of google.rpc.Code.
Code CodeOfHttpStatus(int status);

}  // namespace escagent
