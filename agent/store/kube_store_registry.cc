#include "agent/store/kube_store_registry.h"

#include <algorithm>
#include <utility>

#include "base/json_fields.h"
#include "base/log.h"

namespace escagent::store {
namespace {

// How many stores an error lists.
constexpr int kMaxSuggestions = 20;

std::string_view KindName(StoreKind kind) {
  return kind == StoreKind::kSecretStore ? "SecretStore" : "ClusterSecretStore";
}

Labels LabelsOfObject(const kube::Object& object) {
  Labels labels;
  const nlohmann::json& metadata = Member(object.json(), "metadata");
  const auto* members = Member(metadata, "labels").get_ptr<const nlohmann::json::object_t*>();
  if (members == nullptr) return labels;
  for (const auto& [key, value] : *members) {
    if (value.is_string()) labels.emplace(key, value.get_ref<const std::string&>());
  }
  return labels;
}

}  // namespace

class KubeStoreRegistry::StoreWatcher final : public kube::InformerHandler {
 public:
  StoreWatcher(KubeStoreRegistry& registry, StoreKind kind) : registry_(registry), kind_(kind) {}

  void OnUpsert(kube::Object object, bool /*in_initial_list*/) override {
    registry_.PutStore(object, kind_);
  }
  void OnDelete(const kube::ObjectKey& key) override {
    registry_.RemoveStore({kind_, key.namespace_name, key.name});
  }
  void OnSynced() override { registry_.NoteSynced(source()); }
  void OnHealth(const Status& status) override { registry_.NoteHealth(source(), status); }

 private:
  Source source() const { return kind_ == StoreKind::kSecretStore ? kStores : kClusterStores; }

  KubeStoreRegistry& registry_;
  const StoreKind kind_;
};

class KubeStoreRegistry::NamespaceWatcher final : public kube::InformerHandler {
 public:
  explicit NamespaceWatcher(KubeStoreRegistry& registry) : registry_(registry) {}

  void OnUpsert(kube::Object object, bool /*in_initial_list*/) override {
    registry_.PutNamespace(object.Name(), LabelsOfObject(object));
  }
  void OnDelete(const kube::ObjectKey& key) override {
    registry_.PutNamespace(key.name, std::nullopt);
  }
  void OnSynced() override { registry_.NoteSynced(kNamespaces); }
  void OnHealth(const Status& status) override { registry_.NoteHealth(kNamespaces, status); }

 private:
  KubeStoreRegistry& registry_;
};

KubeStoreRegistry::KubeStoreRegistry(Options options, kube::Api& api, kube::Informers& informers,
                                     Clock& clock)
    : options_(std::move(options)),
      informers_(informers),
      tokens_(options_.tokens, api, informers, clock,
              [this](const SecretKeyRef& ref) { TokenChanged(ref); }),
      oidc_(options_.identities, &api) {}
KubeStoreRegistry::~KubeStoreRegistry() = default;

void KubeStoreRegistry::Start() {
  const auto follow = [this](kube::Resource resource, bool metadata_only,
                             std::shared_ptr<kube::InformerHandler> handler) {
    handles_.push_back(informers_.Start({.resource = std::move(resource),
                                         .namespace_name = "",
                                         .label_selector = "",
                                         .field_selector = "",
                                         .metadata_only = metadata_only},
                                        std::move(handler)));
  };
  const auto follow_stores = [&](StoreKind kind) {
    follow(StoreResource(kind), false, std::make_shared<StoreWatcher>(*this, kind));
  };
  if (!options_.scope.IsAll()) {
    {
      MutexLock lock(mutex_);
      synced_[kClusterStores] = synced_[kNamespaces] = true;
    }
    return follow_stores(StoreKind::kSecretStore);
  }
  follow_stores(StoreKind::kSecretStore);
  follow_stores(StoreKind::kClusterSecretStore);
  follow(kube::Namespaces(), true, std::make_shared<NamespaceWatcher>(*this));
}

void KubeStoreRegistry::PutStore(const kube::Object& object, StoreKind kind) {
  const auto store = std::make_shared<const StoreObject>(
      ParseStoreObject(object, kind, options_.controller_class));
  const bool usable = FollowsToken(*store);
  if (usable) tokens_.AddStore(store->spec.token);
  StorePtr before;
  {
    MutexLock lock(mutex_);
    before = std::exchange(stores_[store->id], store);
    if (before) by_token_[before->spec.token].erase(store->id);
    if (before && by_token_[before->spec.token].empty()) by_token_.erase(before->spec.token);
    if (usable) by_token_[store->spec.token].insert(store->id);
  }
  // After AddStore, so that a token that stays is not dropped in between.
  if (before && FollowsToken(*before)) tokens_.RemoveStore(before->spec.token);
  const bool same = before && before->uid == store->uid && before->generation == store->generation;
  if (!same) TellStores({store->id});
}

void KubeStoreRegistry::RemoveStore(const StoreId& id) {
  StorePtr before;
  {
    MutexLock lock(mutex_);
    const auto it = stores_.find(id);
    if (it == stores_.end()) return;
    before = std::move(it->second);
    stores_.erase(it);
    const auto named = by_token_.find(before->spec.token);
    if (named != by_token_.end()) {
      named->second.erase(id);
      if (named->second.empty()) by_token_.erase(named);
    }
  }
  if (FollowsToken(*before)) tokens_.RemoveStore(before->spec.token);
  TellStores({id});
}

void KubeStoreRegistry::PutNamespace(const std::string& name, std::optional<Labels> labels) {
  std::vector<StoreId> affected;
  {
    MutexLock lock(mutex_);
    const auto before = namespaces_.find(name);
    if (labels && before != namespaces_.end() && before->second == *labels) return;
    if (labels) {
      namespaces_.insert_or_assign(name, *std::move(labels));
    } else {
      namespaces_.erase(name);
    }
    // Before the first listing is complete nobody has been answered by labels; see NoteSynced.
    if (synced_[kNamespaces]) {
      for (const auto& [id, store] : stores_) {
        if (store->SelectsByLabel()) affected.push_back(id);
      }
    }
  }
  listeners_.ForEach([&name](const StoreListener& listener) {
    if (listener.on_namespace) listener.on_namespace(name);
  });
  TellStores(affected);
}

void KubeStoreRegistry::NoteSynced(Source source) {
  bool all = false;
  std::vector<StoreId> affected;
  {
    MutexLock lock(mutex_);
    if (std::exchange(synced_[source], true)) return;
    all = AllSynced();
    if (source == kNamespaces) {
      for (const auto& [id, store] : stores_) {
        if (store->SelectsByLabel()) affected.push_back(id);
      }
    }
  }
  TellStores(affected);
  if (!all) return;
  listeners_.ForEach([](const StoreListener& listener) {
    if (listener.on_synced) listener.on_synced();
  });
}

void KubeStoreRegistry::NoteHealth(Source source, const Status& status) {
  if (!status) {
    LogWarning("stores of the API server cannot be followed; what is known is used",
               {{log_key::kError, status.error()}});
  }
  MutexLock lock(mutex_);
  health_[source] = status;
}

void KubeStoreRegistry::TokenChanged(const SecretKeyRef& ref) {
  std::vector<StoreId> ids;
  {
    MutexLock lock(mutex_);
    const auto it = by_token_.find(ref);
    if (it != by_token_.end()) ids.assign(it->second.begin(), it->second.end());
  }
  TellStores(ids);
}

void KubeStoreRegistry::TellStores(const std::vector<StoreId>& ids) {
  if (ids.empty()) return;
  listeners_.ForEach([&ids](const StoreListener& listener) {
    if (!listener.on_store) return;
    for (const StoreId& id : ids) listener.on_store(id);
  });
}

int KubeStoreRegistry::Listen(StoreListener listener) {
  return listeners_.Add(std::move(listener));
}

void KubeStoreRegistry::Unlisten(int id) { listeners_.Remove(id); }

Result<ResolvedStore> KubeStoreRegistry::SecretStore(const std::string& namespace_name,
                                                     const std::string& name) {
  const StoreId id{StoreKind::kSecretStore, namespace_name, name};
  ESC_ASSIGN_OR_RETURN(const StorePtr store, FindUsable(id, namespace_name));
  return WithToken(*store);
}

Result<ResolvedStore> KubeStoreRegistry::ClusterSecretStore(const std::string& namespace_name,
                                                            const std::string& name) {
  const StoreId id{StoreKind::kClusterSecretStore, "", name};
  ESC_ASSIGN_OR_RETURN(const StorePtr store, FindUsable(id, namespace_name));
  ESC_RETURN_IF_ERROR(CheckAdmitted(*store, namespace_name));
  return WithToken(*store);
}

Result<ResolvedStore> KubeStoreRegistry::ResolveForValidation(const StoreId& id) {
  ESC_ASSIGN_OR_RETURN(const StorePtr store, FindUsable(id, id.namespace_name));
  return WithToken(*store);
}

Result<KubeStoreRegistry::StorePtr> KubeStoreRegistry::FindUsable(
    const StoreId& id, const std::string& for_namespace) const {
  ESC_RETURN_IF_ERROR(CheckScope(id));
  MutexLock lock(mutex_);
  const auto it = stores_.find(id);
  if (it == stores_.end()) {
    const Source source = id.kind == StoreKind::kSecretStore ? kStores : kClusterStores;
    if (!synced_[source]) return std::unexpected(NotRead(id));
    std::string why = "could not get " + std::string(KindName(id.kind)) + " \"" + id.name +
                      "\", there is no such store" + Suggestions(id, for_namespace);
    if (const Status& health = health_[source]; !health) {
      why += "; stores cannot be followed now: " + health.error().message;
    }
    return NotFound(std::move(why));
  }
  const StoreObject& store = *it->second;
  if (!store.ours) {
    const std::string& controller = store.spec.controller;
    const bool by_class = !controller.empty() && controller != options_.controller_class;
    return FailedPrecondition(id.ToString() + " is not served by this agent: " +
                              (by_class ? "its spec.controller is \"" + controller +
                                              "\", the agent's class is \"" +
                                              options_.controller_class + "\""
                                        : std::string("its provider is not pulumi")));
  }
  if (!store.problems.empty()) {
    return FailedPrecondition("read " + id.ToString() + ": " + store.ProblemText());
  }
  return it->second;
}

Status KubeStoreRegistry::CheckScope(const StoreId& id) const {
  const kube::NamespaceScope& scope = options_.scope;
  if (scope.IsAll()) return {};
  const std::string what =
      "could not get " + (id.name.empty() ? std::string(KindName(id.kind)) + "s" : id.ToString());
  if (id.kind == StoreKind::kClusterSecretStore) {
    return FailedPrecondition(what + ": " + scope.Limits() +
                              " and reads no cluster-scoped stores; use a SecretStore");
  }
  if (Status served = scope.Check(id.namespace_name); !served) {
    return std::unexpected(Annotate(std::move(served).error(), what));
  }
  return {};
}

Status KubeStoreRegistry::CheckAdmitted(const StoreObject& store,
                                        const std::string& for_namespace) const {
  MutexLock lock(mutex_);
  if (store.spec.Admits(for_namespace, LabelsOf(for_namespace))) return {};
  if (!synced_[kNamespaces] && store.SelectsByLabel() && !namespaces_.contains(for_namespace)) {
    return std::unexpected(NotRead(store.id));
  }
  return PermissionDenied("using cluster store \"" + store.id.name +
                          "\" is not allowed from namespace \"" + for_namespace +
                          "\": denied by spec.condition");
}

Result<ResolvedStore> KubeStoreRegistry::WithToken(const StoreObject& store) {
  ResolvedStore resolved{
      .name = store.id.ToString(),
      .api_url = store.spec.api_url.empty() ? options_.default_api_url : store.spec.api_url,
      .ref = store.spec.ref,
      .identity = {}};
  if (store.spec.oidc) {
    ESC_RETURN_IF_ERROR(oidc_.Complete(*store.spec.oidc, resolved));
    return resolved;
  }
  Result<AccessToken> token = tokens_.Read(store.spec.token);
  if (!token) return std::unexpected(Annotate(std::move(token).error(), store.id.ToString()));
  resolved.token = std::move(token->token);
  resolved.identity = std::move(token->identity);
  return resolved;
}

Error KubeStoreRegistry::NotRead(const StoreId& id) const {
  Error error{.code = Code::kUnavailable,
              .message = id.ToString() +
                         ": the stores of the API server have not been read yet; try again"};
  for (const Status& health : health_) {
    if (!health) return Annotate(health.error(), error.message);
  }
  return error;
}

std::string KubeStoreRegistry::Suggestions(const StoreId& id,
                                           const std::string& for_namespace) const {
  const Labels labels = LabelsOf(for_namespace);
  std::string names;
  int count = 0;
  for (const auto& [other, store] : stores_) {
    const bool usable =
        other.kind == id.kind && other.namespace_name == id.namespace_name && store->ours &&
        store->problems.empty() &&
        (id.kind == StoreKind::kSecretStore || store->spec.Admits(for_namespace, labels));
    if (!usable) continue;
    if (++count > kMaxSuggestions) return "; there are: " + names + ", ...";
    names += (names.empty() ? "" : ", ") + other.name;
  }
  const std::string kind(KindName(id.kind));
  return names.empty() ? "; namespace " + for_namespace + " has no " + kind + "s"
                       : "; " + kind + "s for namespace " + for_namespace + ": " + names;
}

Labels KubeStoreRegistry::LabelsOf(const std::string& namespace_name) const {
  Labels labels;
  const auto it = namespaces_.find(namespace_name);
  if (it != namespaces_.end()) labels = it->second;
  labels.insert_or_assign(kNamespaceNameLabel, namespace_name);
  return labels;
}

bool KubeStoreRegistry::AllSynced() const {
  return std::ranges::all_of(synced_, [](bool synced) { return synced; });
}

Ownership KubeStoreRegistry::WhoseIs(const StoreId& id) const {
  if (!CheckScope(id)) return Ownership::kOutOfScope;
  MutexLock lock(mutex_);
  const auto it = stores_.find(id);
  if (it != stores_.end()) return it->second->ours ? Ownership::kOurs : Ownership::kForeign;
  const Source source = id.kind == StoreKind::kSecretStore ? kStores : kClusterStores;
  return synced_[source] ? Ownership::kAbsent : Ownership::kUnknown;
}

KubeStoreRegistry::StorePtr KubeStoreRegistry::Find(const StoreId& id) const {
  MutexLock lock(mutex_);
  const auto it = stores_.find(id);
  return it == stores_.end() ? nullptr : it->second;
}

std::vector<KubeStoreRegistry::StorePtr> KubeStoreRegistry::List() const {
  MutexLock lock(mutex_);
  std::vector<StorePtr> stores;
  for (const auto& [id, store] : stores_) stores.push_back(store);
  return stores;
}

std::optional<Labels> KubeStoreRegistry::NamespaceLabels(const std::string& name) const {
  MutexLock lock(mutex_);
  const auto it = namespaces_.find(name);
  if (it == namespaces_.end()) return std::nullopt;
  return it->second;
}

std::map<std::string, Labels> KubeStoreRegistry::Namespaces() const {
  MutexLock lock(mutex_);
  return namespaces_;
}

bool KubeStoreRegistry::Synced() const {
  MutexLock lock(mutex_);
  return AllSynced();
}

Status KubeStoreRegistry::Health() const {
  MutexLock lock(mutex_);
  for (const Status& health : health_) {
    if (!health) return health;
  }
  return {};
}

}  // namespace escagent::store
