#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "agent/controller/owned_external_secrets.h"
#include "agent/mirror/cluster_external_secret.h"
#include "agent/store/label_selector.h"
#include "base/result.h"
#include "kube/api.h"

namespace escagent::controller {

// Brings the ExternalSecrets of one ClusterExternalSecret to what they should be, in all
// namespaces. The status is the caller's. Those that are as wanted cost no request. Thread-safe;
// blocks for the API server's answers. Borrows what it is given.
class ClusterExternalSecretSync {
 public:
  using Namespaces = std::map<std::string, store::Labels>;

  // `may_write`: whether this agent (still) looks after the ClusterExternalSecret of this name;
  // asked before each write.
  ClusterExternalSecretSync(kube::Api& api, OwnedExternalSecrets& owned,
                            std::function<bool(const std::string& name)> may_write);

  struct Outcome {
    mirror::ProvisionOutcome provision;
    // Something failed that may work later although nobody changes anything here.
    bool retry = false;
  };
  // Of an object that is there, with a good spec. ABORTED: another agent looks after it now.
  Result<Outcome> Run(const mirror::ClusterExternalSecret& object, const Namespaces& namespaces,
                      const kube::CallOptions& call);
  // Of one that is gone, or going: deletes its ExternalSecrets, as Kubernetes' garbage collector
  // does, but at once. Those of another object of the same name stay.
  Status RemoveAll(const mirror::ClusterExternalSecret& object, const kube::CallOptions& call);

 private:
  // Whether the namespace has its ExternalSecret now. Nothing: it is being deleted, and does not
  // count.
  Result<std::optional<bool>> Provision(const mirror::ClusterExternalSecret& object,
                                        const std::string& namespace_name,
                                        const kube::CallOptions& call);
  // Nothing: compare again.
  Result<std::optional<kube::Object>> Write(const mirror::ClusterExternalSecret& object,
                                            const mirror::ExternalSecretAction& action,
                                            const kube::CallOptions& call);
  bool IsTerminating(const std::string& namespace_name, const kube::CallOptions& call);
  Status Delete(const mirror::ClusterExternalSecret& object, const kube::ObjectKey& key,
                const std::string& uid, const kube::CallOptions& call);
  Status MayWrite(const mirror::ClusterExternalSecret& object) const;

  kube::Api& api_;
  OwnedExternalSecrets& owned_;
  const std::function<bool(const std::string& name)> may_write_;
};

}  // namespace escagent::controller
