#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/doctor/finding.h"
#include "agent/doctor/identity_checks.h"
#include "agent/store/access_token.h"
#include "base/result.h"
#include "esc/environment_ref.h"
#include "kube/api.h"
#include "kube/namespace_scope.h"

namespace escagent::doctor {

// A store that the agent serves, with what is needed to ask ESC about it.
struct StoreToAsk {
  std::string name;     // "SecretStore shop/app"
  std::string api_url;  // "https://api.pulumi.com/api/esc"
  esc::EnvironmentRef ref;
  std::string token_place;  // "Secret shop/token, key token" or "file:/etc/token"
  Result<store::AccessToken> token;
};

struct StoreList {
  std::vector<StoreToAsk> stores;
  // Of the API server's with oidcConfig, which have no token to read.
  std::vector<StoreAccount> accounts;
  // About those that cannot be used, or that there are none.
  Findings findings;
};

// The stores of the folder of --stores. `default_api_url`: of those without an apiUrl.
StoreList ListFileStores(const std::string& folder, const std::string& default_api_url);

// Those of the API server that are of this class of controller, in the namespaces of `scope`.
StoreList ListClusterStores(kube::Api& api, const kube::NamespaceScope& scope,
                            std::string_view controller_class, const std::string& default_api_url,
                            const kube::CallOptions& options);

}  // namespace escagent::doctor
