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

namespace escagent::apiserver {

// Something that the server shall do wrong, for tests of its clients. The patterns say which
// requests: "*" is any text ("ext*", "*"); empty is any, too.
struct Fault {
  enum class Reset {
    kNone,
    kBefore,  // close the connection instead of doing anything
    kAfter,   // do it, then close without an answer
    kMiddle,  // do it, send half of the answer, close
  };

  std::string verb = "*";      // "get", "list", "watch", "create", "update", "patch", "delete"
  std::string resource = "*";  // "secrets", "externalsecrets/status"
  std::string name_space = "*";
  std::string name = "*";

  // Answer with this status instead of doing anything. 0: do not.
  int status = 0;
  std::string message{};
  std::optional<std::chrono::seconds> retry_after{};
  std::chrono::milliseconds delay{0};  // before anything else
  bool hang = false;                   // never answer; until the client leaves or the server stops
  Reset reset = Reset::kNone;
  // Of watches, once they are open: write bytes that are no JSON, end with 410 as an ERROR event,
  // end at once.
  bool garbage = false;
  bool gone = false;
  bool cut = false;
  // How many requests; negative: until cleared.
  std::int64_t times = -1;
};

// What a request is to the faults and the counters.
struct RequestLabel {
  std::string verb;
  std::string resource;  // with "/subresource"
  std::string name_space;
  std::string name;
};

// The faults in force. Thread-safe.
class Faults {
 public:
  Faults() = default;
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

  void Add(Fault fault);
  void Clear();
  // Refuse every request, as a server that is down: connections are closed without an answer.
  void SetDown(bool down);
  bool down() const;
  // What a request meets: the first fault that applies, delays of others added. Uses up one of its
  // times.
  Fault Take(const RequestLabel& request);

  // One fault or an array: {"verb", "resource", "namespace", "name", "status", "message",
  // "retryAfter": seconds, "delay": "250ms" or milliseconds, "hang", "reset":
  // "before"|"after"|"middle", "garbage", "gone", "cut", "times"}. Errors name the member.
  static Result<std::vector<Fault>> FromJson(const nlohmann::json& document);
  nlohmann::json ToJson() const;

 private:
  mutable Mutex mutex_;
  std::vector<Fault> faults_ GUARDED_BY(mutex_);
  bool down_ GUARDED_BY(mutex_) = false;
};

// Whether `text` fits a pattern in which * stands for any text.
bool MatchesPattern(std::string_view pattern, std::string_view text);

}  // namespace escagent::apiserver
