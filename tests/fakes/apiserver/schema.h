#pragma once

#include <re2/re2.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace escagent::apiserver {

// A structural OpenAPI v3 schema of a CustomResourceDefinition, made ready for use. Rules in CEL
// (x-kubernetes-validations) are not evaluated. Immutable; shared between threads.
struct Schema {
  enum class ListType { kAtomic, kSet, kMap };

  std::string type;  // "object", "array", "string", ...; empty: any
  std::string format;
  bool nullable = false;
  bool int_or_string = false;
  bool preserve_unknown = false;
  bool embedded = false;
  bool atomic_map = false;
  ListType list_type = ListType::kAtomic;
  std::vector<std::string> list_keys;

  std::map<std::string, std::shared_ptr<const Schema>, std::less<>> properties;
  std::shared_ptr<const Schema> additional;  // of a map's values
  std::shared_ptr<const Schema> items;

  std::vector<std::string> required;
  nlohmann::json enumeration;  // array or null
  nlohmann::json fallback;     // "default"; absent when !has_default
  bool has_default = false;
  std::shared_ptr<const re2::RE2> pattern;
  std::optional<double> minimum, maximum;
  bool exclusive_minimum = false, exclusive_maximum = false;
  std::optional<std::size_t> min_length, max_length, min_items, max_items, min_properties,
      max_properties;
  std::vector<std::shared_ptr<const Schema>> all_of, any_of, one_of;
  std::shared_ptr<const Schema> negated;

  // The schema of a member: a property, or the values of a map. Null when unknown.
  const Schema* Member(std::string_view name) const;
  bool IsListMap() const { return type == "array" && list_type == ListType::kMap; }
};

// INVALID_ARGUMENT names the path of what cannot be read. `metadata` at the top is taken as
// ObjectMeta, whatever the text says of it.
Result<std::shared_ptr<const Schema>> CompileSchema(const nlohmann::json& text,
                                                    const std::string& path);

// The schema of a kind: compiles `text` (may be null: everything is kept) and adds apiVersion, kind
// and metadata.
Result<std::shared_ptr<const Schema>> CompileKindSchema(const nlohmann::json& text);

// ObjectMeta: the maps and lists that patches and server-side apply need to know.
std::shared_ptr<const Schema> ObjectMetaSchema();

}  // namespace escagent::apiserver
