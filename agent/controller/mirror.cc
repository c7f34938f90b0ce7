#include "agent/controller/mirror.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "agent/controller/cluster_external_secret_controller.h"
#include "agent/controller/push_secret_controller.h"
#include "agent/controller/store_controller.h"
#include "agent/controller/workload_restarter.h"
#include "kube/event_recorder.h"

namespace escagent::controller {

// Members are in the order of their dependencies.
class Mirror::Impl {
 public:
  Impl(const Options& options, kube::Api& api, kube::Informers& informers,
       store::KubeStoreRegistry& stores, const store::ApiFactory& api_factory,
       cache::EnvironmentCache& cache, Clock& clock)
      : stores_(stores),
        events_({.component = mirror::kEventComponent, .instance = options.node_name}, api, clock),
        leases_({.namespace_name = options.namespace_name,
                 .identity = ShardLeases::MakeIdentity(options.node_name)},
                api, informers, clock),
        restarter_({.may_write = MayWrite()}, api, events_, clock),
        store_controller_({}, api, stores, api_factory, leases_, events_, clock),
        external_secrets_(
            {.compat = options.compat,
             .before_change = [this](const kube::ObjectKey& secret,
                                     kube::Object& body) { restarter_.BeforeChange(secret, body); },
             .after_change =
                 [this](const kube::ObjectKey& secret) { restarter_.AfterChange(secret); },
             .on_marked = [this](const kube::ObjectKey& secret) { restarter_.Resume(secret); }},
            api, informers, stores, api_factory, cache, leases_, events_, clock),
        push_secrets_(api, informers, stores, api_factory, leases_, events_, clock) {
    if (options.scope.IsAll()) {
      cluster_external_secrets_.emplace(
          ClusterExternalSecretController::Options{.is_mine = MayWrite(),
                                                   .namespaces = Namespaces()},
          api, informers, events_, clock);
    }
    listener_ = stores.Listen({.on_store =
                                   [this](const store::StoreId& id) {
                                     store_controller_.OnStoreChanged(id);
                                     external_secrets_.OnStoreChanged(id);
                                   },
                               .on_namespace =
                                   [this](const std::string& name) {
                                     external_secrets_.OnNamespaceChanged(name);
                                     OnNamespaceChanged();
                                   },
                               .on_synced =
                                   [this] {
                                     OnNamespaceChanged();
                                     push_secrets_.OnStoreChanged();
                                   }});
    leases_.Start({.on_gained = [this](int shard) { OnGained(shard); },
                   .on_lost = [this](int shard) { OnLost(shard); }});
  }

  // No write begins after Stop; the leases are free when those under way have ended.
  ~Impl() {
    stores_.Unlisten(listener_);
    const std::vector<ShardStatus> shards = leases_.GetStatus();
    leases_.Stop();
    for (const ShardStatus& shard : shards) {
      if (shard.ours) OnLost(shard.shard);
    }
    leases_.Release();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  MirrorStatus GetStatus() const {
    return {.shards = leases_.GetStatus(),
            .external_secrets = external_secrets_.GetStats(),
            .push_secrets = push_secrets_.GetStats()};
  }

 private:
  std::function<bool(const std::string&)> MayWrite() {
    return [this](const std::string& name) { return leases_.HoldsNamespace(name); };
  }
  std::function<std::optional<std::map<std::string, store::Labels>>()> Namespaces() {
    return [this]() -> std::optional<std::map<std::string, store::Labels>> {
      if (!stores_.Synced()) return std::nullopt;
      return stores_.Namespaces();
    };
  }

  void OnNamespaceChanged() {
    if (cluster_external_secrets_) cluster_external_secrets_->OnNamespaceChanged();
  }

  void OnGained(int shard) {
    store_controller_.OnShardGained(shard);
    external_secrets_.OnShardGained(shard);
    if (cluster_external_secrets_) cluster_external_secrets_->OnShardGained();
    push_secrets_.OnShardGained(shard);
  }

  void OnLost(int shard) {
    store_controller_.OnShardLost(shard);
    external_secrets_.OnShardLost(shard);
    if (cluster_external_secrets_) cluster_external_secrets_->OnShardLost();
    push_secrets_.OnShardLost(shard);
    restarter_.OnShardLost();
  }

  store::KubeStoreRegistry& stores_;
  kube::EventRecorder events_;
  ShardLeases leases_;
  WorkloadRestarter restarter_;
  StoreController store_controller_;
  ExternalSecretController external_secrets_;
  // None with a narrow scope.
  std::optional<ClusterExternalSecretController> cluster_external_secrets_;
  PushSecretController push_secrets_;
  int listener_ = 0;
};

Mirror::Mirror(Options options, kube::Api& api, kube::Informers& informers,
               store::KubeStoreRegistry& stores, const store::ApiFactory& api_factory,
               cache::EnvironmentCache& cache, Clock& clock)
    : impl_(std::make_unique<Impl>(options, api, informers, stores, api_factory, cache, clock)) {}

Mirror::~Mirror() = default;

MirrorStatus Mirror::GetStatus() const { return impl_->GetStatus(); }

}  // namespace escagent::controller
