#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/controller/environment_hub.h"
#include "agent/controller/secret_watch.h"
#include "agent/mirror/external_secret.h"
#include "agent/mirror/external_secret_status.h"
#include "agent/mirror/secret_diff.h"
#include "agent/mirror/target_secret.h"
#include "agent/mirror/value_text.h"
#include "agent/store/kube_store_registry.h"
#include "base/clock.h"
#include "kube/api.h"

namespace escagent::controller {

// How one synchronisation of an ExternalSecret ended.
struct SyncResult {
  enum class Kind {
    kForeign,  // another controller's: one of its stores is of another class or provider
    kPending,  // stores or an environment are not known yet, or somebody else, who may see a store
               // that is out of scope, looks after the object; it is asked for again then
    kUnchanged,  // not to be synced now (its refresh policy, a closed window)
    kDone,       // `outcome` says how
  };
  enum class Event { kNone, kCreated, kUpdated, kDeleted };

  Kind kind = Kind::kDone;
  mirror::SyncOutcome outcome;
  // The target's resourceVersion, when it is as wanted.
  std::string target_version;
  Event event = Event::kNone;
  // Paths that were not there, where deletionPolicy allows that.
  std::vector<std::string> missing;
  // When to look again although nothing has been told (a closed window, templates that nobody
  // watches). Failures are the caller's to repeat.
  std::optional<Clock::TimePoint> again_at;
};

// Brings the target Secret of one ExternalSecret to what it should be: asks the stores, the
// environments and the Secret, decides (agent/mirror), writes the Secret. The status is the
// caller's. Thread-safe; blocks for the API server's answers. Borrows what it is given.
class ExternalSecretSync {
 public:
  struct Options {
    // For objects without the annotation kCompatAnnotation.
    mirror::Compat compat;
    // Whether this agent may (still) write in this namespace; asked before each write.
    std::function<bool(const std::string& namespace_name)> may_write;
    // Called before a change of the data of an existing Secret is written, and may add to its
    // annotations. May be empty.
    std::function<void(const kube::ObjectKey& secret, kube::Object& body)> before_change;
  };

  ExternalSecretSync(Options options, kube::Api& api, store::KubeStoreRegistry& stores,
                     store::ApiFactory api_factory, EnvironmentHub& hub, SecretWatch& watch,
                     Clock& clock);

  // Of an object that is not being deleted.
  SyncResult Run(const mirror::ExternalSecret& object, kube::Priority priority,
                 const std::stop_token& stop);
  // For one that is gone: deletes the Secret that nobody but it has owned, as Kubernetes' garbage
  // collector does, but at once.
  Status Collect(const mirror::ExternalSecret& object, kube::Priority priority,
                 const std::stop_token& stop);

 private:
  using Snapshots = std::map<store::StoreId, Result<std::shared_ptr<const cache::Snapshot>>>;
  struct Call {
    const mirror::ExternalSecret& object;
    kube::CallOptions options;
    kube::ObjectKey target;
  };

  // Whether the store is for us to ask, or to say that we cannot. If not, `early` is the result.
  bool IsForUs(const mirror::ExternalSecret& object, const store::StoreId& id,
               SyncResult& early) const;
  // Nothing: the result is already known to be `early`.
  std::optional<Snapshots> AskSources(const mirror::ExternalSecret& object, SyncResult& early);
  std::optional<SyncResult> NotNow(const Call& call);
  SyncResult Write(const Call& call, mirror::SecretData data);
  Result<mirror::TemplateSources> ReadTemplateSources(const Call& call);
  Result<std::optional<mirror::ExistingSecret>> ReadTarget(const Call& call);
  SyncResult Delete(const Call& call);
  SyncResult Apply(const Call& call, const mirror::TargetSecret& wanted);
  // Nothing: somebody else wrote at the same time; compare again.
  std::optional<SyncResult> Carry(const Call& call, mirror::SecretAction action,
                                  const std::string& existing_version);
  Status DeleteOrphans(const Call& call);
  Status MayWrite(const Call& call) const;

  const Options options_;
  kube::Api& api_;
  store::KubeStoreRegistry& stores_;
  const store::ApiFactory api_factory_;
  EnvironmentHub& hub_;
  SecretWatch& watch_;
  Clock& clock_;
};

}  // namespace escagent::controller
