#pragma once

#include <compare>
#include <string>

#include "esc/token_exchange.h"

namespace escagent::identity {

// Whom ESC sees: two requests with equal keys may use the same access token and share what was
// opened with it. It says who somebody is, not which token they have: a renewed token is the same
// identity.
struct IdentityKey {
  std::string api_url;
  esc::TokenGrant grant;
  // Whose token is exchanged, with everything that tells it from others: "pod shop/web UID ISSUER".
  std::string subject;

  auto operator<=>(const IdentityKey&) const = default;

  // For cache::EnvironmentKey::identity. Different from any digest of an access token.
  std::string Digest() const;
};

}  // namespace escagent::identity
