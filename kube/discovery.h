#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/http.h"
#include "base/result.h"
#include "kube/connection.h"

namespace escagent::kube {

// What an API server tells everybody who is authenticated of itself, with no right to any object.
// Errors as Api's. Thread-safe; borrows what it is given.
class Discovery {
 public:
  struct Version {
    std::string name;                     // "v1.36.0"
    std::optional<Clock::WallTime> date;  // the server's clock when it answered
  };

  // `timeout`: of each request.
  Discovery(Connection& connection, HttpTransport& transport, std::chrono::milliseconds timeout)
      : connection_(connection), transport_(transport), timeout_(timeout) {}

  // GET /version.
  Result<Version> ReadVersion(const std::stop_token& stop);
  // The plural names of the kinds that a version of a group has ("externalsecrets"); none when it
  // is not served.
  Result<std::vector<std::string>> ReadKinds(const std::string& group, const std::string& version,
                                             const std::stop_token& stop);

 private:
  Result<HttpResponse> Get(const std::string& path, const std::string& action,
                           const std::stop_token& stop);

  Connection& connection_;
  HttpTransport& transport_;
  const std::chrono::milliseconds timeout_;
};

}  // namespace escagent::kube
