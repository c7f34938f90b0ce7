#include "esc/devserver/stored_json.h"

#include <algorithm>
#include <chrono>

namespace escagent::devserver {

using nlohmann::json;

bool HasShape(const json& object, const json& shape) {
  if (!object.is_object()) return false;
  return std::ranges::all_of(shape.items(), [&](const auto& expected) {
    const auto found = object.find(expected.key());
    if (found == object.end()) return true;
    return expected.value().is_number() ? found->is_number_integer()
                                        : found->type() == expected.value().type();
  });
}

std::int64_t StoredTime(Clock::WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

Clock::WallTime TimeOf(const json& object, const char* member) {
  return Clock::WallTime(std::chrono::milliseconds(object.value(member, std::int64_t{0})));
}

bool ReadTexts(const json& object, const char* member, std::vector<std::string>& out) {
  const json list = object.value(member, json::array());
  for (const json& text : list) {
    if (!text.is_string()) return false;
    out.push_back(text.get<std::string>());
  }
  return true;
}

}  // namespace escagent::devserver
