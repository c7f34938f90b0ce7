#include "esc/eval/text_width.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace escagent::eval {
namespace {

struct CodePoints {
  std::uint32_t first;
  std::uint32_t last;
};

// Grapheme_Cluster_Break = Extend or SpacingMark in the common scripts.
constexpr std::array<CodePoints, 36> kExtending = {
    {{0x300, 0x36F},     {0x483, 0x489},     {0x591, 0x5BD},     {0x5BF, 0x5BF},
     {0x5C1, 0x5C2},     {0x5C4, 0x5C5},     {0x610, 0x61A},     {0x64B, 0x65F},
     {0x670, 0x670},     {0x6D6, 0x6DC},     {0x6DF, 0x6E4},     {0x6E7, 0x6E8},
     {0x6EA, 0x6ED},     {0x900, 0x903},     {0x93A, 0x93C},     {0x93E, 0x94F},
     {0x951, 0x957},     {0x981, 0x983},     {0x9BC, 0x9CD},     {0xA01, 0xA03},
     {0xE31, 0xE31},     {0xE33, 0xE3A},     {0xE47, 0xE4E},     {0x1AB0, 0x1AFF},
     {0x1DC0, 0x1DFF},   {0x200C, 0x200D},   {0x20D0, 0x20F0},   {0x302A, 0x302F},
     {0x3099, 0x309A},   {0xFE00, 0xFE0F},   {0xFE20, 0xFE2F},   {0x1F3FB, 0x1F3FF},
     {0xE0020, 0xE007F}, {0xE0100, 0xE01EF}, {0x1E000, 0x1E02A}, {0x1D165, 0x1D169}}};

// East_Asian_Width = Wide or Fullwidth, and Emoji_Presentation.
constexpr std::array<CodePoints, 39> kWide = {
    {{0x1100, 0x115F}, {0x231A, 0x231B}, {0x2329, 0x232A},   {0x23E9, 0x23EC},  {0x23F0, 0x23F0},
     {0x23F3, 0x23F3}, {0x25FD, 0x25FE}, {0x2614, 0x2615},   {0x2648, 0x2653},  {0x267F, 0x267F},
     {0x2693, 0x2693}, {0x26A1, 0x26A1}, {0x26AA, 0x26AB},   {0x26BD, 0x26BE},  {0x26C4, 0x26C5},
     {0x26CE, 0x26CE}, {0x26D4, 0x26D4}, {0x26EA, 0x26EA},   {0x26F2, 0x26F3},  {0x26F5, 0x26F5},
     {0x26FA, 0x26FA}, {0x26FD, 0x26FD}, {0x2705, 0x2705},   {0x270A, 0x270B},  {0x2728, 0x2728},
     {0x274C, 0x274C}, {0x2753, 0x2755}, {0x2757, 0x2757},   {0x2795, 0x2797},  {0x2E80, 0x303E},
     {0x3041, 0xA4CF}, {0xA960, 0xA97C}, {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},  {0xFE30, 0xFE6B},
     {0xFF01, 0xFF60}, {0xFFE0, 0xFFE6}, {0x1F300, 0x1FAFF}, {0x20000, 0x3FFFD}}};

bool IsIn(std::span<const CodePoints> ranges, std::uint32_t code_point) {
  return std::ranges::any_of(ranges, [&](const CodePoints& range) {
    return code_point >= range.first && code_point <= range.last;
  });
}

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t bytes = 0;
};

// Of valid UTF-8; a stray byte stands for itself.
CodePoint Decode(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t bytes = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (bytes == 1 || bytes > text.size()) return {.value = lead, .bytes = 1};
  std::uint32_t value = lead & (0xFFU >> (bytes + 1));
  for (const char c : text.substr(1, bytes - 1)) {
    value = value << 6 | (static_cast<unsigned char>(c) & 0x3FU);
  }
  return {.value = value, .bytes = bytes};
}

constexpr std::uint32_t kJoiner = 0x200D;
constexpr std::uint32_t kEmojiStyle = 0xFE0F;

bool IsFlagPart(std::uint32_t c) { return c >= 0x1F1E6 && c <= 0x1F1FF; }
bool IsPictograph(std::uint32_t c) {
  return (c >= 0x1F000 && c <= 0x1FAFF) || (c >= 0x2190 && c <= 0x2BFF);
}
bool IsHangulTail(std::uint32_t c) { return c >= 0x1160 && c <= 0x11FF; }

}  // namespace

GraphemeCluster FirstCluster(std::string_view text) {
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  // Nothing in ASCII joins with what follows, but for a line break.
  if (text[0] >= ' ' && text[0] != 0x7F && (text.size() == 1 || is_ascii(text[1]))) {
    return {.bytes = 1, .width = 1};
  }
  const CodePoint first = Decode(text);
  GraphemeCluster cluster{.bytes = first.bytes, .width = 1};
  if (first.value < 0x80) {
    if (first.value < 0x20 || first.value == 0x7F) cluster.width = 0;
    if (text.starts_with("\r\n")) cluster.bytes = 2;
    if (cluster.width == 0) return cluster;
  }
  if (IsIn(kExtending, first.value)) cluster.width = 0;
  if (IsIn(kWide, first.value)) cluster.width = 2;
  std::uint32_t last = first.value;
  bool half_a_flag = IsFlagPart(first.value);
  // Marks without end are no writing.
  constexpr std::size_t kMaxCluster = 256;
  while (cluster.bytes < std::min(text.size(), kMaxCluster)) {
    const CodePoint next = Decode(text.substr(cluster.bytes));
    const bool joined = last == kJoiner && IsPictograph(first.value) && IsPictograph(next.value);
    const bool flag = half_a_flag && IsFlagPart(next.value);
    const bool hangul = first.value >= 0x1100 && first.value <= 0x115F && IsHangulTail(next.value);
    if (!IsIn(kExtending, next.value) && !joined && !flag && !hangul) break;
    if (flag || (next.value == kEmojiStyle && IsPictograph(first.value))) cluster.width = 2;
    half_a_flag = half_a_flag && !flag;
    last = next.value;
    cluster.bytes += next.bytes;
  }
  return cluster;
}

int TextWidth(std::string_view text) {
  int width = 0;
  while (!text.empty()) {
    const GraphemeCluster cluster = FirstCluster(text);
    width += cluster.width;
    text.remove_prefix(cluster.bytes);
  }
  return width;
}

}  // namespace escagent::eval
