#include "agent/volume/utf8.h"

#include <array>

#include "base/strings.h"

namespace escagent::volume {

char32_t TakeCodePoint(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (length == 1 || length > text.size() || !IsValidUtf8(text.substr(0, length))) {
    text.remove_prefix(1);
    return first;
  }
  char32_t code_point = first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    code_point = (code_point << 6) | (static_cast<unsigned char>(text[i]) & 0x3fU);
  }
  text.remove_prefix(length);
  return code_point;
}

void AppendHex4(std::uint16_t unit, SecretBuilder& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const std::array<char, 4> digits = {kDigits[unit >> 12], kDigits[(unit >> 8) & 0xf],
                                      kDigits[(unit >> 4) & 0xf], kDigits[unit & 0xf]};
  out.Append(std::string_view(digits.data(), digits.size()));
}

}  // namespace escagent::volume
