#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "agent/cache/environment_key.h"
#include "agent/cache/import_closure.h"
#include "agent/cache/probe_table.h"
#include "agent/cache/snapshot.h"
#include "base/clock.h"
#include "base/result.h"
#include "esc/api.h"
#include "esc/environment_ref.h"

namespace escagent::cache {

// What the cache knows of one environment, for status pages and volume conditions. No values.
struct EnvironmentStatus {
  EnvironmentKey key;
  std::shared_ptr<const Snapshot> snapshot;  // null before the first success
  std::optional<Error> last_error;           // empty when the last attempt succeeded
  // When the values were last known to be current (a HEAD or an open that succeeded).
  std::optional<Clock::TimePoint> fresh_at;
  // TimePoint::max() when none is due by time (no snapshot yet).
  Clock::TimePoint next_refresh;
  int subscribers = 0;
  std::chrono::milliseconds interval{0};
  // The newest revision seen. The snapshot's is older when a revision changed no value.
  std::string revision;
  // What is known of its imports, and how many there are.
  ImportClosure::Kind closure = ImportClosure::Kind::kUnknown;
  int imports = 0;
  // ESC refused the identity (401/403), and has not let it in since.
  bool refused = false;
  // `fresh_at` is longer ago than max_stale: newcomers are not served this snapshot.
  bool expired = false;
};

// Counters since the start, for metrics.
struct CacheStats {
  std::uint64_t opens = 0;
  std::uint64_t open_failures = 0;
  std::uint64_t heads = 0;
  std::uint64_t head_failures = 0;
  // Looks at an environment that needed no HEAD, as somebody had asked already: another environment
  // with the same import, or (heads_shared of them) another agent.
  std::uint64_t heads_spared = 0;
  std::uint64_t heads_shared = 0;
  std::uint64_t definitions = 0;  // definitions read
  std::uint64_t published = 0;    // snapshots with new content
  std::uint64_t unchanged = 0;    // opens whose content was equal
  std::uint64_t hits = 0;         // Subscribe answered from a snapshot
  // Environments whose attempt is queued or under way now (a gauge).
  int in_flight = 0;
};

class EnvironmentCache;

// Keeps one environment in the cache and refreshed. Move-only; destroying it ends the interest.
//
// After the destructor returns the callback will not be running nor run again: the destructor waits
// for a callback that is under way, so it must not be called with a lock that the callback takes.
// Destroyed from within its own callback it does not wait (the callback then returns after it).
// Destroyed before its cache.
class Subscription {
 public:
  class Impl;
  Subscription();
  explicit Subscription(std::unique_ptr<Impl> impl);
  Subscription(Subscription&&) noexcept;
  Subscription& operator=(Subscription&&) noexcept;
  ~Subscription();

  explicit operator bool() const { return impl_ != nullptr; }
  // The newest snapshot and the state of refreshing.
  EnvironmentStatus Status() const;
  const EnvironmentKey& key() const;

 private:
  std::unique_ptr<Impl> impl_;
};

// Opened environments, one for each key, whatever the number of subscribers.
//
// Single flight: there is one attempt at a time for a key, so concurrent first requests share one
// open. Refresh: at the shortest interval that any subscriber asked for (each delay up to `jitter`
// longer, never shorter) a HEAD of it and of each environment in its import closure; an open only
// when one of them changed, when HEAD is not supported, at max_age, or before credentials among the
// values expire. An environment that several import is asked for once an interval and identity.
// Nothing is published when the opened content is equal.
//
// On failure the last good snapshot stays, and attempts back off: 1 s, doubled up to the interval,
// so that ESC is found back within an interval; up to max_backoff when ESC does answer, but does
// not open; at least Retry-After but never later than max_backoff (and up to half an interval
// spread). After 401/403 newcomers are served only when another attempt, made for them, succeeds; a
// 401 makes the identity's other environments refresh at once. Values that ESC could not evaluate
// are an error, never published.
//
// Without a snapshot there are no attempts by time: each Subscribe makes one (or joins the one
// under way), unless ESC's Retry-After is not over. An environment nobody subscribes to is still
// refreshed, so that a pod that comes back finds it warm, and dropped after `linger`.
//
// No environment delays another: an attempt occupies one of `workers` threads and ends within the
// transport's timeout (10 s a call); attempts that somebody waits for go first; environments whose
// last attempt took over 2 s get at most three quarters of the workers (WorkerPool).
//
// Thread-safe. Callbacks run on a worker thread, without locks held, one at a time for each
// subscription, and see every state they need through Subscription::Status(). There is none for the
// state that Subscribe returned with; the first may come before Subscribe has returned to its
// caller. A slow callback delays the other callbacks and the next attempt of its own environment
// only.
class EnvironmentCache {
 public:
  struct Options {
    // Also what other agents' knowledge (shared_heads) is good for: environments with a shorter
    // interval are asked for by this agent.
    std::chrono::milliseconds default_interval{10000};
    double jitter = 0.1;
    // How long a snapshot may be served while it cannot be refreshed; to new subscribers too.
    std::chrono::milliseconds max_stale{std::chrono::hours(24)};
    std::chrono::milliseconds max_backoff{60000};
    // An environment is opened at least this often even if HEAD shows no change: HEAD does not see
    // another answer of a fn::open provider, nor a change of what may not be looked at.
    MaxAge max_age{};
    // What other agents know; outlives the cache. Null: nothing.
    HeadSource* shared_heads = nullptr;
    // Subscribe answers within this (counted from Request::since). The attempt itself goes on, for
    // the next Subscribe.
    std::chrono::milliseconds open_timeout{9000};
    std::chrono::milliseconds linger{60000};
    // Calls to ESC under way at once, at most; >= 2. Threads start when first needed.
    int workers = 8;
  };

  struct Request {
    EnvironmentKey key;
    // How to reach ESC as this identity. All requests of one key bring equivalent ones.
    std::shared_ptr<esc::Api> api;
    std::optional<std::chrono::milliseconds> interval;  // default_interval when empty
    // Called after each change of the snapshot, or of the error. May be empty.
    std::function<void()> on_change;
    // When set, Subscribe does not block: the caller asks again and again, and has since then.
    std::optional<Clock::TimePoint> since{};
  };

  // `clock` outlives the cache.
  EnvironmentCache(Options options, Clock& clock);
  // Cancels the attempts under way and waits for callbacks. No other call may be under way, and no
  // Subscription left.
  ~EnvironmentCache();
  EnvironmentCache(const EnvironmentCache&) = delete;
  EnvironmentCache& operator=(const EnvironmentCache&) = delete;

  // Subscribes, opening the environment first when it is not in the cache. Blocks until there is a
  // snapshot, at most open_timeout, or until `stop` is requested (CANCELLED). When there is no
  // usable snapshot (none yet; older than max_stale; the identity was refused with 401/403 since)
  // it fails with ESC's error, except that DEADLINE_EXCEEDED becomes UNAVAILABLE, as is running
  // into open_timeout.
  //
  // With Request::since it answers at once: the error of an attempt that ended after that; or else,
  // while the attempt that was made or joined is under way, UNAVAILABLE with the time after which
  // to ask again as retry_after, and without one when open_timeout has passed since then. Who asks
  // again in time counts as a waiter: the environment is not dropped in between.
  Result<Subscription> Subscribe(Request request, std::stop_token stop = {});

  // Makes the environments that match open now, whatever HEAD and backoff say: "org/project/env"
  // (all its versions), "org/project/env@version", or all when empty. Returns how many. Does not
  // wait.
  int RefreshNow(std::string_view environment);

  // The environment (without a version) is said to have changed: it and those that import it are
  // opened, each at some moment `within` from now. Returns how many. Does not wait.
  int EnvironmentChanged(const esc::EnvironmentRef& ref, std::chrono::milliseconds within);
  // What Options::shared_heads answers for these has changed: the environments that depend on them
  // ask again, each at some moment `within` from now. Does not wait.
  void HeadsChanged(const std::vector<EnvironmentKey>& targets, std::chrono::milliseconds within);

  std::vector<EnvironmentStatus> List() const;
  CacheStats Stats() const;

 private:
  friend class Subscription::Impl;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace escagent::cache
