#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/fakes/apiserver/api_status.h"
#include "tests/fakes/apiserver/managed_fields.h"
#include "tests/fakes/apiserver/registry.h"
#include "tests/fakes/apiserver/resource.h"
#include "tests/fakes/apiserver/store.h"

namespace escagent::apiserver {

// What a write request says beside its body.
struct WriteTarget {
  ResourcePtr resource;
  std::string name_space;
  std::string name;         // empty for POST
  std::string subresource;  // "" or "status"
  std::string field_manager;
  // "Strict": unknown fields are an error; "Warn": a warning; "Ignore": nothing.
  std::string field_validation = "Warn";
};

struct Written {
  ObjectPtr object;
  bool created = false;
  bool removed = false;  // the write took the last finalizer away
  std::vector<std::string> warnings;
};

enum class PatchType { kJson, kMerge, kStrategic, kApply };

// Writes objects as the registry of the real server does: names and versions, conversion, pruning,
// defaults, validation, the split of spec and status, generation, field ownership, optimistic
// concurrency. A write that changes nothing is none. Thread-safe.
class ObjectWriter {
 public:
  ObjectWriter(Store& store, Registry& registry) : store_(store), registry_(registry) {}
  ObjectWriter(const ObjectWriter&) = delete;
  ObjectWriter& operator=(const ObjectWriter&) = delete;

  Outcome<Written> Create(const WriteTarget& target, nlohmann::json body);
  Outcome<Written> Replace(const WriteTarget& target, const nlohmann::json& body);
  // `force`: of apply.
  Outcome<Written> Patch(const WriteTarget& target, PatchType type, const nlohmann::json& patch,
                         bool force);
  // Any change of an object that the server itself makes; no error when it is gone.
  void Adjust(const std::string& table, const ObjectPtr& object,
              const std::function<void(nlohmann::json&)>& change);

 private:
  // A change of `current`, given and returned in the version of the request.
  using Change =
      std::function<Outcome<nlohmann::json>(const nlohmann::json& current, ManagedFields& managed)>;

  Outcome<Written> Modify(const WriteTarget& target, bool applied, const Change& change);
  Outcome<Written> CreateApplied(const WriteTarget& target, const nlohmann::json& config);
  Outcome<nlohmann::json> Clean(const WriteTarget& target, nlohmann::json body,
                                std::vector<std::string>& warnings) const;
  Outcome<nlohmann::json> MakeNext(const WriteTarget& target, const nlohmann::json& current,
                                   nlohmann::json next) const;
  Done CheckNew(const WriteTarget& target, const nlohmann::json& body) const;
  Outcome<ObjectPtr> Insert(const WriteTarget& target, const nlohmann::json& object);
  // Checks and tells the registry of a CustomResourceDefinition.
  Done Register(const Resource& resource, const nlohmann::json& object);

  Store& store_;
  Registry& registry_;
};

}  // namespace escagent::apiserver
