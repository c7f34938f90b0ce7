#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/fakes/apiserver/api_status.h"
#include "tests/fakes/apiserver/field_set.h"
#include "tests/fakes/apiserver/resource.h"

namespace escagent::apiserver {

// Who writes: an entry of metadata.managedFields.
struct Manager {
  std::string name;
  bool apply = false;
  std::string api_version;
  std::string subresource;

  bool operator==(const Manager& other) const = default;
};

// metadata.managedFields of an object: who wrote which field last
// (structured-merge-diff's merge.Updater, k8s.io/apimachinery/pkg/util/managedfields).
class ManagedFields {
 public:
  static ManagedFields Read(const nlohmann::json& object);
  // Writes them back: entries without fields go, those that did not change keep their time.
  void Write(nlohmann::json& object) const;

  // After an update from `before` to `after` by POST, PUT or a patch.
  void Update(const Schema& schema, const Manager& manager, const nlohmann::json& before,
              const nlohmann::json& after);

  // Server-side apply: `before` (empty object: a new one) with `config` applied. CONFLICT (409)
  // when another manager has a field that `config` changes, unless `force`.
  Outcome<nlohmann::json> Apply(const Schema& schema, const Manager& manager,
                                const nlohmann::json& before, const nlohmann::json& config,
                                bool force);

 private:
  struct Entry {
    Manager manager;
    FieldSet fields;
    std::string time;
    bool changed = false;
  };

  Entry& Find(const Manager& manager);
  FieldSet AllBut(const Entry& entry) const;
  Done CheckConflicts(const Manager& manager, const FieldSet& changed) const;
  void TakeFromOthers(const Entry& entry, const FieldSet& fields);

  std::vector<Entry> entries_;
};

}  // namespace escagent::apiserver
