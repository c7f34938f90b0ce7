#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace escagent::esc {

// Text from outside made fit for one line of an error: control characters and runs of white space
// become one space, and at most `max_bytes` are kept (cut at a character, followed by "..."). Text
// that is not UTF-8 gives "(not valid UTF-8)".
std::string LimitText(std::string_view text, std::size_t max_bytes);

}  // namespace escagent::esc
