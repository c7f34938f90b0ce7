#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

struct evp_pkey_st;

namespace escagent::testing {

// An OIDC issuer, as the token issuer of a Kubernetes cluster is one: it has a key, and signs
// claims with it. Thread-safe.
class FakeOidcIssuer {
 public:
  enum class Algorithm { kRs256, kEs256 };

  explicit FakeOidcIssuer(Algorithm algorithm = Algorithm::kEs256, std::string key_id = "key-1");
  FakeOidcIssuer(const FakeOidcIssuer&) = delete;
  FakeOidcIssuer& operator=(const FakeOidcIssuer&) = delete;

  // The JWK of its public key, and the set with nothing else.
  nlohmann::json Jwk() const;
  std::string Jwks() const;

  // A JSON Web Token.
  std::string Sign(const nlohmann::json& claims) const;

  // The claims of a pod's token (reference/esc-api.md (b)), which may be changed before Sign().
  // Times are seconds since 1970.
  static nlohmann::json PodClaims(const std::string& issuer, const std::string& organization,
                                  const std::string& service_account_namespace,
                                  const std::string& service_account, long long now,
                                  long long expires);

 private:
  const Algorithm algorithm_;
  const std::string key_id_;
  const std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace escagent::testing
