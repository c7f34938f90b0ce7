#include "agent/kubernetes.h"

#include <utility>

#include "base/log.h"
#include "base/version.h"

namespace escagent {
namespace {

// Agents that hear of a change open it within this, not all at once.
constexpr std::chrono::milliseconds kRelaySpread{700};

}  // namespace

Result<std::unique_ptr<Kubernetes>> Kubernetes::Find(const AppOptions& options,
                                                     identity::TokenCache& identities,
                                                     Clock& clock) {
  Result<kube::Config> config = kube::FindConfig(options.kubeconfig);
  if (config) {
    return std::unique_ptr<Kubernetes>(
        new Kubernetes(options, *std::move(config), identities, clock));
  }
  const bool outside = config.error().code == Code::kFailedPrecondition;
  const bool needed = options.stores_dir.empty() || options.mirror == MirrorMode::kOn;
  if (outside && !needed) return nullptr;
  if (!outside) return std::unexpected(config.error());
  return InvalidArgument(config.error().message +
                         (options.stores_dir.empty()
                              ? "; set --kubeconfig, or --stores for stores in files"
                              : "; set --kubeconfig, or leave --mirror at auto"));
}

Kubernetes::Kubernetes(const AppOptions& options, kube::Config config,
                       identity::TokenCache& identities, Clock& clock)
    : options_(options),
      clock_(clock),
      cluster_(std::make_unique<kube::Cluster>(
          std::move(config),
          kube::Cluster::Options{.user_agent = "esc-agent/" + std::string(kVersion)}, clock)),
      informers_(options.watch_namespaces, cluster_->informers()),
      pod_events_(options.node_name, cluster_->api(), clock) {
  stores_ = std::make_unique<store::KubeStoreRegistry>(
      store::KubeStoreRegistry::Options{.default_api_url = options.esc_url + "/api/esc",
                                        .controller_class = options.controller_class,
                                        .scope = options.watch_namespaces,
                                        .identities = &identities},
      cluster_->api(), informers_, clock);
}

Kubernetes::~Kubernetes() = default;

void Kubernetes::Start(const store::ApiFactory& api_factory, cache::EnvironmentCache& cache,
                       freshness::SharedHeads& heads) {
  const std::string& own = cluster_->config().namespace_name;
  const std::string name = options_.namespace_name.empty() ? own : options_.namespace_name;
  LogInfo("using the API server",
          {{log_key::kAddress, cluster_->config().server}, {log_key::kNamespace, name}});
  if (!options_.watch_namespaces.IsAll()) {
    LogInfo("serving the objects of some namespaces only",
            {{log_key::kNamespace, options_.watch_namespaces.ToString()}});
  }
  if (options_.mirror != MirrorMode::kOff) {
    mirror_ = std::make_unique<controller::Mirror>(
        controller::Mirror::Options{.node_name = options_.node_name,
                                    .namespace_name = name,
                                    .scope = options_.watch_namespaces,
                                    .compat = options_.compat},
        cluster_->api(), informers_, *stores_, api_factory, cache, clock_);
  }
  if (options_.share_probes) {
    sharing_ = std::make_unique<freshness::SharingSupervisor>(
        freshness::SharingSupervisor::Options{.namespace_name = name}, cluster_->api(),
        [this, name, api_factory, &cache, &heads](freshness::ProbeSharing::OnBroken on_broken) {
          return std::make_unique<freshness::ProbeSharing>(
              freshness::ProbeSharing::Options{.namespace_name = name,
                                               .node_name = options_.node_name,
                                               .interval = options_.refresh_interval},
              heads, cluster_->api(), informers_, *stores_, api_factory,
              [&cache](const auto& keys, std::chrono::milliseconds within) {
                cache.HeadsChanged(keys, within);
              },
              std::move(on_broken), clock_);
        },
        clock_);
  }
  if (!options_.webhook_secret_file.empty()) {
    relay_ = std::make_unique<freshness::ChangeRelay>(
        name, cluster_->api(), informers_,
        [&cache](const esc::EnvironmentRef& ref, bool here) {
          cache.EnvironmentChanged(ref, here ? std::chrono::milliseconds(0) : kRelaySpread);
        },
        clock_);
  }
  // After the mirror, which listens.
  stores_->Start();
}

void Kubernetes::Announce(const esc::EnvironmentRef& ref, const std::string& id) {
  if (relay_ != nullptr) relay_->Announce(ref, id);
}

status::SharingStatus Kubernetes::Sharing() const {
  status::SharingStatus sharing;
  if (sharing_ != nullptr) sharing.probes = sharing_->GetStats();
  if (relay_ != nullptr) sharing.relay = relay_->GetStats();
  return sharing;
}

void Kubernetes::Stop() {
  relay_.reset();
  mirror_.reset();
  sharing_.reset();
}

}  // namespace escagent
