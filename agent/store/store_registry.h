#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "esc/api.h"
#include "esc/environment_ref.h"
#include "esc/token_source.h"

namespace escagent::store {

// A (Cluster)SecretStore with provider pulumi, resolved for one use: which environment, and the
// access token to open it with.
struct ResolvedStore {
  std::string name;     // "SecretStore default/app" or "ClusterSecretStore app", for messages
  std::string api_url;  // "https://api.pulumi.com/api/esc"
  esc::EnvironmentRef ref;
  // The access token; null with `tokens`, which gives those of an identity that exchanges for them.
  std::shared_ptr<const Secret> token{};
  std::shared_ptr<esc::TokenSource> tokens{};
  // Digest of the token, or of the identity, for EnvironmentKey::identity.
  std::string identity;
};

// How to reach ESC with a store's address and token.
using ApiFactory = std::function<std::shared_ptr<esc::Api>(const ResolvedStore&)>;

// Where stores come from: files (FileStoreRegistry) or the API server (KubeStoreRegistry).
// Thread-safe.
class StoreRegistry {
 public:
  virtual ~StoreRegistry() = default;

  // The store of kind SecretStore in the namespace. NOT_FOUND names the store and what is there;
  // UNAUTHENTICATED when its token cannot be read.
  virtual Result<ResolvedStore> SecretStore(const std::string& namespace_name,
                                            const std::string& name) = 0;
  // The ClusterSecretStore, if its conditions admit the namespace (else PERMISSION_DENIED).
  virtual Result<ResolvedStore> ClusterSecretStore(const std::string& namespace_name,
                                                   const std::string& name) = 0;
};

}  // namespace escagent::store
