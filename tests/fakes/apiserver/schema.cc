#include "tests/fakes/apiserver/schema.h"

#include <utility>

namespace escagent::apiserver {
namespace {

using nlohmann::json;

std::string Text(const json& node, const char* key) {
  const auto found = node.find(key);
  return found != node.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool Flag(const json& node, const char* key) {
  const auto found = node.find(key);
  return found != node.end() && found->is_boolean() && found->get<bool>();
}

template <class T>
std::optional<T> Number(const json& node, const char* key) {
  const auto found = node.find(key);
  if (found == node.end() || !found->is_number()) return std::nullopt;
  return found->get<T>();
}

Status ReadList(const json& node, const std::string& path, Schema& schema) {
  const std::string type = Text(node, "x-kubernetes-list-type");
  if (type == "map") {
    schema.list_type = Schema::ListType::kMap;
    for (const json& key : node.value("x-kubernetes-list-map-keys", json::array())) {
      if (key.is_string()) schema.list_keys.push_back(key.get<std::string>());
    }
    if (schema.list_keys.empty()) {
      return InvalidArgument("read schema: " + path + ": a list of type map has no keys");
    }
  } else if (type == "set") {
    schema.list_type = Schema::ListType::kSet;
  }
  if (const auto items = node.find("items"); items != node.end()) {
    ESC_ASSIGN_OR_RETURN(schema.items, CompileSchema(*items, path + "[*]"));
  }
  return {};
}

Status ReadObject(const json& node, const std::string& path, Schema& schema) {
  schema.preserve_unknown = Flag(node, "x-kubernetes-preserve-unknown-fields");
  schema.embedded = Flag(node, "x-kubernetes-embedded-resource");
  schema.atomic_map = Text(node, "x-kubernetes-map-type") == "atomic";
  if (const auto properties = node.find("properties");
      properties != node.end() && properties->is_object()) {
    for (const auto& [name, child] : properties->items()) {
      ESC_ASSIGN_OR_RETURN(schema.properties[name], CompileSchema(child, path + "." + name));
    }
  }
  if (const auto additional = node.find("additionalProperties"); additional != node.end()) {
    if (additional->is_object()) {
      ESC_ASSIGN_OR_RETURN(schema.additional, CompileSchema(*additional, path + ".*"));
    } else if (additional->is_boolean() && additional->get<bool>()) {
      schema.additional = std::make_shared<Schema>();
    }
  }
  for (const json& name : node.value("required", json::array())) {
    if (name.is_string()) schema.required.push_back(name.get<std::string>());
  }
  return {};
}

Status ReadLimits(const json& node, const std::string& path, Schema& schema) {
  if (const auto found = node.find("enum"); found != node.end()) schema.enumeration = *found;
  if (const std::string pattern = Text(node, "pattern"); !pattern.empty()) {
    schema.pattern = std::make_shared<const re2::RE2>(pattern, re2::RE2::Quiet);
    if (!schema.pattern->ok()) {
      return InvalidArgument("read schema: " + path + ": pattern: " + schema.pattern->error());
    }
  }
  schema.minimum = Number<double>(node, "minimum");
  schema.maximum = Number<double>(node, "maximum");
  schema.exclusive_minimum = Flag(node, "exclusiveMinimum");
  schema.exclusive_maximum = Flag(node, "exclusiveMaximum");
  schema.min_length = Number<std::size_t>(node, "minLength");
  schema.max_length = Number<std::size_t>(node, "maxLength");
  schema.min_items = Number<std::size_t>(node, "minItems");
  schema.max_items = Number<std::size_t>(node, "maxItems");
  schema.min_properties = Number<std::size_t>(node, "minProperties");
  schema.max_properties = Number<std::size_t>(node, "maxProperties");
  return {};
}

Status ReadCombined(const json& node, const char* key, const std::string& path,
                    std::vector<std::shared_ptr<const Schema>>& out) {
  const auto found = node.find(key);
  if (found == node.end() || !found->is_array()) return {};
  for (const json& child : *found) {
    ESC_ASSIGN_OR_RETURN(auto compiled, CompileSchema(child, path + "." + key));
    out.push_back(std::move(compiled));
  }
  return {};
}

// What the parts of the built-in kinds have in common.
constexpr const char* kObjectMeta = R"({
  "type": "object",
  "properties": {
    "name": {"type": "string"}, "generateName": {"type": "string"},
    "namespace": {"type": "string"}, "selfLink": {"type": "string"}, "uid": {"type": "string"},
    "resourceVersion": {"type": "string"}, "generation": {"type": "integer"},
    "creationTimestamp": {"type": "string", "nullable": true},
    "deletionTimestamp": {"type": "string", "nullable": true},
    "deletionGracePeriodSeconds": {"type": "integer"},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    "finalizers": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
    "ownerReferences": {
      "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["uid"],
      "items": {
        "type": "object", "x-kubernetes-map-type": "atomic",
        "required": ["apiVersion", "kind", "name", "uid"],
        "properties": {
          "apiVersion": {"type": "string"}, "kind": {"type": "string"},
          "name": {"type": "string"}, "uid": {"type": "string"},
          "controller": {"type": "boolean"}, "blockOwnerDeletion": {"type": "boolean"}}}},
    "managedFields": {"type": "array", "items":
      {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}
  }})";

}  // namespace

const Schema* Schema::Member(std::string_view name) const {
  if (const auto found = properties.find(name); found != properties.end()) {
    return found->second.get();
  }
  return additional.get();
}

Result<std::shared_ptr<const Schema>> CompileSchema(const json& text, const std::string& path) {
  if (!text.is_object()) return InvalidArgument("read schema: " + path + ": not an object");
  auto schema = std::make_shared<Schema>();
  schema->type = Text(text, "type");
  schema->format = Text(text, "format");
  schema->nullable = Flag(text, "nullable");
  schema->int_or_string = Flag(text, "x-kubernetes-int-or-string");
  if (const auto found = text.find("default"); found != text.end()) {
    schema->has_default = true;
    schema->fallback = *found;
  }
  ESC_RETURN_IF_ERROR(ReadObject(text, path, *schema));
  ESC_RETURN_IF_ERROR(ReadList(text, path, *schema));
  ESC_RETURN_IF_ERROR(ReadLimits(text, path, *schema));
  // Beside x-kubernetes-int-or-string anyOf only repeats its types.
  if (!schema->int_or_string) {
    ESC_RETURN_IF_ERROR(ReadCombined(text, "anyOf", path, schema->any_of));
  }
  ESC_RETURN_IF_ERROR(ReadCombined(text, "allOf", path, schema->all_of));
  ESC_RETURN_IF_ERROR(ReadCombined(text, "oneOf", path, schema->one_of));
  if (const auto found = text.find("not"); found != text.end()) {
    ESC_ASSIGN_OR_RETURN(schema->negated, CompileSchema(*found, path + ".not"));
  }
  return std::shared_ptr<const Schema>(std::move(schema));
}

std::shared_ptr<const Schema> ObjectMetaSchema() {
  static const std::shared_ptr<const Schema> schema =
      CompileSchema(json::parse(kObjectMeta), "metadata").value();
  return schema;
}

Result<std::shared_ptr<const Schema>> CompileKindSchema(const json& text) {
  auto schema = std::make_shared<Schema>();
  schema->type = "object";
  if (text.is_object()) {
    ESC_ASSIGN_OR_RETURN(const auto compiled, CompileSchema(text, ""));
    *schema = *compiled;
  } else {
    schema->preserve_unknown = true;
  }
  auto plain = std::make_shared<Schema>();
  plain->type = "string";
  schema->properties["apiVersion"] = plain;
  schema->properties["kind"] = plain;
  schema->properties["metadata"] = ObjectMetaSchema();
  return std::shared_ptr<const Schema>(std::move(schema));
}

}  // namespace escagent::apiserver
