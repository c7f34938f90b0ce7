#pragma once

#include <string>

#include "agent/identity/token_cache.h"
#include "agent/store/secret_store.h"
#include "agent/store/store_registry.h"
#include "base/result.h"
#include "kube/api.h"

namespace escagent::store {

// The access tokens of stores with auth.oidcConfig. Thread-safe; borrows what it is given.
class OidcTokens {
 public:
  // Either may be null: where tokens are not exchanged, and without an API server.
  OidcTokens(identity::TokenCache* tokens, kube::Api* api) : tokens_(tokens), api_(api) {}

  // Gives `resolved` (of a store with this config; api_url is set) its tokens and identity. Asks
  // nobody yet. FAILED_PRECONDITION when the tokens cannot be had here at all.
  Status Complete(const OidcConfig& config, ResolvedStore& resolved) const;

 private:
  identity::TokenCache* const tokens_;
  kube::Api* const api_;
};

}  // namespace escagent::store
