#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "kube/api.h"

namespace escagent::kube {

// Whom a token stands for.
struct TokenUser {
  std::string name;  // "system:serviceaccount:podinfo:default"
  std::string uid;
  std::vector<std::string> groups;
};

// Asks the API server about a bearer token (authentication.k8s.io/v1 TokenReview). With `audiences`
// the token must be meant for one of them; without, for the API server. UNAUTHENTICATED when it is
// not valid, with the server's reason; other errors as Api::Create's.
Result<TokenUser> ReviewToken(Api& api, const Secret& token,
                              const std::vector<std::string>& audiences,
                              const CallOptions& options);

}  // namespace escagent::kube
