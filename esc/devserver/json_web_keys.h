#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct evp_pkey_st;

namespace escagent::devserver {

// The public keys of a token issuer: a JWK set (RFC 7517), as Kubernetes serves it at
// /openid/v1/jwks. Of its keys those for RS256 (RSA) and ES256 (P-256) are used, which are what
// Kubernetes signs with. Immutable.
class JsonWebKeys {
 public:
  // INVALID_ARGUMENT for what is no JWK set, and for one without a usable key.
  static Result<JsonWebKeys> Parse(std::string_view text, std::string_view what);

  // The claims of a JSON Web Token (RFC 7519) that one of the keys has signed. Nothing but the
  // signature is checked. Errors are UNAUTHENTICATED and hold nothing of the token.
  Result<nlohmann::json> Verify(std::string_view token) const;

 private:
  struct Key {
    std::string id;         // "kid", may be empty
    std::string algorithm;  // "RS256" or "ES256"
    std::shared_ptr<evp_pkey_st> key;
  };

  std::vector<Key> keys_;
};

}  // namespace escagent::devserver
