#include "agent/controller/push_secret_sync.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "agent/controller/kube_data.h"
#include "agent/mirror/data_hash.h"
#include "agent/mirror/refresh.h"
#include "agent/mirror/target_secret.h"
#include "esc/edit/definition_editor.h"

namespace escagent::controller {
namespace {

using mirror::PushSecret;
using nlohmann::json;
using PushKind = PushResult::Kind;

constexpr int kPushConflicts = 4;
constexpr std::chrono::seconds kSession{60};

PushResult Done(mirror::PushOutcome outcome) {
  PushResult result;
  result.outcome = std::move(outcome);
  return result;
}

// What is wanted, for comparing with what was wanted before.
std::string WishOf(const PushSecret& push, const std::vector<mirror::PushItem>& items,
                   const std::string& so_far) {
  std::vector<std::string> paths;
  mirror::DataView view;
  for (const mirror::PushItem& item : items) paths.push_back(item.target.path.ToString());
  for (std::size_t i = 0; i < items.size(); ++i) view[paths[i]] = items[i].value.Reveal();
  return mirror::Sha3Hex(so_far + std::to_string(push.generation) + mirror::DataHash(view));
}

std::vector<mirror::PushItem> CopyOf(const std::vector<mirror::PushItem>& items) {
  std::vector<mirror::PushItem> copies;
  copies.reserve(items.size());
  for (const mirror::PushItem& item : items) {
    copies.push_back({item.secret_key, item.target, item.reverse_unicode, item.value.Clone()});
  }
  return copies;
}

// The environment as it opens now.
Result<esc::Value> OpenNow(esc::Api& api, const esc::EnvironmentRef& ref,
                           const std::stop_token& stop) {
  ESC_ASSIGN_OR_RETURN(const esc::OpenSession session, api.Open(ref, kSession, stop));
  return api.ReadSession(ref, session.id, stop);
}

}  // namespace

PushSecretSync::PushSecretSync(Options options, kube::Api& api, store::KubeStoreRegistry& stores,
                               store::ApiFactory api_factory, Clock& clock)
    : options_(std::move(options)),
      api_(api),
      stores_(stores),
      api_factory_(std::move(api_factory)),
      clock_(clock) {}

std::optional<PushResult> PushSecretSync::Refuse(const PushSecret& push) const {
  PushResult result;
  if (!stores_.Synced()) {
    result.kind = PushKind::kPending;
    return result;
  }
  bool foreign = false;
  if (StoresOf(push, foreign).empty() && foreign) {
    result.kind = PushKind::kForeign;
    return result;
  }
  if (!push.spec_problems.empty()) return Done(mirror::InvalidPushSpec(push.spec_problems));
  if (const Status scope = CheckScope(push); !scope) return OutOfScope(push, scope.error());
  return std::nullopt;
}

PushResult PushSecretSync::Run(const PushSecret& push, PushMemory& memory,
                               const kube::CallOptions& call) {
  if (std::optional<PushResult> refused = Refuse(push)) return *std::move(refused);
  Result<Sources> sources = ReadSources(push, call);
  if (!sources) {
    const bool was_pushed = push.status.synced.is_object() && !push.status.synced.empty();
    const bool removes = push.spec.deletion_policy == mirror::PushDeletionPolicy::kDelete;
    if (sources.error().code != Code::kNotFound || !was_pushed || !removes) {
      return Done(mirror::SourceMissing(sources.error()));
    }
    PushResult removed = RemoveAll(push, memory, call);
    if (!removed.outcome.ready) return removed;
    return Done(mirror::SourceDeleted(push.spec.secret_name, json::object()));
  }
  if (const Status made = ApplyTemplate(push, *sources, call); !made) {
    return Done(mirror::PushFailed(made.error().message));
  }
  bool foreign = false;
  return Push(push, *sources, StoresOf(push, foreign), memory, call);
}

PushResult PushSecretSync::RemoveAll(const PushSecret& push, PushMemory& memory,
                                     const kube::CallOptions& call) {
  if (!stores_.Synced()) {
    PushResult result;
    result.kind = PushKind::kPending;
    return result;
  }
  return Push(push, {}, {}, memory, call);
}

Status PushSecretSync::CheckScope(const PushSecret& push) const {
  for (const mirror::PushStoreRef& ref : push.spec.stores) {
    ESC_RETURN_IF_ERROR(stores_.CheckScope(ref.id));
  }
  for (const mirror::PushAll& all : push.spec.data_to) {
    if (all.store.id.name.empty() && !all.store.selector) continue;
    ESC_RETURN_IF_ERROR(stores_.CheckScope(all.store.id));
  }
  return {};
}

PushResult PushSecretSync::OutOfScope(const PushSecret& push, const Error& error) const {
  const auto now = clock_.WallNow();
  const auto until = mirror::LookedAfterUntil(push.status.conditions, push.status.refresh_time,
                                              push.spec.refresh_interval, now);
  if (!until) return Done(mirror::PushFailed(error.message));
  PushResult result;
  result.kind = PushKind::kPending;
  result.pause = std::chrono::ceil<std::chrono::seconds>(*until - now);
  return result;
}

std::vector<store::StoreId> PushSecretSync::StoresOf(const PushSecret& push, bool& foreign) const {
  std::set<store::StoreId> ids;
  const auto add = [&](const mirror::PushStoreRef& ref) {
    if (!ref.selector) {
      ids.insert(ref.id);
      return;
    }
    for (const auto& store : stores_.List()) {
      if (store->ours && ref.Means(store->id, store->labels)) ids.insert(store->id);
    }
  };
  for (const mirror::PushStoreRef& ref : push.spec.stores) add(ref);
  for (const mirror::PushAll& all : push.spec.data_to) {
    if (!all.store.id.name.empty() || all.store.selector) add(all.store);
  }
  std::vector<store::StoreId> ours;
  for (const store::StoreId& id : ids) {
    if (stores_.WhoseIs(id) == store::Ownership::kForeign) {
      foreign = true;
    } else {
      ours.push_back(id);
    }
  }
  return ours;
}

Result<std::vector<std::string>> PushSecretSync::SourceNames(const PushSecret& push) const {
  if (!push.spec.secret_selector) return std::vector{push.spec.secret_name};
  std::optional<std::vector<std::string>> names =
      options_.select(push.namespace_name, *push.spec.secret_selector);
  if (!names) return Unavailable("the Secrets have not been read yet");
  if (names->empty()) return NotFound("no Secret has the labels of selector.secret.selector");
  return *std::move(names);
}

Result<PushSecretSync::Sources> PushSecretSync::ReadSources(const PushSecret& push,
                                                            const kube::CallOptions& call) {
  ESC_ASSIGN_OR_RETURN(const std::vector<std::string> names, SourceNames(push));
  Sources sources;
  for (const std::string& name : names) {
    ESC_ASSIGN_OR_RETURN(const kube::Object object,
                         api_.Get(kube::Secrets(), {push.namespace_name, name}, call));
    ESC_ASSIGN_OR_RETURN(mirror::SecretData data, DataOfSecret(object));
    sources.push_back({name, std::move(data)});
  }
  return sources;
}

Status PushSecretSync::ApplyTemplate(const PushSecret& push, Sources& sources,
                                     const kube::CallOptions& call) {
  if (!push.spec.secret_template) return {};
  mirror::TemplateSources texts;
  for (const mirror::TemplateFrom& from : push.spec.secret_template->from) {
    if (from.kind == mirror::TemplateFrom::Kind::kLiteral) continue;
    ESC_RETURN_IF_ERROR(
        ReadTemplateSource(api_, push.namespace_name, {from.kind, from.name}, call, texts));
  }
  for (Source& source : sources) {
    ESC_ASSIGN_OR_RETURN(source.data,
                         mirror::ApplyPushTemplate(*push.spec.secret_template, source.data, texts));
  }
  return {};
}

PushResult PushSecretSync::Push(const PushSecret& push, const Sources& sources,
                                const std::vector<store::StoreId>& stores, PushMemory& memory,
                                const kube::CallOptions& call) {
  std::vector<mirror::PushSource> borrowed;
  for (const Source& source : sources) borrowed.push_back({source.name, &source.data});
  json synced = push.status.synced.is_object() ? push.status.synced : json::object();
  Environments environments;
  for (const store::StoreId& id : stores) {
    const auto object = stores_.Find(id);
    Result<std::vector<mirror::PushItem>> items = mirror::PushItemsFor(
        push, id, object == nullptr ? store::Labels() : object->labels, borrowed);
    if (!items) return Done(mirror::PushFailed(items.error().message));
    if (const Status added = AddWish(push, id, *std::move(items), environments); !added) {
      return Done(mirror::PushToStoreFailed(id, added.error(), std::move(synced)));
    }
  }
  for (const store::StoreId& id : mirror::SyncedStores(push)) {
    if (std::find(stores.begin(), stores.end(), id) != stores.end()) continue;
    const bool removes = push.spec.deletion_policy == mirror::PushDeletionPolicy::kDelete;
    const store::Ownership owner = stores_.WhoseIs(id);
    // A store that is gone, too, takes what it had along; one that cannot be seen does not.
    if (!removes || owner == store::Ownership::kAbsent || owner == store::Ownership::kForeign) {
      synced.erase(mirror::SyncedStoreKey(id));
    } else if (const Status added = AddWish(push, id, {}, environments); !added) {
      return Done(mirror::PushToStoreFailed(id, added.error(), std::move(synced)));
    }
  }
  bool changed = false;
  for (auto& [key, environment] : environments) {
    Result<bool> pushed = PushOne(push, key, environment, memory, synced, call.stop);
    if (!pushed) {
      return Done(mirror::PushToStoreFailed(environment.stores.front().id, pushed.error(),
                                            std::move(synced)));
    }
    changed |= *pushed;
  }
  return Done(mirror::Pushed(push, changed, std::move(synced)));
}

Status PushSecretSync::AddWish(const PushSecret& push, const store::StoreId& id,
                               std::vector<mirror::PushItem> items, Environments& environments) {
  ESC_ASSIGN_OR_RETURN(const store::ResolvedStore store,
                       id.kind == store::StoreKind::kSecretStore
                           ? stores_.SecretStore(id.namespace_name, id.name)
                           : stores_.ClusterSecretStore(push.namespace_name, id.name));
  Environment& environment =
      environments[{.backend = store.api_url, .ref = store.ref, .identity = store.identity}];
  if (environment.api == nullptr) environment.api = api_factory_(store);
  environment.stores.push_back({id, std::move(items)});
  return {};
}

Result<bool> PushSecretSync::PushOne(const PushSecret& push, const cache::EnvironmentKey& key,
                                     Environment& environment, PushMemory& memory, json& synced,
                                     const std::stop_token& stop) {
  Result<bool> pushed = false;
  for (int attempt = 0; attempt < kPushConflicts; ++attempt) {
    pushed = TryOnce(push, key, environment, memory, synced, stop);
    if (pushed || pushed.error().code != Code::kAborted) break;
  }
  return pushed;
}

Result<bool> PushSecretSync::TryOnce(const PushSecret& push, const cache::EnvironmentKey& key,
                                     const Environment& environment, PushMemory& memory,
                                     json& synced, const std::stop_token& stop) {
  std::string wish;
  for (const StoreWish& store : environment.stores) wish = WishOf(push, store.items, wish);
  ESC_ASSIGN_OR_RETURN(const esc::Definition definition,
                       environment.api->GetDefinition(key.ref, stop));
  const auto known = memory.find(key);
  const bool was_synced = std::all_of(
      environment.stores.begin(), environment.stores.end(),
      [&](const StoreWish& s) { return synced.contains(mirror::SyncedStoreKey(s.id)); });
  if (was_synced && known != memory.end() && known->second == PushedState{definition.etag, wish}) {
    return false;
  }
  mirror::PushState state{.definition = &definition.yaml, .opened = nullptr};
  ESC_ASSIGN_OR_RETURN(std::vector<edit::Edit> edits, Plan(push, environment, state, synced));
  std::optional<esc::Value> opened;
  if (push.spec.update_policy == mirror::UpdatePolicy::kIfNotExists && !edits.empty()) {
    // What the definition does not have may be imported.
    ESC_ASSIGN_OR_RETURN(opened, OpenNow(*environment.api, key.ref, stop));
    state.opened = &*opened;
    ESC_ASSIGN_OR_RETURN(edits, Plan(push, environment, state, synced));
  }
  std::optional<esc::Definition> decrypted;
  ESC_ASSIGN_OR_RETURN(const bool needs_decrypted, edit::NeedsDecrypted(definition.yaml, edits));
  if (needs_decrypted) {
    ESC_ASSIGN_OR_RETURN(decrypted, environment.api->GetDecryptedDefinition(key.ref, stop));
    if (decrypted->etag != definition.etag) {
      return MakeError(Code::kAborted, "environment " + key.ref.ToString() + " keeps changing");
    }
  }
  ESC_ASSIGN_OR_RETURN(
      const edit::Edited edited,
      edit::ApplyEdits(definition.yaml, edits, decrypted ? &decrypted->yaml : nullptr));
  if (!edited.changed()) {
    memory[key] = {definition.etag, wish};
    return false;
  }
  if (!options_.may_write(push.namespace_name)) {
    return Unavailable("another agent looks after namespace " + push.namespace_name + " now");
  }
  ESC_ASSIGN_OR_RETURN(
      const esc::DefinitionUpdate update,
      environment.api->UpdateDefinition(key.ref, edited.yaml, definition.etag, stop));
  memory[key] = {update.etag, wish};
  return true;
}

Result<std::vector<edit::Edit>> PushSecretSync::Plan(const PushSecret& push,
                                                     const Environment& environment,
                                                     const mirror::PushState& state, json& synced) {
  std::vector<edit::Edit> edits;
  for (const StoreWish& store : environment.stores) {
    ESC_ASSIGN_OR_RETURN(mirror::PushPlan plan,
                         mirror::PlanPush(push, store.id, CopyOf(store.items), state));
    std::move(plan.edits.begin(), plan.edits.end(), std::back_inserter(edits));
    const std::string key = mirror::SyncedStoreKey(store.id);
    if (plan.synced.empty() && store.items.empty()) {
      synced.erase(key);
    } else {
      synced[key] = std::move(plan.synced);
    }
  }
  return edits;
}

}  // namespace escagent::controller
