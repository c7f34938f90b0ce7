#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "agent/mirror/string_map.h"

namespace escagent::mirror {

// The part of an object's metadata (meta/v1 ObjectMeta) that controllers work with. The base of
// what is read of each kind.
struct ObjectMeta {
  std::string namespace_name;  // empty for cluster-wide kinds
  std::string name;
  std::string uid;
  std::string resource_version;
  std::int64_t generation = 0;
  bool deleting = false;  // has a deletionTimestamp
  std::vector<std::string> finalizers;
  StringMap labels;
  StringMap annotations;
};

// Reads `metadata` of an object of the API server. What is not there is empty.
ObjectMeta ReadObjectMeta(const nlohmann::json& object);

// Whether two versions of an object differ in their status only, as far as their metadata tells:
// `generation` counts the changes of a spec.
bool SameButStatus(const ObjectMeta& a, const ObjectMeta& b);

}  // namespace escagent::mirror
