#include "agent/audit/audit_log.h"

#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/thread.h"

namespace escagent::audit {
namespace {

constexpr std::chrono::seconds kFlushTime{1};
// Lines are written in pieces of about this many bytes.
constexpr std::size_t kBatchSize = std::size_t{64} << 10;

}  // namespace

Result<std::unique_ptr<AuditLog>> AuditLog::Start(Options options) {
  ESC_ASSIGN_OR_RETURN(LineFile file, LineFile::Open(options.path));
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(options), std::move(file)));
}

AuditLog::AuditLog(Options options, LineFile file)
    : options_(std::move(options)),
      file_(std::move(file)),
      thread_(StartThread("audit", [this](const std::stop_token& stop) { Run(stop); })) {}

AuditLog::~AuditLog() {
  const auto deadline = std::chrono::steady_clock::now() + kFlushTime;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
    while (!idle_ && changed_.WaitUntil(mutex_, deadline)) {
    }
  }
  thread_.request_stop();
}

void AuditLog::Write(AuditEvent event) {
  MutexLock lock(mutex_);
  if (queue_.size() >= kMaxQueued) {
    ++stats_.lost;
    ++unreported_;
    return;
  }
  queue_.push_back(std::move(event));
  changed_.NotifyAll();
}

void AuditLog::Reopen() {
  MutexLock lock(mutex_);
  reopen_ = true;
  changed_.NotifyAll();
}

AuditLog::Stats AuditLog::GetStats() const {
  MutexLock lock(mutex_);
  return stats_;
}

std::deque<AuditEvent> AuditLog::Take() {
  std::deque<AuditEvent> taken;
  bool reopen = false;
  {
    MutexLock lock(mutex_);
    while (queue_.empty() && unreported_ == 0 && !stopping_ && !reopen_) changed_.Wait(mutex_);
    taken.swap(queue_);
    if (unreported_ != 0) {
      taken.push_back({.kind = AuditEvent::Kind::kLost,
                       .time = std::chrono::system_clock::now(),
                       .count = std::exchange(unreported_, 0)});
    }
    reopen = std::exchange(reopen_, false);
    if (taken.empty() && stopping_) {
      idle_ = true;
      changed_.NotifyAll();
    }
  }
  if (!reopen) return taken;
  Result<LineFile> opened = LineFile::Open(options_.path);
  if (opened) {
    file_ = *std::move(opened);
  } else {
    LogError("audit log cannot be opened anew; the old file is written on",
             {{log_key::kError, opened.error()}});
  }
  return taken;
}

void AuditLog::Run(const std::stop_token& stop) {
  for (;;) {
    const std::deque<AuditEvent> events = Take();
    if (!events.empty()) {
      Put(events, stop);
      if (stop.stop_requested()) return;
      continue;
    }
    MutexLock lock(mutex_);
    if (idle_) return;
  }
}

void AuditLog::Put(const std::deque<AuditEvent>& events, const std::stop_token& give_up) {
  auto next = events.begin();
  while (next != events.end()) {
    std::string lines;
    std::uint64_t count = 0;
    for (; next != events.end() && lines.size() < kBatchSize; ++next, ++count) {
      lines += ToJsonLine(*next, options_.node);
    }
    const Status status = file_.Append(lines, give_up);
    // One line of the agent's own log for each outage of the audit log's disk.
    if (!status && !failing_) {
      LogError("audit log cannot be written; events are lost", {{log_key::kError, status.error()}});
    }
    failing_ = !status;
    MutexLock lock(mutex_);
    (status ? stats_.written : stats_.lost) += count;
    if (!status) unreported_ += count;
  }
}

}  // namespace escagent::audit
