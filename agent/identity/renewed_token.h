#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>

#include "agent/identity/identity_key.h"
#include "agent/identity/subject_source.h"
#include "agent/identity/token_stats.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/secret.h"
#include "esc/token_exchange.h"
#include "esc/token_source.h"

namespace escagent::identity {

// What can be exchanged, and the count of it. Thread-safe. Borrows the exchange.
class CountedExchange {
 public:
  explicit CountedExchange(const esc::TokenExchange& exchange) : exchange_(exchange) {}

  Result<esc::ExchangedToken> Exchange(const IdentityKey& key, const Secret& subject,
                                       std::chrono::seconds lifetime, std::stop_token stop)
      EXCLUDES(mutex_);
  ExchangeCounts Counts() const EXCLUDES(mutex_);

 private:
  const esc::TokenExchange& exchange_;
  mutable Mutex mutex_;
  ExchangeCounts counts_ GUARDED_BY(mutex_);
};

// Whether ESC has refused somebody, as opposed to not having answered.
bool IsDenial(Code code);

// The access token of one identity: exchanged when it is first needed, renewed at 70 to 80 % of its
// lifetime, exchanged anew after ESC has refused it. One exchange at a time; while a renewal fails
// for want of an answer the token goes on being used. A denial ends its use at once: it is the
// answer then, and asked about again at most every second.
//
// Thread-safe. Borrows the exchange and the clock.
class RenewedToken final : public esc::TokenSource {
 public:
  // `lifetime`: what to ask for; zero: the server's default.
  RenewedToken(IdentityKey key, std::shared_ptr<SubjectSource> subject,
               std::chrono::seconds lifetime, CountedExchange& exchange, Clock& clock);

  // Blocks while there is no usable token and one is exchanged.
  Result<std::shared_ptr<const Secret>> Get(std::stop_token stop) override EXCLUDES(mutex_);
  void Refuse(const Secret& token) override EXCLUDES(mutex_);

  // Takes a token that was exchanged elsewhere for this identity, since `asked_at`.
  void Adopt(esc::ExchangedToken token, Clock::TimePoint asked_at) EXCLUDES(mutex_);
  // Exchanges if the token is to be renewed now. Blocks.
  void RenewIfDue(const std::stop_token& stop) EXCLUDES(mutex_);
  // Somebody of this identity was denied elsewhere: find out soon whether it holds for all.
  void Recheck() EXCLUDES(mutex_);

  // When to renew; TimePoint::max() when not by time: there is no token, or a renewal is under way.
  Clock::TimePoint RenewAt() const EXCLUDES(mutex_);
  // Whether it had a token and was not denied since.
  bool IsAdmitted() const EXCLUDES(mutex_);
  const IdentityKey& key() const { return key_; }
  const std::shared_ptr<SubjectSource>& subject() const { return subject_; }

 private:
  // With busy_ set by the caller; resets it.
  Result<std::shared_ptr<const Secret>> Exchange(const std::stop_token& stop) EXCLUDES(mutex_);
  void Take(esc::ExchangedToken token, Clock::TimePoint asked_at) REQUIRES(mutex_);
  void NoteFailure(const Error& error) REQUIRES(mutex_);
  bool IsUsable() const REQUIRES(mutex_);

  const IdentityKey key_;
  const std::shared_ptr<SubjectSource> subject_;
  const std::chrono::seconds lifetime_;
  CountedExchange& exchange_;
  Clock& clock_;

  mutable Mutex mutex_;
  CondVar ended_;  // an exchange has
  bool busy_ GUARDED_BY(mutex_) = false;
  std::shared_ptr<const Secret> token_ GUARDED_BY(mutex_);
  Clock::TimePoint usable_until_ GUARDED_BY(mutex_){};
  Clock::TimePoint renew_at_ GUARDED_BY(mutex_){};
  bool admitted_ GUARDED_BY(mutex_) = false;
  // Of the last exchange, and when the next may be.
  std::optional<Error> error_ GUARDED_BY(mutex_);
  Clock::TimePoint retry_at_ GUARDED_BY(mutex_){};
  Backoff backoff_ GUARDED_BY(mutex_);
  std::minstd_rand random_ GUARDED_BY(mutex_);
};

}  // namespace escagent::identity
