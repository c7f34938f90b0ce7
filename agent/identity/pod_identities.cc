#include "agent/identity/pod_identities.h"

#include <algorithm>
#include <utility>

#include "agent/identity/pod_subject.h"

namespace escagent::identity {
namespace {

// Who waits asks again after a tenth of the time already waited, within these limits.
constexpr std::chrono::milliseconds kMinPause{25};
constexpr std::chrono::milliseconds kMaxPause{250};
// How long the outcome of an exchange is remembered: longer than any publish takes.
constexpr std::chrono::minutes kRemembered{1};

std::string NameOf(const std::string& namespace_name, const std::string& service_account) {
  return "service account " + namespace_name + "/" + service_account;
}

}  // namespace

PodIdentities::PodIdentities(std::string api_url, TokenCache& tokens, Clock& clock, int workers)
    : api_url_(std::move(api_url)), tokens_(tokens), clock_(clock), pool_(workers) {}

PodIdentities::~PodIdentities() = default;

Result<PodIdentities::Known> PodIdentities::Identify(const PodRequest& request) const {
  ESC_ASSIGN_OR_RETURN(
      ServiceAccountToken token,
      FindServiceAccountToken(request.tokens, esc::AudienceOf(request.grant.organization)));
  if (token.namespace_name != request.namespace_name ||
      token.service_account != request.service_account) {
    return PermissionDenied("volumeAttributes: auth: pod: the token is of " +
                            NameOf(token.namespace_name, token.service_account) +
                            ", but the pod runs as " +
                            NameOf(request.namespace_name, request.service_account));
  }
  IdentityKey key{.api_url = api_url_,
                  .grant = request.grant,
                  .subject = "pod " + token.namespace_name + "/" + token.service_account + " " +
                             token.service_account_uid + " " + token.issuer};
  return Known{std::move(key), std::move(token)};
}

std::shared_ptr<RenewedToken> PodIdentities::Keep(const IdentityKey& key,
                                                  const ServiceAccountToken& token) {
  std::shared_ptr<RenewedToken> renewed =
      tokens_.Find(key, [this] { return std::make_shared<PodSubject>(clock_); });
  // Nobody else makes subjects of pods.
  static_cast<PodSubject&>(*renewed->subject()).Offer(token);
  return renewed;
}

Result<std::shared_ptr<RenewedToken>> PodIdentities::Renew(const PodRequest& request) {
  ESC_ASSIGN_OR_RETURN(const Known known, Identify(request));
  return Keep(known.key, known.token);
}

Result<std::shared_ptr<RenewedToken>> PodIdentities::Admit(const PodRequest& request,
                                                           Clock::TimePoint asked_at) {
  ESC_ASSIGN_OR_RETURN(const Known known, Identify(request));
  std::optional<Status> outcome = Ask(request.volume_id, known, asked_at);
  // Until then it may still be a denial, even of a pod whose service account is known.
  if (!outcome) return std::unexpected(NotYet(asked_at));
  if (*outcome) return Keep(known.key, known.token);
  Error error = std::move(*outcome).error();
  const std::shared_ptr<RenewedToken> renewed = tokens_.Peek(known.key);
  if (IsDenial(error.code)) {
    error.code = Code::kPermissionDenied;
    if (renewed != nullptr) tokens_.Recheck(known.key);
    return std::unexpected(std::move(error));
  }
  const bool served =
      error.code == Code::kUnavailable && renewed != nullptr && renewed->IsAdmitted();
  if (!served) return std::unexpected(std::move(error));
  return renewed;
}

Error PodIdentities::NotYet(Clock::TimePoint asked_at) const {
  const auto waited =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Now() - asked_at);
  return {.code = Code::kUnavailable,
          .message = "exchange the token of the pod's service account: no answer from " + api_url_ +
                     " yet; check that this node can reach it",
          .retry_after = std::clamp(waited / 10, kMinPause, kMaxPause)};
}

std::optional<Status> PodIdentities::Ask(const std::string& volume_id, const Known& known,
                                         Clock::TimePoint asked_at) {
  const Clock::TimePoint now = clock_.Now();
  MutexLock lock(mutex_);
  std::erase_if(attempts_, [now](const auto& item) {
    return !item.second.under_way && now - item.second.ended_at > kRemembered;
  });
  Attempt& attempt = attempts_[volume_id];
  if (attempt.under_way) return std::nullopt;
  if (attempt.outcome && attempt.ended_at >= asked_at && attempt.key == known.key) {
    // After a Retry-After another exchange is worth it.
    const Status& outcome = *attempt.outcome;
    const bool over = !outcome && outcome.error().retry_after.count() > 0 &&
                      now >= attempt.ended_at + outcome.error().retry_after;
    if (!over) return outcome;
  }
  attempt = {.key = known.key, .under_way = true, .ended_at = {}, .outcome = {}};
  auto copy = std::make_shared<Known>();
  copy->key = known.key;
  copy->token.jwt = known.token.jwt.Clone();
  copy->token.expires_at = known.token.expires_at;
  pool_.Submit(
      {.urgent = true, .slow = false},
      [this, volume_id, copy](const std::stop_token& stop) { Exchange(volume_id, *copy, stop); });
  return std::nullopt;
}

void PodIdentities::Exchange(const std::string& volume_id, const Known& known,
                             const std::stop_token& stop) {
  const Clock::TimePoint began_at = clock_.Now();
  Result<esc::ExchangedToken> exchanged =
      tokens_.exchange().Exchange(known.key, known.token.jwt, tokens_.lifetime(), stop);
  Status outcome;
  if (exchanged) {
    // Before the outcome is known, so that who learns of it finds the token.
    Keep(known.key, known.token)->Adopt(*std::move(exchanged), began_at);
  } else {
    outcome = std::unexpected(std::move(exchanged).error());
  }
  MutexLock lock(mutex_);
  attempts_[volume_id] = {.key = known.key,
                          .under_way = false,
                          .ended_at = clock_.Now(),
                          .outcome = std::move(outcome)};
}

}  // namespace escagent::identity
