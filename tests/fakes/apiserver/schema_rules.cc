#include "tests/fakes/apiserver/schema_rules.h"

namespace escagent::apiserver {

using nlohmann::json;

std::string Below(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

void PruneUnknown(const Schema& schema, json& value, const std::string& path,
                  std::vector<std::string>& unknown) {
  if (value.is_array() && schema.items != nullptr) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      PruneUnknown(*schema.items, value[i], path + "[" + std::to_string(i) + "]", unknown);
    }
    return;
  }
  if (!value.is_object()) return;
  // Without a type anything goes: the values of additionalProperties: true.
  const bool open = schema.preserve_unknown || (schema.type.empty() && schema.properties.empty());
  for (auto member = value.begin(); member != value.end();) {
    const Schema* child = schema.Member(member.key());
    const bool identity = schema.embedded && (member.key() == "apiVersion" ||
                                              member.key() == "kind" || member.key() == "metadata");
    if (child == nullptr && !open && !identity) {
      unknown.push_back(Below(path, member.key()));
      member = value.erase(member);
      continue;
    }
    if (child != nullptr) PruneUnknown(*child, *member, Below(path, member.key()), unknown);
    ++member;
  }
}

void ApplyDefaults(const Schema& schema, json& value) {
  if (value.is_array() && schema.items != nullptr) {
    for (json& item : value) ApplyDefaults(*schema.items, item);
    return;
  }
  if (!value.is_object()) return;
  for (const auto& [name, child] : schema.properties) {
    const auto found = value.find(name);
    const bool absent = found == value.end() || (found->is_null() && !child->nullable);
    if (absent && child->has_default) value[name] = child->fallback;
    if (const auto member = value.find(name); member != value.end()) {
      ApplyDefaults(*child, *member);
    }
  }
  if (schema.additional == nullptr) return;
  for (auto member = value.begin(); member != value.end(); ++member) {
    if (!schema.properties.contains(member.key())) ApplyDefaults(*schema.additional, *member);
  }
}

}  // namespace escagent::apiserver
