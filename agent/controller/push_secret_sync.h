#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/cache/environment_cache.h"
#include "agent/mirror/push_items.h"
#include "agent/mirror/push_plan.h"
#include "agent/mirror/push_secret.h"
#include "agent/mirror/push_status.h"
#include "agent/store/kube_store_registry.h"
#include "base/clock.h"
#include "esc/api.h"
#include "kube/api.h"

namespace escagent::controller {

// What was in an environment's definition after it was last brought up to date for a PushSecret.
struct PushedState {
  std::string etag;
  std::string wish;  // hash of what was wanted

  bool operator==(const PushedState&) const = default;
};
using PushMemory = std::map<cache::EnvironmentKey, PushedState>;

// How one push ended.
struct PushResult {
  enum class Kind {
    kForeign,  // another controller's: none of its stores is ours
    kPending,  // stores or Secrets have not been read yet, or somebody else, who may see a store
               // that is out of scope, looks after it; to be run again after `pause`
    kDone
  };
  Kind kind = Kind::kDone;
  std::chrono::milliseconds pause{1000};
  mirror::PushOutcome outcome;
};

// Brings the environments of one PushSecret to what it wants: reads the source Secrets, asks the
// stores, plans (agent/mirror), and edits the definitions: each environment with one update under
// the ETag it was read with, and none when it says so already. Thread-safe; blocks for the API
// server and ESC, each call with a deadline. Borrows what it is given.
class PushSecretSync {
 public:
  struct Options {
    // Whether this agent may (still) write for the namespace; asked before each write.
    std::function<bool(const std::string& namespace_name)> may_write;
    // The Secrets that a selector means; nothing while that is not known yet.
    std::function<std::optional<std::vector<std::string>>(const std::string& namespace_name,
                                                          const store::LabelSelector& selector)>
        select;
  };

  PushSecretSync(Options options, kube::Api& api, store::KubeStoreRegistry& stores,
                 store::ApiFactory api_factory, Clock& clock);

  // Why nothing is pushed, without asking anybody: it is another's, the stores are not known yet,
  // its spec is broken, or stores are out of scope. Nothing: it is to be pushed.
  std::optional<PushResult> Refuse(const mirror::PushSecret& push) const;
  // `memory` is the object's own, kept from call to call: what has not changed since is not
  // compared again.
  PushResult Run(const mirror::PushSecret& push, PushMemory& memory, const kube::CallOptions& call);
  // Removes all that was pushed (deletionPolicy Delete).
  PushResult RemoveAll(const mirror::PushSecret& push, PushMemory& memory,
                       const kube::CallOptions& call);

 private:
  // A Secret that is pushed, with its data or what the template makes of it.
  struct Source {
    std::string name;
    mirror::SecretData data;
  };
  using Sources = std::vector<Source>;
  // What one store of an environment is to have. Nothing: it has been left.
  struct StoreWish {
    store::StoreId id;
    std::vector<mirror::PushItem> items;
  };
  struct Environment {
    std::shared_ptr<esc::Api> api;
    std::vector<StoreWish> stores;
  };
  using Environments = std::map<cache::EnvironmentKey, Environment>;

  Result<Sources> ReadSources(const mirror::PushSecret& push, const kube::CallOptions& call);
  Result<std::vector<std::string>> SourceNames(const mirror::PushSecret& push) const;
  Status ApplyTemplate(const mirror::PushSecret& push, Sources& sources,
                       const kube::CallOptions& call);
  // FAILED_PRECONDITION when the object wants stores that this agent may not see.
  Status CheckScope(const mirror::PushSecret& push) const;
  PushResult OutOfScope(const mirror::PushSecret& push, const Error& error) const;
  // The stores that the object means, of those that are ours.
  std::vector<store::StoreId> StoresOf(const mirror::PushSecret& push, bool& foreign) const;
  PushResult Push(const mirror::PushSecret& push, const Sources& sources,
                  const std::vector<store::StoreId>& stores, PushMemory& memory,
                  const kube::CallOptions& call);
  Status AddWish(const mirror::PushSecret& push, const store::StoreId& id,
                 std::vector<mirror::PushItem> items, Environments& environments);
  // Brings one environment up to date. Whether it was changed; `synced` gets the stores' entries.
  Result<bool> PushOne(const mirror::PushSecret& push, const cache::EnvironmentKey& key,
                       Environment& environment, PushMemory& memory, nlohmann::json& synced,
                       const std::stop_token& stop);
  Result<bool> TryOnce(const mirror::PushSecret& push, const cache::EnvironmentKey& key,
                       const Environment& environment, PushMemory& memory, nlohmann::json& synced,
                       const std::stop_token& stop);
  Result<std::vector<edit::Edit>> Plan(const mirror::PushSecret& push,
                                       const Environment& environment,
                                       const mirror::PushState& state, nlohmann::json& synced);

  const Options options_;
  kube::Api& api_;
  store::KubeStoreRegistry& stores_;
  const store::ApiFactory api_factory_;
  Clock& clock_;
};

}  // namespace escagent::controller
