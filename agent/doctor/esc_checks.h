#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>

#include "agent/doctor/finding.h"
#include "agent/doctor/network.h"
#include "agent/doctor/store_list.h"
#include "base/clock.h"
#include "base/http.h"
#include "esc/api.h"

namespace escagent::doctor {

// The ways to a backend of Pulumi ESC. Borrows transport and clock. Thread-safe.
struct EscAccess {
  HttpTransport& transport;
  Clock& clock;
  Environment environment;
  std::function<Status(const Host& host, std::chrono::milliseconds timeout)> reach = ReachHost;
  std::chrono::milliseconds timeout{4000};  // of each step
  std::stop_token stop{};
};

// Goes the way to a backend step by step, as far as it leads: name, connection, TLS, an answer
// without a token; and compares the clocks. `api_url` may end in /api/esc.
Findings CheckBackend(const std::string& api_url, const EscAccess& access);

// "https://api.pulumi.com" of "https://api.pulumi.com/api/esc/".
std::string BackendOf(std::string api_url);

// Asks ESC about the store's environment with its token (a HEAD: nothing is opened).
Finding CheckStore(const StoreToAsk& store, esc::Api& api, const std::stop_token& stop);

}  // namespace escagent::doctor
