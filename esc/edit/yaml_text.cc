#include "esc/edit/yaml_text.h"

#include <algorithm>
#include <array>

#include "base/yaml_events.h"

namespace escagent::edit {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
// U+0085, U+2028 and U+2029.
constexpr std::array<std::string_view, 3> kUnicodeBreaks = {"\xC2\x85", "\xE2\x80\xA8",
                                                            "\xE2\x80\xA9"};
// With what line breaks begin.
constexpr std::string_view kBreakBytes = "\n\r\xC2\xE2";

// The size of the line break that begins at a position: 0 when none does.
std::size_t BreakSizeAt(std::string_view text, std::size_t position) {
  const std::string_view rest = text.substr(position);
  if (rest.starts_with("\r\n")) return 2;
  if (rest.starts_with('\n') || rest.starts_with('\r')) return 1;
  for (const std::string_view unicode : kUnicodeBreaks) {
    if (rest.starts_with(unicode)) return unicode.size();
  }
  return 0;
}

bool EndsWithBreak(std::string_view text) {
  return text.ends_with('\n') || text.ends_with('\r') ||
         std::ranges::any_of(kUnicodeBreaks, [&](auto end) { return text.ends_with(end); });
}

}  // namespace

std::size_t SkipTrivia(std::string_view text, std::size_t position) {
  while (position < text.size()) {
    const char c = text[position];
    if (c == ' ' || c == '\t') {
      ++position;
    } else if (c == '#') {
      position = LineEndOf(text, position);
    } else if (const std::size_t size = BreakSizeAt(text, position); size > 0) {
      position += size;
    } else if (text.substr(position).starts_with(kByteOrderMark) &&
               (position == 0 || EndsWithBreak(text.substr(0, position)))) {
      position += kByteOrderMark.size();
    } else {
      break;
    }
  }
  return position;
}

std::size_t LineBeginOf(std::string_view text, std::size_t position) {
  while (position > 0 && !EndsWithBreak(text.substr(0, position))) --position;
  return position;
}

std::size_t LineEndOf(std::string_view text, std::size_t position) {
  while (true) {
    position = text.find_first_of(kBreakBytes, position);
    if (position == std::string_view::npos) return text.size();
    if (BreakSizeAt(text, position) > 0) return position;
    ++position;
  }
}

std::size_t NextLineOf(std::string_view text, std::size_t position) {
  const std::size_t end = LineEndOf(text, position);
  return end + BreakSizeAt(text, end);
}

std::size_t LineNumberOf(std::string_view text, std::size_t position) {
  std::size_t number = 1;
  for (std::size_t line = NextLineOf(text, 0); line <= position; line = NextLineOf(text, line)) {
    if (line == text.size()) return number + (EndsWithBreak(text) ? 1 : 0);
    ++number;
  }
  return number;
}

std::size_t ColumnOf(std::string_view text, std::size_t position) {
  std::size_t begin = LineBeginOf(text, position);
  if (begin == 0) begin = std::min(position, ByteOrderMarkSize(text));
  // All bytes but those that continue a code point.
  return static_cast<std::size_t>(std::ranges::count_if(
      text.substr(begin, position - begin),
      [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

}  // namespace escagent::edit
