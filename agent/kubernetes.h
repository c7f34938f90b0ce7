#pragma once

#include <memory>
#include <string>

#include "agent/app.h"
#include "agent/cache/environment_cache.h"
#include "agent/controller/mirror.h"
#include "agent/controller/pod_events.h"
#include "agent/freshness/change_relay.h"
#include "agent/freshness/shared_heads.h"
#include "agent/freshness/sharing_supervisor.h"
#include "agent/identity/token_cache.h"
#include "agent/status/sharing_status.h"
#include "agent/store/kube_store_registry.h"
#include "base/clock.h"
#include "base/result.h"
#include "kube/cluster.h"
#include "kube/scoped_informers.h"

namespace escagent {

// What the agent has to do with the API server: stores, and the mirror. Nothing here is needed for
// volumes that are mounted. Thread-safe.
class Kubernetes {
 public:
  // Finds out where the API server is: --kubeconfig, or the pod's own service account. Null when
  // there is none and the options can do without: --stores is given, and --mirror is not on. Asks
  // the API server nothing yet. `identities`: the tokens of stores with oidcConfig; ends when no
  // store is asked for any more.
  static Result<std::unique_ptr<Kubernetes>> Find(const AppOptions& options,
                                                  identity::TokenCache& identities, Clock& clock);
  ~Kubernetes();
  Kubernetes(const Kubernetes&) = delete;
  Kubernetes& operator=(const Kubernetes&) = delete;

  // Begins to read stores, to mirror unless --mirror is off, and to look at ESC with the other
  // agents with --share-probes. `cache` and `heads` outlive it or Stop().
  void Start(const store::ApiFactory& api_factory, cache::EnvironmentCache& cache,
             freshness::SharedHeads& heads);
  // Tells the other agents that an environment has changed; nothing without --webhook-secret-file.
  // `id` names the news.
  void Announce(const esc::EnvironmentRef& ref, const std::string& id);
  // Tells the pod of a volume what it should know (controller/pod_events.h).
  void NoteVolumeEvent(const volume::VolumeEvent& event) { pod_events_.Note(event); }
  // Lets other agents mirror, and look at ESC, in place of this one.
  void Stop();

  store::KubeStoreRegistry& stores() { return *stores_; }
  kube::Cluster& cluster() { return *cluster_; }
  // What it does with the other agents to look at ESC.
  status::SharingStatus Sharing() const;
  // Null when there is none.
  const controller::Mirror* mirror() const { return mirror_.get(); }

 private:
  Kubernetes(const AppOptions& options, kube::Config config, identity::TokenCache& identities,
             Clock& clock);

  const AppOptions options_;
  Clock& clock_;
  std::unique_ptr<kube::Cluster> cluster_;
  // Of the namespaces that are watched.
  kube::ScopedInformers informers_;
  controller::PodEvents pod_events_;
  std::unique_ptr<store::KubeStoreRegistry> stores_;
  std::unique_ptr<controller::Mirror> mirror_;
  std::unique_ptr<freshness::SharingSupervisor> sharing_;
  std::unique_ptr<freshness::ChangeRelay> relay_;
};

}  // namespace escagent
