#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace escagent::eval {

// What Go's encoding/json says of a text whose first value it cannot decode, which is what ESC
// says: "invalid character 'x' after object key". Nothing when it could. Of a secret text the
// character is not named.
std::optional<std::string> DescribeJsonFault(std::string_view text, bool secret);

}  // namespace escagent::eval
