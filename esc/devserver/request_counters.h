#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "base/mutex.h"

namespace escagent::devserver {

// How often each route was asked, in all and for each environment. Routes are counted by their
// pattern: "HEAD /api/esc/environments/{org}/{project}/{env}". Thread-safe.
class RequestCounters {
 public:
  struct Counts {
    std::uint64_t total = 0;
    std::map<std::string, std::uint64_t> routes;
  };

  // Requests for more environments are counted in all only.
  static constexpr std::size_t kMaxEnvironments = 10000;

  RequestCounters() = default;
  RequestCounters(const RequestCounters&) = delete;
  RequestCounters& operator=(const RequestCounters&) = delete;

  // `environment` is "org/project/env", or empty where the route has none.
  void Count(const std::string& route, const std::string& environment);
  void Reset();

  Counts All() const;
  Counts Of(const std::string& environment) const;
  // {"total": n, "routes": {route: n}, "environments": {"org/project/env": {"total", "routes"}}}
  nlohmann::json ToJson() const;

 private:
  mutable Mutex mutex_;
  Counts all_ GUARDED_BY(mutex_);
  std::map<std::string, Counts> environments_ GUARDED_BY(mutex_);
};

}  // namespace escagent::devserver
