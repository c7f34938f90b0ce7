#pragma once

#include <string>
#include <vector>

#include "agent/doctor/finding.h"
#include "kube/api.h"

namespace escagent::doctor {

// Whether kubelet sends the tokens that the pods of this node need whose volumes are opened with
// their own identity (`auth: pod`): the CSIDriver object's tokenRequests have an audience for each
// organization that they ask for. `node` may be empty: nothing is known of pods then.
Findings CheckPodTokens(kube::Api& api, const std::string& driver, const std::string& node,
                        const kube::CallOptions& options);

// A store with oidcConfig, and the service account whose identity it uses.
struct StoreAccount {
  std::string store;  // "SecretStore shop/app"
  kube::ObjectKey service_account;
};

// Whether the agent's account may ask for the tokens of these service accounts; a finding a store.
Findings CheckAccountTokens(kube::Api& api, const std::vector<StoreAccount>& stores,
                            const kube::CallOptions& options);

}  // namespace escagent::doctor
