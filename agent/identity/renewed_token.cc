#include "agent/identity/renewed_token.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace escagent::identity {
namespace {

// Of a token's lifetime.
constexpr double kRenewLatest = 0.8;
constexpr double kRenewSpread = 0.1;
// A token is not sent that would expire on the way.
constexpr std::chrono::seconds kMargin{30};
constexpr std::chrono::milliseconds kFirstRetry{1000};
// Short, so that what waits for a token recovers soon after ESC has.
constexpr std::chrono::milliseconds kLongestRetry{10000};
// The most that a server's Retry-After holds an identity back.
constexpr std::chrono::milliseconds kLongestPause{60000};

std::chrono::milliseconds Part(std::chrono::seconds lifetime, double part) {
  return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(
      1000.0 * static_cast<double>(lifetime.count()) * part));
}

}  // namespace

bool IsDenial(Code code) {
  return code == Code::kPermissionDenied || code == Code::kUnauthenticated;
}

Result<esc::ExchangedToken> CountedExchange::Exchange(const IdentityKey& key, const Secret& subject,
                                                      std::chrono::seconds lifetime,
                                                      std::stop_token stop) {
  Result<esc::ExchangedToken> exchanged =
      exchange_.Exchange(key.api_url, key.grant, subject, lifetime, std::move(stop));
  MutexLock lock(mutex_);
  if (exchanged) {
    ++counts_.succeeded;
  } else {
    ++(IsDenial(exchanged.error().code) ? counts_.denied : counts_.failed);
  }
  return exchanged;
}

ExchangeCounts CountedExchange::Counts() const {
  MutexLock lock(mutex_);
  return counts_;
}

RenewedToken::RenewedToken(IdentityKey key, std::shared_ptr<SubjectSource> subject,
                           std::chrono::seconds lifetime, CountedExchange& exchange, Clock& clock)
    : key_(std::move(key)),
      subject_(std::move(subject)),
      lifetime_(lifetime),
      exchange_(exchange),
      clock_(clock),
      backoff_({.initial = kFirstRetry, .max = kLongestRetry}, std::random_device{}()),
      random_(std::random_device{}()) {}

bool RenewedToken::IsUsable() const { return token_ != nullptr && clock_.Now() < usable_until_; }

Result<std::shared_ptr<const Secret>> RenewedToken::Get(std::stop_token stop) {
  {
    MutexLock lock(mutex_);
    for (;;) {
      if (IsUsable()) return token_;
      if (error_ && clock_.Now() < retry_at_) return std::unexpected(*error_);
      if (!busy_) break;
      // Who exchanges does so for a few seconds at most.
      while (busy_) ended_.Wait(mutex_);
    }
    busy_ = true;
  }
  return Exchange(stop);
}

void RenewedToken::RenewIfDue(const std::stop_token& stop) {
  {
    MutexLock lock(mutex_);
    if (busy_ || token_ == nullptr || clock_.Now() < renew_at_) return;
    busy_ = true;
  }
  // Errors are noted, for who asks for the token.
  (void)Exchange(stop);
}

Result<std::shared_ptr<const Secret>> RenewedToken::Exchange(const std::stop_token& stop) {
  const Clock::TimePoint asked_at = clock_.Now();
  Result<esc::ExchangedToken> exchanged;
  if (Result<Secret> subject = subject_->Get(stop)) {
    exchanged = exchange_.Exchange(key_, *subject, lifetime_, stop);
  } else {
    exchanged = std::unexpected(std::move(subject).error());
  }
  const bool cancelled = !exchanged && exchanged.error().code == Code::kCancelled;
  bool news = false;
  Result<std::shared_ptr<const Secret>> answer;
  {
    MutexLock lock(mutex_);
    busy_ = false;
    if (exchanged) {
      Take(*std::move(exchanged), asked_at);
      answer = token_;
    } else if (!cancelled) {
      news = !error_ || error_->message != exchanged.error().message;
      NoteFailure(exchanged.error());
    }
    if (!exchanged) answer = std::unexpected(exchanged.error());
    ended_.NotifyAll();
  }
  if (news) {
    LogWarning("an identity gets no access token",
               {{log_key::kIdentity, key_.subject}, {log_key::kError, answer.error()}});
  }
  return answer;
}

void RenewedToken::Take(esc::ExchangedToken token, Clock::TimePoint asked_at) {
  token_ = std::make_shared<const Secret>(std::move(token.token));
  usable_until_ = asked_at + token.lifetime -
                  std::min<std::chrono::milliseconds>(kMargin, Part(token.lifetime, 0.1));
  std::uniform_real_distribution<double> spread(kRenewLatest - kRenewSpread, kRenewLatest);
  renew_at_ = asked_at + Part(token.lifetime, spread(random_));
  admitted_ = true;
  error_.reset();
  backoff_.Reset();
}

void RenewedToken::NoteFailure(const Error& error) {
  const auto pause = std::min(error.retry_after, kLongestPause);
  error_ = error;
  if (IsDenial(error.code)) {
    token_.reset();
    admitted_ = false;
    retry_at_ = clock_.Now() + kFirstRetry;
    return;
  }
  retry_at_ = clock_.Now() + std::max(backoff_.Next(), pause);
  renew_at_ = retry_at_;
}

void RenewedToken::Refuse(const Secret& token) {
  MutexLock lock(mutex_);
  if (token_ == nullptr || !token_->Equals(token)) return;
  token_.reset();
  retry_at_ = {};
}

void RenewedToken::Adopt(esc::ExchangedToken token, Clock::TimePoint asked_at) {
  MutexLock lock(mutex_);
  Take(std::move(token), asked_at);
}

void RenewedToken::Recheck() {
  MutexLock lock(mutex_);
  renew_at_ = clock_.Now();
}

Clock::TimePoint RenewedToken::RenewAt() const {
  MutexLock lock(mutex_);
  return busy_ || token_ == nullptr ? Clock::TimePoint::max() : renew_at_;
}

bool RenewedToken::IsAdmitted() const {
  MutexLock lock(mutex_);
  return admitted_;
}

}  // namespace escagent::identity
