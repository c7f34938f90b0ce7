#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>

#include "agent/audit/audit_event.h"
#include "agent/audit/line_file.h"
#include "base/mutex.h"
#include "base/result.h"

namespace escagent::audit {

// Who opened which key: JSON lines in a file or on standard output. Thread-safe.
//
// Events are queued and written by a thread of its own, in order, so that a slow disk or a full
// pipe delays no pod's read. What comes faster than it is written is lost beyond kMaxQueued, which
// is counted and told in the log itself. A process that is killed loses what is queued: usually
// nothing, at most what came in the last milliseconds.
class AuditLog {
 public:
  static constexpr std::size_t kMaxQueued = 65536;

  struct Options {
    std::string path;  // "-": standard output
    std::string node;
  };
  struct Stats {
    std::uint64_t written = 0;
    std::uint64_t lost = 0;
  };

  static Result<std::unique_ptr<AuditLog>> Start(Options options);
  // Writes what is queued, for a second at most.
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // Never waits.
  void Write(AuditEvent event) EXCLUDES(mutex_);
  // Opens the path anew, after the file was moved away (logrotate). On failure what is open stays.
  void Reopen() EXCLUDES(mutex_);
  Stats GetStats() const EXCLUDES(mutex_);

 private:
  AuditLog(Options options, LineFile file);
  void Run(const std::stop_token& stop) EXCLUDES(mutex_);
  // Waits for events; empty at the end.
  std::deque<AuditEvent> Take() EXCLUDES(mutex_);
  void Put(const std::deque<AuditEvent>& events, const std::stop_token& give_up) EXCLUDES(mutex_);

  const Options options_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<AuditEvent> queue_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool idle_ GUARDED_BY(mutex_) = false;
  bool reopen_ GUARDED_BY(mutex_) = false;
  std::uint64_t unreported_ GUARDED_BY(mutex_) = 0;
  Stats stats_ GUARDED_BY(mutex_);
  // The thread's own.
  LineFile file_;
  bool failing_ = false;
  std::jthread thread_;
};

}  // namespace escagent::audit
