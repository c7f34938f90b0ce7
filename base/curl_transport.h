#pragma once

#include <memory>

#include "base/curl_options.h"
#include "base/http.h"

namespace escagent {

// HttpTransport on libcurl. Keeps idle connections open and reuses them (one easy handle for each
// call under way, kept in a pool), follows no redirects, and speaks HTTP/2 where TLS offers it.
// Thread-safe.
class CurlTransport final : public HttpTransport {
 public:
  using Options = CurlOptions;

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
