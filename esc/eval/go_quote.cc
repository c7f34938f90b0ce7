#include "esc/eval/go_quote.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace escagent::eval {
namespace {

struct CodePoints {
  std::uint32_t first;
  std::uint32_t last;
};

// Unicode's categories C and Z (but for the ASCII space) above ASCII; unassigned ones left out.
constexpr std::array<CodePoints, 16> kNotPrinting = {{{0x80, 0xA0},
                                                      {0xAD, 0xAD},
                                                      {0x600, 0x605},
                                                      {0x61C, 0x61C},
                                                      {0x6DD, 0x6DD},
                                                      {0x70F, 0x70F},
                                                      {0x1680, 0x1680},
                                                      {0x180E, 0x180E},
                                                      {0x2000, 0x200F},
                                                      {0x2028, 0x202F},
                                                      {0x205F, 0x206F},
                                                      {0x3000, 0x3000},
                                                      {0xE000, 0xF8FF},
                                                      {0xFEFF, 0xFEFF},
                                                      {0xFFF9, 0xFFFB},
                                                      {0xE0000, 0x10FFFF}}};

bool Prints(std::uint32_t code_point) {
  return std::ranges::none_of(kNotPrinting, [&](const CodePoints& range) {
    return code_point >= range.first && code_point <= range.last;
  });
}

// The number of bytes of the character that begins with `lead`, in valid UTF-8.
std::size_t LengthOf(unsigned char lead) {
  if (lead < 0xC0) return 1;
  if (lead < 0xE0) return 2;
  return lead < 0xF0 ? 3 : 4;
}

void AppendAscii(char c, SecretBuilder& out) {
  static constexpr std::string_view kNamed = "\a\b\f\n\r\t\v\\\"";
  static constexpr std::string_view kLetters = "abfnrtv\\\"";
  const std::size_t named = kNamed.find(c);
  if (named != std::string_view::npos) {
    out.Append('\\');
    out.Append(kLetters[named]);
  } else if (c < ' ' || c == 0x7F) {
    std::array<char, 8> escaped;
    std::snprintf(escaped.data(), escaped.size(), "\\x%02x", static_cast<unsigned>(c));
    out.Append(std::string_view(escaped.data()));
  } else {
    out.Append(c);
  }
}

void AppendWide(std::string_view bytes, SecretBuilder& out) {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  std::uint32_t code_point = lead & (0xFFU >> (bytes.size() + 1));
  for (const char c : bytes.substr(1)) {
    code_point = code_point << 6 | (static_cast<unsigned char>(c) & 0x3FU);
  }
  if (Prints(code_point)) {
    out.Append(bytes);
    return;
  }
  std::array<char, 16> escaped;
  std::snprintf(escaped.data(), escaped.size(), code_point > 0xFFFF ? "\\U%08x" : "\\u%04x",
                code_point);
  out.Append(std::string_view(escaped.data()));
}

}  // namespace

void AppendGoQuoted(std::string_view text, SecretBuilder& out) {
  out.Append('"');
  while (!text.empty()) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const std::size_t length = LengthOf(lead);
    if (lead < 0x80) {
      AppendAscii(text[0], out);
      text.remove_prefix(1);
    } else if (length == 1 || length > text.size()) {
      // Not UTF-8: base64 may have held any bytes.
      std::array<char, 8> escaped;
      std::snprintf(escaped.data(), escaped.size(), "\\x%02x", lead);
      out.Append(std::string_view(escaped.data()));
      text.remove_prefix(1);
    } else {
      AppendWide(text.substr(0, length), out);
      text.remove_prefix(length);
    }
  }
  out.Append('"');
}

}  // namespace escagent::eval
