#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/identity/token_cache.h"
#include "agent/store/label_selector.h"
#include "agent/store/listeners.h"
#include "agent/store/oidc_tokens.h"
#include "agent/store/secret_store.h"
#include "agent/store/store_object.h"
#include "agent/store/store_registry.h"
#include "agent/store/token_secrets.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "kube/api.h"
#include "kube/informer.h"
#include "kube/namespace_scope.h"

namespace escagent::store {

// Whose a store is.
enum class Ownership {
  kUnknown,  // the stores of the API server have not been read yet
  kAbsent,
  kOutOfScope,  // nobody here may know: see Options::scope
  kForeign,     // of another controller class or provider
  kOurs
};

// What changes in a KubeStoreRegistry. Called on threads of the informers (on_store also on those
// that resolve a store), without locks held; must not block, and may call the registry. Functions
// that are empty are not called.
struct StoreListener {
  // What the registry answers for this store may be different now: the store, its token, or the
  // labels of a namespace that its conditions select by. The store's status does not count.
  std::function<void(const StoreId&)> on_store{};
  // A namespace is new, gone, or has other labels.
  std::function<void(const std::string& namespace_name)> on_namespace{};
  // Everything that was there has been read: what is not known now is absent. Once.
  std::function<void()> on_synced{};
};

// The SecretStores and ClusterSecretStores of the API server (external-secrets.io/v1), kept current
// by watches, with the labels of namespaces that their conditions select by, and the tokens in the
// Secrets that they name (TokenSecrets). While the API server is away, what is known is served.
//
// Thread-safe. Borrows api, informers and clock.
class KubeStoreRegistry final : public StoreRegistry {
 public:
  struct Options {
    // For stores without apiUrl.
    std::string default_api_url = kDefaultApiUrl;
    // Stores with another spec.controller are not ours; those with none are.
    std::string controller_class = "esc-agent";
    // With some namespaces only, stores of other namespaces, ClusterSecretStores and namespaces are
    // not asked for.
    kube::NamespaceScope scope{};
    TokenSecrets::Options tokens{};
    // The access tokens of stores with oidcConfig; must outlive who calls the registry. Null: such
    // stores cannot be used.
    identity::TokenCache* identities = nullptr;
  };

  // `informers` have the same scope.
  KubeStoreRegistry(Options options, kube::Api& api, kube::Informers& informers, Clock& clock);
  // No call may be under way.
  ~KubeStoreRegistry() override;
  KubeStoreRegistry(const KubeStoreRegistry&) = delete;
  KubeStoreRegistry& operator=(const KubeStoreRegistry&) = delete;

  // Begins to read. Once, before which every store is "not read yet".
  void Start() EXCLUDES(mutex_);

  // Both block for at most TokenSecrets::Options::read_timeout, when the token is not known yet.
  // UNAVAILABLE: the stores have not been read yet, or a token cannot be read just now; NOT_FOUND
  // lists the stores that the namespace could use; FAILED_PRECONDITION: the store is not ours, its
  // spec is wrong, or it is out of scope; PERMISSION_DENIED: its conditions do not admit the
  // namespace;
  // UNAUTHENTICATED: there is no usable token.
  Result<ResolvedStore> SecretStore(const std::string& namespace_name,
                                    const std::string& name) override EXCLUDES(mutex_);
  Result<ResolvedStore> ClusterSecretStore(const std::string& namespace_name,
                                           const std::string& name) override EXCLUDES(mutex_);
  // The store as such, whatever namespaces it admits: for who validates it.
  Result<ResolvedStore> ResolveForValidation(const StoreId& id) EXCLUDES(mutex_);

  // OK, or FAILED_PRECONDITION that says which namespaces are served. The name does not matter.
  Status CheckScope(const StoreId& id) const;
  Ownership WhoseIs(const StoreId& id) const EXCLUDES(mutex_);
  // Null when there is none, or none yet.
  std::shared_ptr<const StoreObject> Find(const StoreId& id) const EXCLUDES(mutex_);
  std::vector<std::shared_ptr<const StoreObject>> List() const EXCLUDES(mutex_);
  // Nothing when there is no such namespace, none yet, or a narrow scope.
  std::optional<Labels> NamespaceLabels(const std::string& name) const EXCLUDES(mutex_);
  // Empty with a narrow scope.
  std::map<std::string, Labels> Namespaces() const EXCLUDES(mutex_);
  // Whether everything has been read once.
  bool Synced() const EXCLUDES(mutex_);
  // Why stores or namespaces cannot be followed now; OK when they are.
  Status Health() const EXCLUDES(mutex_);

  // Returns what ends it. A listener ends before the registry.
  int Listen(StoreListener listener);
  // When it has returned the listener is not running, nor will it run again. Not from a listener.
  void Unlisten(int id);

 private:
  using StorePtr = std::shared_ptr<const StoreObject>;
  // The three selections that are followed.
  enum Source { kStores, kClusterStores, kNamespaces, kSources };
  class StoreWatcher;
  class NamespaceWatcher;

  void PutStore(const kube::Object& object, StoreKind kind) EXCLUDES(mutex_);
  void RemoveStore(const StoreId& id) EXCLUDES(mutex_);
  void PutNamespace(const std::string& name, std::optional<Labels> labels) EXCLUDES(mutex_);
  void NoteSynced(Source source) EXCLUDES(mutex_);
  void NoteHealth(Source source, const Status& status) EXCLUDES(mutex_);
  void TokenChanged(const SecretKeyRef& ref) EXCLUDES(mutex_);
  void TellStores(const std::vector<StoreId>& ids);

  // The store, when it can be used as far as its own spec goes.
  Result<StorePtr> FindUsable(const StoreId& id, const std::string& for_namespace) const
      EXCLUDES(mutex_);
  Status CheckAdmitted(const StoreObject& store, const std::string& for_namespace) const
      EXCLUDES(mutex_);
  Result<ResolvedStore> WithToken(const StoreObject& store);
  // Whether the store names a token in a Secret that is to be followed.
  static bool FollowsToken(const StoreObject& store) {
    return store.ours && store.problems.empty() && !store.spec.oidc;
  }
  Error NotRead(const StoreId& id) const REQUIRES(mutex_);
  std::string Suggestions(const StoreId& id, const std::string& for_namespace) const
      REQUIRES(mutex_);
  Labels LabelsOf(const std::string& namespace_name) const REQUIRES(mutex_);
  bool AllSynced() const REQUIRES(mutex_);

  const Options options_;
  kube::Informers& informers_;
  Listeners<StoreListener> listeners_;
  mutable Mutex mutex_;
  std::map<StoreId, StorePtr> stores_ GUARDED_BY(mutex_);
  // The stores that are ours and good, by the token they name.
  std::map<SecretKeyRef, std::set<StoreId>> by_token_ GUARDED_BY(mutex_);
  std::map<std::string, Labels> namespaces_ GUARDED_BY(mutex_);
  bool synced_[kSources] GUARDED_BY(mutex_) = {};
  Status health_[kSources] GUARDED_BY(mutex_);
  TokenSecrets tokens_;
  const OidcTokens oidc_;
  // Last: no report comes to a registry that is half gone.
  std::vector<kube::InformerHandle> handles_;
};

}  // namespace escagent::store
