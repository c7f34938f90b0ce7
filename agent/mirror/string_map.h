#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace escagent::mirror {

// Labels or annotations of an object, sorted by key.
using StringMap = std::map<std::string, std::string, std::less<>>;

// The members of a JSON object that are strings; others are passed over.
StringMap ReadStringMap(const nlohmann::json& object);

}  // namespace escagent::mirror
