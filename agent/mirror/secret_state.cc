#include "agent/mirror/secret_state.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/mirror/restart_marks.h"
#include "base/strings.h"

namespace escagent::mirror {
namespace {

using nlohmann::json;

std::string_view GroupOf(std::string_view api_version) {
  const std::size_t slash = api_version.find('/');
  return slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
}

bool SharesData(const ExternalSecret& object) {
  return object.spec.creation_policy == CreationPolicy::kMerge ||
         object.spec.creation_policy == CreationPolicy::kCreateOrMerge;
}

// What others put there, and over it what is wanted: what was ours and is not wanted goes.
StringMap Overlay(const StringMap& existing, const std::set<std::string, std::less<>>& owned,
                  const StringMap& wanted) {
  StringMap result = wanted;
  for (const auto& [key, value] : existing) {
    if (!owned.contains(key)) result.emplace(key, value);
  }
  return result;
}

std::vector<OwnerReference> ComposeOwners(const ExternalSecret& object, const TargetSecret& wanted,
                                          const ExistingSecret& existing) {
  std::vector<OwnerReference> owners = existing.owners;
  if (!wanted.owner) {
    std::erase_if(owners,
                  [&](const OwnerReference& owner) { return IsReferenceTo(owner, object); });
    return owners;
  }
  const auto ours = std::ranges::find_if(
      owners, [&](const OwnerReference& owner) { return IsReferenceTo(owner, object); });
  if (ours == owners.end()) {
    owners.push_back(*wanted.owner);
  } else if (ours->uid != wanted.owner->uid || !ours->controller) {
    *ours = *wanted.owner;
  }
  return owners;
}

DataView ComposeData(const ExternalSecret& object, const TargetSecret& wanted,
                     const ExistingSecret* existing) {
  DataView data;
  for (const auto& [key, value] : wanted.data) data.emplace(key, value.Reveal());
  if (existing == nullptr || !SharesData(object)) return data;
  for (const auto& [key, value] : existing->data) {
    if (!existing->owned.data.contains(key)) data.emplace(key, value.Reveal());
  }
  return data;
}

void AddMissing(const std::vector<std::string>& wanted, std::vector<std::string>& all) {
  for (const std::string& finalizer : wanted) {
    if (std::ranges::find(all, finalizer) == all.end()) all.push_back(finalizer);
  }
}

json OwnersToJson(const std::vector<OwnerReference>& owners) {
  json list = json::array();
  for (const OwnerReference& owner : owners) {
    json entry = {{"apiVersion", owner.api_version},
                  {"kind", owner.kind},
                  {"name", owner.name},
                  {"uid", owner.uid}};
    if (owner.controller) entry["controller"] = true;
    if (owner.block_owner_deletion) entry["blockOwnerDeletion"] = true;
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace

bool IsExternalSecret(const OwnerReference& owner) {
  return owner.kind == kExternalSecretKind && GroupOf(owner.api_version) == kExternalSecretsGroup;
}

bool IsReferenceTo(const OwnerReference& owner, const ExternalSecret& object) {
  return IsExternalSecret(owner) && owner.name == object.name;
}

SecretState Compose(const ExternalSecret& object, const TargetSecret& wanted,
                    const ExistingSecret* existing) {
  SecretState state;
  state.type = wanted.type;
  state.immutable = wanted.immutable;
  state.labels = wanted.labels;
  state.annotations = wanted.annotations;
  state.data = ComposeData(object, wanted, existing);
  if (existing == nullptr) {
    if (wanted.owner) state.owners.push_back(*wanted.owner);
    state.finalizers = wanted.finalizers;
  } else {
    if (state.type.empty()) state.type = existing->type;
    // Kubernetes does not allow to take it back.
    state.immutable = wanted.immutable || existing->immutable;
    state.labels = Overlay(existing->labels, existing->owned.labels, wanted.labels);
    state.annotations =
        Overlay(existing->annotations, existing->owned.annotations, wanted.annotations);
    // Written with the data, so ours; but it is the restarter that takes it off.
    if (const auto mark = existing->annotations.find(kRestartPendingAnnotation);
        mark != existing->annotations.end()) {
      state.annotations.insert(*mark);
    }
    state.owners = ComposeOwners(object, wanted, *existing);
    state.finalizers = existing->finalizers;
    AddMissing(wanted.finalizers, state.finalizers);
    // Left over from when the Secret was owned, or the next clean-up of orphans would take it.
    const auto created_by = state.labels.find(kCreatedByLabel);
    if (!wanted.owner && created_by != state.labels.end() &&
        created_by->second == CreatedByHash(object.namespace_name, object.name)) {
      state.labels.erase(created_by);
    }
  }
  if (state.type.empty()) state.type = "Opaque";
  state.annotations.insert_or_assign(kDataHashAnnotation, DataHash(state.data));
  return state;
}

bool SameData(const SecretState& state, const ExistingSecret& existing) {
  return std::ranges::equal(state.data, existing.data, [](const auto& mine, const auto& theirs) {
    return mine.first == theirs.first && theirs.second.Equals(mine.second);
  });
}

bool SameMetadata(const SecretState& state, const ExistingSecret& existing) {
  return state.immutable == existing.immutable && state.labels == existing.labels &&
         state.annotations == existing.annotations && state.owners == existing.owners &&
         state.finalizers == existing.finalizers;
}

kube::Object ToObject(const SecretState& state, const TargetSecret& wanted,
                      const ExistingSecret* existing) {
  json metadata = {{"namespace", wanted.namespace_name},
                   {"name", wanted.name},
                   {"labels", state.labels},
                   {"annotations", state.annotations}};
  if (!state.owners.empty()) metadata["ownerReferences"] = OwnersToJson(state.owners);
  if (!state.finalizers.empty()) metadata["finalizers"] = state.finalizers;
  if (existing != nullptr) {
    metadata["uid"] = existing->uid;
    metadata["resourceVersion"] = existing->resource_version;
  }
  kube::Object object(json{{"apiVersion", "v1"},
                           {"kind", "Secret"},
                           {"metadata", std::move(metadata)},
                           {"type", state.type},
                           {"data", json::object()}});
  if (state.immutable) object.json()["immutable"] = true;
  json& data = object.json()["data"];
  for (const auto& [key, value] : state.data) {
    SecretBuilder encoded;
    EncodeBase64(value, encoded);
    data[std::string(key)] = std::string(encoded.Reveal());
  }
  return object;
}

}  // namespace escagent::mirror
