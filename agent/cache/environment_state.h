#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>

#include "agent/cache/attempt.h"
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
    // An environment is opened at least this often, whatever HEAD says; zero: no such limit.
    std::chrono::milliseconds max_age{0};
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

  // The next attempt opens, whatever HEAD says.
  void RequestOpen() { open_requested_ = true; }
  // An attempt is due now, if there is a snapshot to refresh.
  void MakeDue(Clock::TimePoint now);
  // Somebody asks for a shorter interval than before.
  void ShortenInterval(Clock::TimePoint now, std::chrono::milliseconds interval);

 private:
  Change Succeed(Timing timing, std::chrono::milliseconds interval);
  Change Fail(Error error, Timing timing);
  void NoteHead(const AttemptResult& result, Clock::TimePoint now);
  void Publish(esc::Value properties, Timing timing);

  const Policy policy_;
  Phase phase_ = Phase::kEmpty;
  std::shared_ptr<const Snapshot> snapshot_;
  std::optional<Error> last_error_;
  std::optional<Clock::TimePoint> fresh_at_;
  // What HEAD said when the content was last known to be current.
  std::optional<esc::EnvironmentHead> known_;
  std::string revision_;
  Clock::TimePoint opened_at_;
  Clock::TimePoint next_attempt_ = Clock::TimePoint::max();
  // ESC's Retry-After: newcomers cause no attempt before.
  Clock::TimePoint hold_until_;
  // HEAD is of no use at this server, or for this identity, until then.
  Clock::TimePoint no_head_until_;
  bool open_requested_ = false;
  bool requested_open_planned_ = false;
  bool slow_ = false;
  Backoff backoff_;
  std::minstd_rand random_;
};

}  // namespace escagent::cache
