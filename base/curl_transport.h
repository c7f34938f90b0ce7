#pragma once

#include <memory>
#include <string>

#include "base/http.h"

namespace escagent {

// HttpTransport on libcurl. Keeps idle connections open and reuses them (one easy handle for each
// call under way, kept in a pool), follows no redirects, speaks HTTP/2 where TLS offers it, and
// honours HTTPS_PROXY, HTTP_PROXY and NO_PROXY. Plain http is refused except to loopback
// (127.0.0.0/8, ::1, localhost) unless allowed by the options. Thread-safe.
class CurlTransport final : public HttpTransport {
 public:
  struct Options {
    std::string user_agent;
    // PEM file with the CAs to trust instead of the system's. Empty: the system's.
    std::string ca_file;
    bool allow_plain_http = false;
    // Idle connections older than this are not reused.
    std::chrono::seconds max_idle{110};
  };

  explicit CurlTransport(Options options);
  ~CurlTransport() override;
  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;

  Result<HttpResponse> Send(const HttpRequest& request, std::stop_token stop) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace escagent
