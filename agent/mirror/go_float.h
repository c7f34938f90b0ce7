#pragma once

#include <string>
#include <string_view>

namespace escagent::mirror {

// A JSON number as Go prints it after reading it into a float64. Both are the shortest decimal
// digits that give the same float64 back.

// strconv.FormatFloat(f, 'f', -1, 64): never an exponent.
std::string GoFloatText(std::string_view number);
// encoding/json: an exponent below 1e-6 and from 1e21.
std::string GoJsonFloatText(std::string_view number);

}  // namespace escagent::mirror
