#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "esc/devserver/access_policy.h"
#include "esc/devserver/identity.h"

namespace escagent::devserver {

struct OidcOptions {
  std::string issuer;       // the claim "iss"
  std::string jwks_file;    // its JWK set; read for each token, so that keys can be replaced
  std::string policy_file;  // an AccessPolicy, read for each token too; empty: everybody may
  // The longest life of an access token; what is asked for beyond is cut.
  std::chrono::seconds max_lifetime = std::chrono::hours(25);
};

// The OIDC issuer that organizations trust: turns its tokens into identities. Thread-safe.
class OidcIssuer {
 public:
  // Of a token whose lifetime nobody asked for (reference/esc-api.md (b)).
  static constexpr std::chrono::seconds kDefaultLifetime{7200};
  // How far clocks may be apart.
  static constexpr std::chrono::seconds kLeeway{30};

  // `clock` is borrowed.
  OidcIssuer(OidcOptions options, const Clock& clock)
      : options_(std::move(options)), clock_(clock) {}

  // Whether the files can be used.
  Status Check() const;
  // UNAUTHENTICATED when the token is not the issuer's, has expired, is not valid yet or not for
  // this organization; PERMISSION_DENIED when the policy says so.
  Result<Identity> Authenticate(std::string_view token, const std::string& organization,
                                const TokenGrant& grant) const;
  std::chrono::seconds max_lifetime() const { return options_.max_lifetime; }

 private:
  Result<AccessPolicy> Policy() const;

  const OidcOptions options_;
  const Clock& clock_;
};

}  // namespace escagent::devserver
