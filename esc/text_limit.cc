#include "esc/text_limit.h"

#include "base/strings.h"

namespace escagent::esc {

std::string LimitText(std::string_view text, std::size_t max_bytes) {
  if (!IsValidUtf8(text)) return "(not valid UTF-8)";
  std::string result;
  bool space = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // C1 controls (U+0080..U+009F) are the two bytes C2 80..9F.
    const bool c1 = byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (c1) ++i;
    if (c1 || byte <= 0x20 || byte == 0x7F) {
      space = !result.empty();
      continue;
    }
    if (space) result += ' ';
    space = false;
    result += text[i];
  }
  if (result.size() <= max_bytes) return result;
  std::size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(result[end]) & 0xC0U) == 0x80U) --end;
  result.resize(end);
  return result + "...";
}

}  // namespace escagent::esc
