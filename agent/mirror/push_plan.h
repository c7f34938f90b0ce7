#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "agent/mirror/push_items.h"
#include "agent/mirror/push_secret.h"
#include "agent/store/secret_store.h"
#include "base/result.h"
#include "base/secret.h"
#include "esc/edit/definition_editor.h"
#include "esc/value.h"

namespace escagent::mirror {

// What there is in a store, to plan against. Borrows.
struct PushState {
  // The definition of the store's environment as GET serves it.
  const Secret* definition = nullptr;
  // The environment as it opens: for updatePolicy IfNotExists a value that is imported exists, too.
  // Null: only the definition counts.
  const esc::Value* opened = nullptr;
};

// How to bring one store to what a PushSecret wants. The edits go into one update of the definition
// (edit::ApplyEdits), with those of other PushSecrets and stores of the same environment; they do
// nothing where the definition says so already.
struct PushPlan {
  std::vector<edit::Edit> edits;  // removals first
  // status.syncedPushSecrets of this store once the edits are done.
  nlohmann::json synced = nlohmann::json::object();
  // IfNotExists: values that were there already and stayed.
  std::size_t left_alone = 0;
};

// With deletionPolicy Delete, what the status says was pushed to the store and is no item any more
// is removed, if it still is a static secret; `items` is empty for a PushSecret that is deleted and
// for a store that it has left. With None it is only forgotten, as ESO does.
//
// With updatePolicy IfNotExists a value that exists is left alone, even if it was pushed earlier.
// It is recorded only if it was: deletionPolicy Delete must not remove what others wrote.
//
// Errors are those of edit::Defines.
Result<PushPlan> PlanPush(const PushSecret& push, const store::StoreId& store,
                          std::vector<PushItem> items, const PushState& state);

// The key of a store in status.syncedPushSecrets: "SecretStore/app".
std::string SyncedStoreKey(const store::StoreId& store);

// The stores in which the status says something was pushed; for SecretStores with the object's
// namespace.
std::vector<store::StoreId> SyncedStores(const PushSecret& push);

}  // namespace escagent::mirror
