#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"

namespace escagent::doctor {

// Where a URL leads.
struct Host {
  std::string scheme;  // "https"
  std::string name;    // "api.pulumi.com", "::1"
  std::string port;    // "443"

  bool IsLoopback() const;
};

// INVALID_ARGUMENT for what is no http or https URL.
Result<Host> ParseHost(const std::string& url);

// Looks the name up and opens a connection, which is closed at once. NOT_FOUND: the name is not
// known; UNAVAILABLE: nobody takes the connection within `timeout`.
Status ReachHost(const Host& host, std::chrono::milliseconds timeout);

// Reads an environment variable; empty when it is not set.
using Environment = std::function<std::string(const char* name)>;

// The proxy that the environment names for a host, as "HTTPS_PROXY=http://proxy:3128", without
// credentials. Nothing when there is none. NO_PROXY may except the host nevertheless.
std::optional<std::string> FindProxy(const Host& host, const Environment& environment);

}  // namespace escagent::doctor
