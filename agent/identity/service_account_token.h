#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"

namespace escagent::identity {

// A Kubernetes service account's token (a JSON Web Token), with what its claims say. The claims are
// only decoded, their signature is not checked: who exchanges the token does that. Here they tell
// tokens apart, and that a token is who it should be of.
struct ServiceAccountToken {
  Secret jwt;
  std::string issuer;
  std::string namespace_name;
  std::string service_account;
  std::string service_account_uid;  // empty when the token does not say
  // The claim "exp"; nothing when there is none.
  std::optional<Clock::WallTime> expires_at;
};

// FAILED_PRECONDITION when it is no JSON Web Token of a service account. No error holds any of it.
Result<ServiceAccountToken> DecodeServiceAccountToken(Secret jwt);

// The token for `audience` in what kubelet sends as csi.storage.k8s.io/serviceAccount.tokens: JSON
// {"<audience>": {"token": ..., "expirationTimestamp": ...}} (reference/csi-contract.md 1.4).
// FAILED_PRECONDITION says what to add to the CSIDriver when there is none.
Result<ServiceAccountToken> FindServiceAccountToken(const Secret& tokens,
                                                    const std::string& audience);

}  // namespace escagent::identity
