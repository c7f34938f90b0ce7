#include "agent/mirror/string_map.h"

namespace escagent::mirror {

StringMap ReadStringMap(const nlohmann::json& object) {
  StringMap strings;
  const auto* members = object.get_ptr<const nlohmann::json::object_t*>();
  if (members == nullptr) return strings;
  for (const auto& [key, value] : *members) {
    const auto* text = value.get_ptr<const nlohmann::json::string_t*>();
    if (text != nullptr) strings.emplace(key, *text);
  }
  return strings;
}

}  // namespace escagent::mirror
