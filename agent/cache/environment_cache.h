#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/cache/snapshot.h"
#include "base/clock.h"
#include "base/result.h"
#include "esc/api.h"
#include "esc/environment_ref.h"

namespace escagent::cache {

// Two requests share an opened environment only when all of this is equal.
struct EnvironmentKey {
  std::string backend;  // base URL
  esc::EnvironmentRef ref;
  // Who opens: a digest of the credential, never the credential.
  std::string identity;

  auto operator<=>(const EnvironmentKey&) const = default;
};

// What the cache knows of one environment, for status pages and volume conditions. No values.
struct EnvironmentStatus {
  EnvironmentKey key;
  std::shared_ptr<const Snapshot> snapshot;  // null before the first success
  std::optional<Error> last_error;           // empty when the last attempt succeeded
  // When the values were last known to be current (a HEAD or an open that succeeded).
  std::optional<Clock::TimePoint> fresh_at;
  Clock::TimePoint next_refresh;
  int subscribers = 0;
  std::chrono::milliseconds interval{0};
};

// Counters since the start, for metrics.
struct CacheStats {
  std::uint64_t opens = 0;
  std::uint64_t open_failures = 0;
  std::uint64_t heads = 0;
  std::uint64_t head_failures = 0;
  std::uint64_t published = 0;      // snapshots with new content
  std::uint64_t unchanged = 0;      // opens whose content was equal
  std::uint64_t hits = 0;           // Subscribe answered from a snapshot
};

class EnvironmentCache;

// Keeps one environment in the cache and refreshed. Move-only; destroying it ends the interest, and
// after the destructor returns the callback will not be running nor run again. Never destroyed from
// within its own callback.
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
// Single flight: concurrent first requests of a key share one open. Refresh: at the shortest
// interval that any subscriber asked for, with jitter, a HEAD; an open only when ETag or revision
// changed or HEAD is not supported. Nothing is published when the opened content is equal. On
// failure the last good snapshot stays and attempts back off (honouring Retry-After, never later
// than max_backoff). One slow environment delays no other (a pool of workers). An environment
// nobody subscribes to is dropped after `linger`.
//
// Thread-safe. Callbacks run on a worker thread, without locks held, one at a time for each
// subscription, and see every state they need through Subscription::Status().
class EnvironmentCache {
 public:
  struct Options {
    std::chrono::milliseconds default_interval{10000};
    double jitter = 0.1;
    // How long a snapshot may be served while it cannot be refreshed; to new subscribers too.
    std::chrono::milliseconds max_stale{std::chrono::hours(24)};
    std::chrono::milliseconds max_backoff{60000};
    // The first open of a key must answer within this.
    std::chrono::milliseconds open_timeout{9000};
    std::chrono::milliseconds linger{60000};
    int workers = 4;
  };

  struct Request {
    EnvironmentKey key;
    // How to reach ESC as this identity. All requests of one key bring equivalent ones.
    std::shared_ptr<esc::Api> api;
    std::optional<std::chrono::milliseconds> interval;  // default_interval when empty
    // Called after each change of the snapshot, or of the error. May be empty.
    std::function<void()> on_change;
  };

  EnvironmentCache(Options options, Clock& clock);
  ~EnvironmentCache();
  EnvironmentCache(const EnvironmentCache&) = delete;
  EnvironmentCache& operator=(const EnvironmentCache&) = delete;

  // Subscribes, opening the environment first when it is not in the cache. Blocks until there is a
  // snapshot, at most open_timeout. Fails with the open's error when there is no usable snapshot
  // (none yet; older than max_stale; the identity was refused with 401/403 since).
  Result<Subscription> Subscribe(Request request, std::stop_token stop = {});

  // Makes the environments that match (all when empty: "org/project/env") refresh now. Returns how
  // many. Does not wait.
  int RefreshNow(std::string_view environment);

  std::vector<EnvironmentStatus> List() const;
  CacheStats Stats() const;

 private:
  friend class Subscription::Impl;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace escagent::cache
