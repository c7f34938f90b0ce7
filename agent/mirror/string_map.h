#pragma once

#include <map>
#include <string>

namespace escagent::mirror {

// Labels or annotations of an object, sorted by key.
using StringMap = std::map<std::string, std::string, std::less<>>;

}  // namespace escagent::mirror
