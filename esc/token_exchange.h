#pragma once

#include <chrono>
#include <compare>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/http.h"
#include "base/result.h"
#include "base/secret.h"

namespace escagent::esc {

// What kind of access token is asked for, and for whom.
struct TokenGrant {
  std::string organization;
  // Empty: an organization's token. "team:NAME" and "user:LOGIN": a team's and a personal one.
  std::string scope{};

  auto operator<=>(const TokenGrant&) const = default;
};

// The audience that a token must have to be exchanged for one of this organization:
// "urn:pulumi:org:acme".
std::string AudienceOf(const std::string& organization);

struct ExchangedToken {
  Secret token;
  std::chrono::seconds lifetime{0};
};

// Exchanges a signed token of another issuer (a Kubernetes service account's) for an access token
// of Pulumi: POST {backend}/api/oauth/token, RFC 8693 as Pulumi has it (reference/esc-api.md (b)).
// One request a call, no retry. Thread-safe. Borrows the transport and the clock.
class TokenExchange {
 public:
  struct Options {
    std::chrono::milliseconds connect_timeout{3000};
    std::chrono::milliseconds total_timeout{5000};
    // What an answer that does not tell its lifetime is good for.
    std::chrono::seconds assumed_lifetime{600};
  };

  TokenExchange(Options options, HttpTransport& transport, const Clock& clock)
      : options_(options), transport_(transport), clock_(clock) {}

  // `api_url` with or without "/api/esc". `lifetime`: what to ask for; zero: the server's default.
  //
  // PERMISSION_DENIED (400, 403) and UNAUTHENTICATED (401): the subject gets no token; the message
  // says what to look at. UNAVAILABLE: no answer, 429, 5xx, with Retry-After as retry_after; an
  // answer that makes no sense is that, too. FAILED_PRECONDITION: the server does not know the
  // exchange. No token is ever in a message.
  Result<ExchangedToken> Exchange(const std::string& api_url, const TokenGrant& grant,
                                  const Secret& subject, std::chrono::seconds lifetime,
                                  std::stop_token stop) const;

 private:
  const Options options_;
  HttpTransport& transport_;
  const Clock& clock_;
};

}  // namespace escagent::esc
