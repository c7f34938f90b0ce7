#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/fakes/apiserver/schema.h"

namespace escagent::apiserver {

// A set of fields of an object, as metadata.managedFields has it in its format FieldsV1
// (sigs.k8s.io/structured-merge-diff): a tree whose edges are "f:name" for members, "k:{...}" for
// items of lists of type map, "v:..." for those of type set.
class FieldSet {
 public:
  static FieldSet FromJson(const nlohmann::json& fields_v1);
  nlohmann::json ToJson() const;

  // Every field of a value: what an applied configuration claims.
  static FieldSet Of(const Schema* schema, const nlohmann::json& value);
  // The fields that differ: added or changed, and gone.
  struct Difference;
  static Difference Compare(const Schema* schema, const nlohmann::json& before,
                            const nlohmann::json& after);

  bool Empty() const { return !member && children.empty(); }
  void Add(const FieldSet& other);
  void Subtract(const FieldSet& other);
  FieldSet Intersection(const FieldSet& other) const;
  bool operator==(const FieldSet& other) const = default;
  // Drops a field and all below it.
  void Drop(const std::vector<std::string>& path);
  // ".data.key", ".metadata.ownerReferences[uid=\"x\"].name": as conflicts are told.
  std::vector<std::string> Paths() const;

  // Whether the field itself is in the set, beside what is below it.
  bool member = false;
  std::map<std::string, FieldSet> children;

 private:
  void AppendPaths(const std::string& path, std::vector<std::string>& out) const;
};

struct FieldSet::Difference {
  FieldSet changed;  // added or modified
  FieldSet removed;
};

// How a schema takes a value apart; null schemas are those of unknown fields: maps by key, lists
// whole.
bool IsGranularMap(const Schema* schema, const nlohmann::json& value);
bool IsGranularList(const Schema* schema, const nlohmann::json& value);
// The edge to an item of a granular list.
std::string ItemEdge(const Schema& list, const nlohmann::json& item);
// The item that an edge names; null when there is none.
const nlohmann::json* FindItem(const Schema& list, const nlohmann::json& items,
                               const std::string& edge);

// The value with the fields of `last` taken out that nobody in `kept` has.
void RemoveFields(const Schema* schema, nlohmann::json& value, const FieldSet& last,
                  const FieldSet* kept);

// The value with what `config` says put over it.
void MergeConfig(const Schema* schema, nlohmann::json& value, const nlohmann::json& config);

}  // namespace escagent::apiserver
