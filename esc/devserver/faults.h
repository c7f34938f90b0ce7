#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"

namespace escagent::devserver {

// Something that the server shall do wrong, for tests of its clients.
struct Fault {
  // Which requests: "*" for all, or a pattern as the counters have it, with its method
  // ("HEAD /api/esc/environments/{org}/{project}/{env}") or without.
  std::string route = "*";
  // Only requests for this environment ("org/project/env"). Empty: all.
  std::string environment{};
  // Answer with this status instead of doing anything. 0: do not.
  int status = 0;
  std::string message{};  // of the error answer; empty: a text that names the status
  std::optional<std::chrono::seconds> retry_after{};  // as the Retry-After header
  std::chrono::milliseconds delay{0};                 // before anything else
  bool hang = false;        // never answer; until the client leaves or the server stops
  bool truncate = false;    // send half of the body and close the connection
  bool old_server = false;  // values as older servers write them: no null "value", no "trace"
  // How many requests; negative: until cleared.
  std::int64_t times = -1;
};

// The faults in force. Thread-safe.
class Faults {
 public:
  Faults() = default;
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

  void Add(Fault fault);
  void Clear();
  // What a request meets: all faults that apply to it, put together (delays add up; of other
  // settings the one added first counts). Uses up one of the times of each.
  Fault Take(std::string_view route, std::string_view environment);

  // One fault or an array: {"route", "environment", "status", "message", "retryAfter": seconds,
  // "delay": "250ms" or milliseconds, "hang", "truncate", "oldServer", "times"}. Errors name the
  // member.
  static Result<std::vector<Fault>> FromJson(const nlohmann::json& document);
  nlohmann::json ToJson() const;

 private:
  mutable Mutex mutex_;
  std::vector<Fault> faults_ GUARDED_BY(mutex_);
};

}  // namespace escagent::devserver
