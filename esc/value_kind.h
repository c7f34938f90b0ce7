#pragma once

#include <string_view>

#include "esc/value.h"

namespace escagent::esc {

// What a value is, for messages: "a string", "an object", "null".
std::string_view KindName(const Value& value);

}  // namespace escagent::esc
