#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/cache/environment_cache.h"
#include "agent/controller/external_secret_controller.h"
#include "agent/controller/push_secret_controller.h"
#include "agent/controller/shard_leases.h"
#include "agent/mirror/value_text.h"
#include "agent/store/kube_store_registry.h"
#include "base/clock.h"
#include "kube/api.h"
#include "kube/informer.h"
#include "kube/namespace_scope.h"

namespace escagent::controller {

// What the mirror tells of itself. No values.
struct MirrorStatus {
  std::vector<ShardStatus> shards;
  ExternalSecretController::Stats external_secrets;
  PushSecretController::Stats push_secrets;
};

// The mirror of one agent: the controllers of external-secrets.io's objects and the shard leases
// that say for which namespaces this agent runs them. Owns all of their threads. Thread-safe;
// borrows what it is given.
class Mirror {
 public:
  struct Options {
    std::string node_name;
    std::string namespace_name;  // of the leases
    // Of `informers` and `stores`. ClusterExternalSecrets are served with all namespaces only.
    kube::NamespaceScope scope{};
    mirror::Compat compat;
  };

  Mirror(Options options, kube::Api& api, kube::Informers& informers,
         store::KubeStoreRegistry& stores, const store::ApiFactory& api_factory,
         cache::EnvironmentCache& cache, Clock& clock);
  // Finishes or cancels the work under way, then lets other agents have the shards at once.
  ~Mirror();
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  MirrorStatus GetStatus() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace escagent::controller
