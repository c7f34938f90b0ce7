#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "agent/cache/attempt.h"
#include "agent/cache/import_closure.h"
#include "agent/cache/snapshot.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/result.h"
#include "esc/api.h"

namespace escagent::cache {

// What is known of one environment, and every decision about it: what the next attempt does and
// when it is due, what its answer changes, and who may be served. No threads, no I/O, no clock:
// time comes in as arguments. Not thread-safe.
//
//              attempt failed                  attempt failed, 401/403
//    kEmpty -------------------> kFailed         +-------------------> kRefused
//       |                           |            |                        |  ^
//       | attempt succeeded         |          kFresh --failed--> kStale -+  | (stays until an
//       +---------------------------+----------> ^  <--succeeded----+        |  attempt succeeds)
//                                                +-----succeeded-------------+
//
// With a snapshot (kFresh, kStale, kRefused) attempts go on by time. Without one they are made only
// when somebody asks, because there is nobody who would profit from them.
class EnvironmentState {
 public:
  struct Policy {
    double jitter = 0.1;
    std::chrono::milliseconds max_stale{std::chrono::hours(24)};
    std::chrono::milliseconds max_backoff{60000};
    // An environment is opened at least this often (but not more often than its interval), whatever
    // HEAD says.
    MaxAge max_age{};
    // Other agents look at ESC this often: who wants to know sooner asks by itself.
    std::chrono::milliseconds shared_interval{0};
  };

  enum class Phase {
    kEmpty,    // nothing was tried yet
    kFailed,   // no snapshot; the last attempt failed
    kFresh,    // the last attempt succeeded
    kStale,    // a snapshot is served although the last attempt failed
    kRefused,  // as kStale, but ESC refused the identity (401/403): not served to newcomers
  };

  enum class Admission {
    kServe,    // the snapshot is good for a newcomer
    kAttempt,  // make an attempt first (or wait for the one under way)
    kReject,   // not now: ESC asked for a pause that is not over (last_error())
  };

  struct Timing {
    Clock::TimePoint started{};
    Clock::TimePoint finished{};
    Clock::WallTime wall_finished{};
  };

  // What an attempt changed.
  struct Change {
    bool snapshot = false;   // there is a new one
    bool error = false;      // last_error() is another one, or none any more
    bool refused = false;    // the identity was refused with 401, and was not before
    bool recovered = false;  // the attempt succeeded and the one before did not
  };

  EnvironmentState(Policy policy, std::uint64_t seed);

  Phase phase() const { return phase_; }
  const std::shared_ptr<const Snapshot>& snapshot() const { return snapshot_; }
  const std::optional<Error>& last_error() const { return last_error_; }
  const std::optional<Clock::TimePoint>& fresh_at() const { return fresh_at_; }
  // The newest revision seen; the snapshot's may be older when the content stayed equal.
  const std::string& revision() const { return revision_; }
  // TimePoint::max() when no attempt is due by time.
  Clock::TimePoint next_attempt() const { return next_attempt_; }
  int failures() const { return backoff_.Failures(); }
  // The last attempt took long: it may again.
  bool slow() const { return slow_; }
  // The snapshot is older than max_stale.
  bool Expired(Clock::TimePoint now) const;

  Admission Admit(Clock::TimePoint now) const;
  // Each Plan is followed by the Apply of its result.
  AttemptPlan Plan(Clock::TimePoint now, std::chrono::milliseconds interval);
  Change Apply(AttemptResult result, Timing timing, std::chrono::milliseconds interval);

  // The session whose import closure is to be learned now, as the one known (if any) is of another
  // revision. Each answer goes to TakeClosure.
  std::optional<std::string> ClosureDue(Clock::TimePoint now) const;
  void TakeClosure(Result<ImportClosure> learned, Clock::TimePoint now,
                   std::chrono::milliseconds interval);
  // Null while it is not known.
  const ImportClosure* closure() const { return closure_ ? &*closure_ : nullptr; }
  ImportClosure::Kind closure_kind() const {
    return closure_ ? closure_->kind : ImportClosure::Kind::kUnknown;
  }

  // The next attempt opens, whatever HEAD says.
  void RequestOpen() { open_requested_ = true; }
  // An attempt is due now, if there is a snapshot to refresh; what HEAD has said until now does not
  // count.
  void MakeDue(Clock::TimePoint now);
  // What HEAD says has changed: an attempt is due at some moment `within` from now.
  void NewsAt(Clock::TimePoint now, std::chrono::milliseconds within);
  // Somebody asks for a shorter interval than before.
  void ShortenInterval(Clock::TimePoint now, std::chrono::milliseconds interval);

 private:
  Change Succeed(Timing timing, std::chrono::milliseconds interval);
  // The longest pause before the next attempt is `longest`, unless ESC asks for more.
  Change Fail(Error error, Timing timing, std::chrono::milliseconds interval,
              std::chrono::milliseconds longest);
  void NoteHead(const AttemptResult& result, Clock::TimePoint now);
  void DropHidden(const std::vector<esc::EnvironmentRef>& members);
  // What can be told of when the values end, after an open.
  void NoteExpiry(const esc::Value& properties, Timing timing);
  // When the values have to be opened again although no change was seen; max() when never.
  Clock::TimePoint OpenDeadline(std::chrono::milliseconds interval) const;
  // A random part of `limit`.
  std::chrono::milliseconds Spread(std::chrono::milliseconds limit);
  void Publish(esc::Value properties, Timing timing);

  const Policy policy_;
  Phase phase_ = Phase::kEmpty;
  std::shared_ptr<const Snapshot> snapshot_;
  std::optional<Error> last_error_;
  std::optional<Clock::TimePoint> fresh_at_;
  // What HEAD said when the content was last known to be current.
  std::optional<esc::EnvironmentHead> known_;
  std::string revision_;
  std::optional<ImportClosure> closure_;
  bool closure_due_ = false;
  Clock::TimePoint learn_not_before_{};
  // Members were found only after the open: it may have seen an earlier revision of them.
  bool confirm_ = false;
  std::string session_id_;
  // When credentials among the values end, if they say so.
  std::optional<Clock::TimePoint> expires_at_;
  Clock::TimePoint opened_at_;
  // How much sooner than policy_.max_age.known it is opened again.
  std::chrono::milliseconds sooner_{0};
  // Values that became too old during an outage are opened again at their own times after it.
  Clock::TimePoint open_not_before_{};
  Clock::TimePoint next_attempt_ = Clock::TimePoint::max();
  // ESC's Retry-After: newcomers cause no attempt before.
  Clock::TimePoint hold_until_;
  // HEAD is of no use at this server, or for this identity, until then.
  Clock::TimePoint no_head_until_;
  bool open_requested_ = false;
  bool requested_open_planned_ = false;
  bool distrust_ = false;
  bool slow_ = false;
  Backoff backoff_;
  std::minstd_rand random_;
};

}  // namespace escagent::cache
