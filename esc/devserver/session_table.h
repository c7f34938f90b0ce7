#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "esc/eval/evaluator.h"

namespace escagent::devserver {

// The open sessions. Each is a snapshot: reading it gives the same values however the environment
// changes, any number of times, until its duration has passed. Thread-safe.
class SessionTable {
 public:
  // Beyond these, the session that was opened first is dropped.
  static constexpr std::size_t kMaxSessions = 1000;

  using Snapshot = std::shared_ptr<const eval::EvalResult>;

  // `clock` is borrowed.
  explicit SessionTable(const Clock& clock) : clock_(clock) {}
  SessionTable(const SessionTable&) = delete;
  SessionTable& operator=(const SessionTable&) = delete;

  // Opens a session and gives its id. `owner` is what it was opened for ("org/project/env").
  std::string Add(std::string owner, Snapshot snapshot, std::chrono::milliseconds duration);
  // NOT_FOUND when there is no such session of this owner, or it has expired.
  Result<Snapshot> Find(std::string_view owner, std::string_view id);
  // Sessions that have not expired.
  std::size_t Size();

 private:
  struct Session {
    std::uint64_t number = 0;  // in the order of opening
    std::string owner;
    Snapshot snapshot;
    Clock::TimePoint expires;
  };

  void DropExpired() REQUIRES(mutex_);

  const Clock& clock_;
  Mutex mutex_;
  std::map<std::string, Session, std::less<>> sessions_ GUARDED_BY(mutex_);
  std::uint64_t opened_ GUARDED_BY(mutex_) = 0;
};

}  // namespace escagent::devserver
