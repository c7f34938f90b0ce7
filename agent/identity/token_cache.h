#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <thread>

#include "agent/cache/worker_pool.h"
#include "agent/identity/identity_key.h"
#include "agent/identity/renewed_token.h"
#include "agent/identity/subject_source.h"
#include "agent/identity/token_stats.h"
#include "base/clock.h"
#include "base/http.h"
#include "base/mutex.h"
#include "base/waker.h"
#include "esc/token_exchange.h"

namespace escagent::identity {

// The access tokens of all identities that come by exchange, one for each, renewed in the
// background as long as somebody holds it. One that nobody holds is forgotten after `linger`, and
// the one longest idle when there are more than `max_idle` of them.
//
// Thread-safe. Borrows the transport and the clock. Outlives whoever uses its tokens.
class TokenCache {
 public:
  struct Options {
    // What access tokens are asked for; zero: the server's default. A denial is noticed at a
    // renewal, hence shorter than ESC's own default of two hours.
    std::chrono::seconds lifetime{3600};
    std::chrono::milliseconds linger{std::chrono::minutes(10)};
    std::size_t max_idle = 1000;
    // Renewals under way at once; >= 2.
    int workers = 4;
  };

  TokenCache(Options options, HttpTransport& transport, Clock& clock);
  // Cancels what is under way.
  ~TokenCache();
  TokenCache(const TokenCache&) = delete;
  TokenCache& operator=(const TokenCache&) = delete;

  // The token of an identity. `make` gives its subject when it is not known yet. `lifetime`: as
  // Options::lifetime, for this identity; zero: that one.
  std::shared_ptr<RenewedToken> Find(const IdentityKey& key,
                                     const std::function<std::shared_ptr<SubjectSource>()>& make,
                                     std::chrono::seconds lifetime = std::chrono::seconds(0))
      EXCLUDES(mutex_);
  // Null when it is not known.
  std::shared_ptr<RenewedToken> Peek(const IdentityKey& key) EXCLUDES(mutex_);
  // Somebody of this identity was denied: see RenewedToken::Recheck.
  void Recheck(const IdentityKey& key) EXCLUDES(mutex_);

  // For who exchanges by itself.
  CountedExchange& exchange() { return counted_; }
  std::chrono::seconds lifetime() const { return options_.lifetime; }

  TokenStats Stats() const EXCLUDES(mutex_);

 private:
  struct Entry {
    std::shared_ptr<RenewedToken> token;
    // When it was last seen in use.
    Clock::TimePoint used_at{};
  };

  void RunTimer(const std::stop_token& stop) EXCLUDES(mutex_);
  // Submits the renewals that are due, and forgets what is idle; when to look again.
  Clock::TimePoint Tick() EXCLUDES(mutex_);
  void DropIdle(Clock::TimePoint now) REQUIRES(mutex_);

  const Options options_;
  Clock& clock_;
  const esc::TokenExchange exchange_;
  CountedExchange counted_;
  mutable Mutex mutex_;
  std::map<IdentityKey, Entry> entries_ GUARDED_BY(mutex_);
  Waker waker_;
  cache::WorkerPool pool_;
  // Last: it uses all of the above.
  std::jthread timer_;
};

}  // namespace escagent::identity
