#include "agent/mirror/push_plan.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "agent/mirror/spec_choices.h"
#include "base/json_fields.h"

namespace escagent::mirror {
namespace {

using nlohmann::json;

// ESO's key of an item in a store.
std::string RecordKey(const PushTarget& target) {
  return target.property.empty() ? target.remote_key : target.remote_key + "/" + target.property;
}

// An element of data[] that would push just this item.
json RecordOf(const PushItem& item) {
  json remote = {{"remoteKey", item.target.remote_key}};
  if (!item.target.property.empty()) remote["property"] = item.target.property;
  return {{"match", {{"secretKey", item.secret_key}, {"remoteRef", std::move(remote)}}},
          {"conversionStrategy", item.reverse_unicode ? "ReverseUnicode" : "None"}};
}

// Where a record says it was written. Nothing for what no PushSecret of ours writes.
std::optional<PushTarget> TargetOf(const json& record) {
  const json& remote = Member(Member(record, "match"), "remoteRef");
  Result<PushTarget> target =
      MakePushTarget(StringMember(remote, "remoteKey"), StringMember(remote, "property"));
  if (!target) return std::nullopt;
  return *std::move(target);
}

// For each item whether its path exists in the environment.
Result<std::vector<bool>> WhichExist(std::span<const PushItem> items, const PushState& state) {
  std::vector<esc::PropertyPath> paths;
  for (const PushItem& item : items) paths.push_back(item.target.path);
  ESC_ASSIGN_OR_RETURN(std::vector<bool> exist, edit::Defines(*state.definition, paths));
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (state.opened != nullptr && paths[i].Lookup(*state.opened)) exist[i] = true;
  }
  return exist;
}

// Removals of what was pushed earlier and is wanted no more.
std::vector<edit::Edit> Removals(const json& before, std::span<const PushItem> items) {
  std::vector<edit::Edit> edits;
  if (!before.is_object()) return edits;
  for (auto it = before.begin(); it != before.end(); ++it) {
    std::optional<PushTarget> target = TargetOf(*it);
    if (!target) continue;
    const bool wanted = std::ranges::any_of(
        items, [&](const PushItem& item) { return item.target.path == target->path; });
    if (!wanted) edits.push_back(edit::Edit::RemoveSecret(std::move(target->path)));
  }
  return edits;
}

}  // namespace

Result<PushPlan> PlanPush(const PushSecret& push, const store::StoreId& store,
                          std::vector<PushItem> items, const PushState& state) {
  const json& before = Member(push.status.synced, SyncedStoreKey(store));
  PushPlan plan;
  if (push.spec.deletion_policy == PushDeletionPolicy::kDelete) {
    plan.edits = Removals(before, items);
  }
  std::vector<bool> keep(items.size(), false);
  if (push.spec.update_policy == UpdatePolicy::kIfNotExists) {
    ESC_ASSIGN_OR_RETURN(keep, WhichExist(items, state));
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string key = RecordKey(items[i].target);
    if (keep[i]) {
      ++plan.left_alone;
      if (before.is_object() && before.contains(key)) plan.synced[key] = RecordOf(items[i]);
      continue;
    }
    plan.synced[key] = RecordOf(items[i]);
    plan.edits.push_back(
        edit::Edit::Set(std::move(items[i].target.path), std::move(items[i].value)));
  }
  return plan;
}

std::string SyncedStoreKey(const store::StoreId& store) {
  for (const auto& [name, kind] : kStoreKinds) {
    if (kind == store.kind) return std::string(name) + "/" + store.name;
  }
  return store.name;
}

std::vector<store::StoreId> SyncedStores(const PushSecret& push) {
  std::vector<store::StoreId> stores;
  if (!push.status.synced.is_object()) return stores;
  for (auto it = push.status.synced.begin(); it != push.status.synced.end(); ++it) {
    for (const auto& [name, kind] : kStoreKinds) {
      const std::string prefix = std::string(name) + "/";
      if (!it.key().starts_with(prefix)) continue;
      const bool cluster = kind == store::StoreKind::kClusterSecretStore;
      stores.push_back(
          {kind, cluster ? std::string() : push.namespace_name, it.key().substr(prefix.size())});
    }
  }
  return stores;
}

}  // namespace escagent::mirror
