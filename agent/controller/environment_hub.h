#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/cache/environment_cache.h"
#include "agent/cache/snapshot.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/waker.h"
#include "esc/api.h"
#include "kube/resource.h"

namespace escagent::controller {

// The environments that mirrored objects are made of: one subscription to the cache for each,
// whatever the number of objects that use it, at the shortest interval that one of them wants.
// Never blocks: an environment that is not open yet is opened in the background, and failures are
// tried again with backoff, at the latest after the shortest interval or 30 s.
//
// Thread-safe. Borrows the cache and the clock.
class EnvironmentHub {
 public:
  // Who uses an environment. Objects of different kinds have different users.
  using User = kube::ObjectKey;
  // Told after each change of what View() says, on a thread of the hub or the cache, without locks
  // held: the users at that time. May call the hub.
  using Listener = std::function<void(const std::vector<User>& users)>;

  // What is known of an environment.
  struct View {
    // The values to use. Null with a `error`, or while the environment is opened for the first
    // time (`pending`).
    std::shared_ptr<const cache::Snapshot> snapshot;
    // Why the values cannot be had, or not be had any more: it does not exist, the identity is
    // refused, its definition is broken, or ESC has been away for longer than max_stale. That ESC
    // cannot be reached for a while is no error while there is a snapshot.
    std::optional<Error> error;
    bool pending = false;
  };

  EnvironmentHub(cache::EnvironmentCache& cache, Clock& clock, Listener listener);
  // Ends all subscriptions.
  ~EnvironmentHub();
  EnvironmentHub(const EnvironmentHub&) = delete;
  EnvironmentHub& operator=(const EnvironmentHub&) = delete;

  // Notes that the user needs the environment, at this interval at least, and says what is known.
  // `api` opens it as the key's identity.
  View Use(const cache::EnvironmentKey& key, const std::shared_ptr<esc::Api>& api, const User& user,
           std::chrono::milliseconds interval) EXCLUDES(mutex_);
  // The user needs these environments and no others any more.
  void KeepOnly(const User& user, const std::vector<cache::EnvironmentKey>& keys) EXCLUDES(mutex_);

 private:
  struct Environment {
    std::shared_ptr<esc::Api> api;
    std::map<User, std::chrono::milliseconds> users;
    // Set once the environment could be opened.
    std::shared_ptr<cache::Subscription> subscription;
    std::chrono::milliseconds interval{0};  // of the subscription, or of the one being made
    std::optional<Error> error;             // why there is no subscription
    // When the cache was first asked for the subscription that is being made.
    std::optional<Clock::TimePoint> asked_at;
    Clock::TimePoint next_try{};  // when to ask (again) for the subscription
    int failures = 0;
    // What the users were last told of.
    std::shared_ptr<const cache::Snapshot> told_snapshot;
    std::string told_error;

    bool Wanted() const { return !users.empty(); }
    std::chrono::milliseconds ShortestInterval() const;
  };
  using Environments = std::map<cache::EnvironmentKey, Environment>;

  static View ViewOf(const Environment& environment);
  void Run(const std::stop_token& stop) EXCLUDES(mutex_);
  // What to ask the cache for now; `next`: when to look again.
  std::vector<cache::EnvironmentKey> Due(Clock::TimePoint now, Clock::TimePoint& next)
      REQUIRES(mutex_);
  // Asks the cache for the subscription of one environment.
  void TrySubscribe(const cache::EnvironmentKey& key) EXCLUDES(mutex_);
  // Tells the users, if there is news.
  void Tell(const cache::EnvironmentKey& key) EXCLUDES(mutex_);

  cache::EnvironmentCache& cache_;
  Clock& clock_;
  const Listener listener_;
  mutable Mutex mutex_;
  Environments environments_ GUARDED_BY(mutex_);
  // Which environments a user uses.
  std::map<User, std::vector<cache::EnvironmentKey>> used_ GUARDED_BY(mutex_);
  Waker waker_;
  std::jthread thread_;
};

}  // namespace escagent::controller
