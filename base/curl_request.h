#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/curl_options.h"
#include "base/http.h"
#include "base/result.h"

namespace escagent {

// Initialises libcurl; once a process, before the first handle.
void InitialiseCurl();

// Lines for libcurl, which copies them: wiped when destroyed, as one has the credential. Move-only.
class CurlLines {
 public:
  CurlLines() = default;
  CurlLines(CurlLines&& other) noexcept;
  CurlLines& operator=(CurlLines&& other) noexcept;
  CurlLines(const CurlLines&) = delete;
  CurlLines& operator=(const CurlLines&) = delete;
  ~CurlLines();

  // NUL-terminated.
  void Add(const char* line);
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

// What CurlTransport and CurlStreams have in common: a request, checked, and as libcurl wants it.
// Holds what handles borrow, so it outlives their transfer. Move-only; thread-compatible.
class CurlRequest {
 public:
  // INVALID_ARGUMENT: the URL, method or a header is malformed, or the scheme is not allowed.
  // `options` is borrowed; `request` is not, but for its body (see Apply).
  static Result<CurlRequest> Make(const HttpRequest& request, const CurlOptions& options);

  // Sets all that is known here on the handle: URL, method, headers, `body`, TLS, proxy. Timeouts
  // and callbacks are the caller's. `body` is borrowed until the transfer ends.
  void Apply(CURL* easy, std::string_view body) const;

  // "GET https://host/path": what an error may show of the request.
  const std::string& display() const { return display_; }
  const std::string& method() const { return method_; }

  // UNAVAILABLE with the cause of a transfer that failed. `buffer`: its CURLOPT_ERRORBUFFER.
  std::unexpected<Error> TransferError(CURLcode code, const char* buffer) const;

 private:
  explicit CurlRequest(const CurlOptions& options) : options_(&options) {}

  Status SetTarget(const std::string& text);
  Status CheckScheme() const;
  Status SetHeaders(const HttpRequest& request);
  std::unexpected<Error> BadHeader(std::string_view name) const;
  void PresentServerName(CURLU* url, const std::string& authority);
  void ApplyTls(CURL* easy) const;
  void ApplyProxy(CURL* easy) const;
  void ApplyMethod(CURL* easy, std::string_view body) const;

  const CurlOptions* options_;
  std::string method_;
  std::string url_;
  std::string scheme_;
  std::string host_;
  std::string display_;
  CurlLines headers_;
  CurlLines connect_to_;
};

// Adds a line that curl's header callback got to an answer's headers. A status line starts them
// anew: what came before it belonged to a 1xx answer or to the proxy.
void AddHeaderLine(std::string_view line, HttpResponse& response);

}  // namespace escagent
