#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "agent/store/access_token.h"
#include "agent/store/secret_store.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/waker.h"
#include "kube/api.h"
#include "kube/informer.h"

namespace escagent::store {

// The access tokens in the Secrets that stores name. A Secret is read when its token is asked for
// the first time, and from then on watched by its name (get and watch are all the rights it needs),
// so that a rotated token is known at once. Of a Secret nothing but the token is kept, and that
// until no store has named it for `linger`.
//
// While the API server is away the token known last is served. A token whose watch does not work is
// read again when it is asked for and older than `reread`.
//
// Thread-safe. Borrows api, informers and clock.
class TokenSecrets {
 public:
  struct Options {
    std::chrono::milliseconds read_timeout{3000};
    std::chrono::milliseconds reread{10000};
    std::chrono::milliseconds linger{std::chrono::minutes(5)};
  };
  // Another answer of Read than before. Called on threads of the informers or of who reads, without
  // locks held; must not block.
  using OnChange = std::function<void(const SecretKeyRef&)>;

  TokenSecrets(Options options, kube::Api& api, kube::Informers& informers, Clock& clock,
               OnChange on_change);
  // No Read may be under way.
  ~TokenSecrets();
  TokenSecrets(const TokenSecrets&) = delete;
  TokenSecrets& operator=(const TokenSecrets&) = delete;

  // A store that names the token is there, or is gone: each AddStore has its RemoveStore.
  void AddStore(const SecretKeyRef& ref) EXCLUDES(mutex_);
  void RemoveStore(const SecretKeyRef& ref) EXCLUDES(mutex_);

  // The token. Blocks for the first one, and while its watch does not work; one thread reads, the
  // others wait for it. UNAUTHENTICATED names the Secret and key and says why there is no usable
  // token; UNAVAILABLE when the API server does not answer and no token is known.
  Result<AccessToken> Read(const SecretKeyRef& ref) EXCLUDES(mutex_);

 private:
  class Watcher;
  struct Entry {
    int stores = 0;
    std::optional<Clock::TimePoint> unnamed_since;
    // What Read answers; empty before the first answer of the API server.
    std::optional<Result<AccessToken>> token;
    Clock::TimePoint read_at{};
    int readers = 0;       // that use the entry now
    bool reading = false;  // one of them asks the API server
    bool watched = false;  // the watch is complete and works
    bool synced = false;
    std::uint64_t reports = 0;  // of the watch
    std::shared_ptr<Watcher> watcher;
    kube::InformerHandle watch;
  };
  using Entries = std::map<SecretKeyRef, Entry>;

  bool IsCurrent(const Entry& entry) const;
  // Reads, notes the answer, and starts the watch.
  Result<AccessToken> ReadAndWatch(const SecretKeyRef& ref) EXCLUDES(mutex_);
  // Returns whether Read's answer is another one now.
  static bool Set(Entry& entry, Result<AccessToken> token);
  // Reports of the watches.
  void Report(const SecretKeyRef& ref, Result<AccessToken> token) EXCLUDES(mutex_);
  void ReportSynced(const SecretKeyRef& ref) EXCLUDES(mutex_);
  void ReportHealth(const SecretKeyRef& ref, bool works) EXCLUDES(mutex_);

  void RunSweeper(const std::stop_token& stop) EXCLUDES(mutex_);
  // Drops what nobody has named for long; returns when to look again.
  Clock::TimePoint Sweep() EXCLUDES(mutex_);

  const Options options_;
  kube::Api& api_;
  kube::Informers& informers_;
  Clock& clock_;
  const OnChange on_change_;
  Mutex mutex_;
  CondVar read_;  // somebody has read
  Entries entries_ GUARDED_BY(mutex_);
  Waker sweeper_waker_;
  std::jthread sweeper_;
};

}  // namespace escagent::store
