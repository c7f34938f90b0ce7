#pragma once

#include <cstdint>
#include <string_view>

#include "base/secret.h"

namespace escagent::volume {

// Takes the first code point off a text. A byte that is not UTF-8 counts as the code point of its
// own number (ESC's values are UTF-8; their reader checks that). `text` must not be empty.
char32_t TakeCodePoint(std::string_view& text);

// Four lower-case hexadecimal digits.
void AppendHex4(std::uint16_t unit, SecretBuilder& out);

}  // namespace escagent::volume
