#pragma once

#include <chrono>
#include <string>

#include "base/tls_options.h"

namespace escagent {

// How CurlTransport and CurlStreams reach servers. Plain http is refused except to loopback
// (127.0.0.0/8, ::1, localhost), where no proxy is used either.
struct CurlOptions {
  std::string user_agent;
  TlsOptions tls{};
  // "http://proxy:3128". Empty: what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say.
  std::string proxy_url{};
  bool allow_plain_http = false;
  // Idle connections older than this are not reused.
  std::chrono::seconds max_idle{110};
};

}  // namespace escagent
