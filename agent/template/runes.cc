#include "agent/template/runes.h"

#include <clocale>
#include <cwctype>

namespace escagent::gotemplate {
namespace {

// Lives as long as the program.
locale_t Unicode() {
  static const locale_t unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return unicode;
}

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

bool IsAsciiUpper(char32_t rune) { return rune >= 'A' && rune <= 'Z'; }
bool IsAsciiLower(char32_t rune) { return rune >= 'a' && rune <= 'z'; }

}  // namespace

Rune DecodeRune(std::string_view text) {
  if (text.empty()) return {};
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {.value = lead, .size = 1};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return {.value = kBadRune, .size = 1};
  char32_t value = lead & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if (!IsContinuation(text[i])) return {.value = kBadRune, .size = 1};
    value = value << 6 | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  const bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (overlong || surrogate || value > 0x10FFFF) return {.value = kBadRune, .size = 1};
  return {.value = value, .size = size};
}

void AppendRune(char32_t value, std::string& out) {
  if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) value = kBadRune;
  const auto continuation = [value](unsigned shift) {
    return static_cast<char>(0x80U | (value >> shift & 0x3FU));
  };
  if (value < 0x80) {
    out += static_cast<char>(value);
  } else if (value < 0x800) {
    out += static_cast<char>(0xC0U | value >> 6);
    out += continuation(0);
  } else if (value < 0x10000) {
    out += static_cast<char>(0xE0U | value >> 12);
    out += continuation(6);
    out += continuation(0);
  } else {
    out += static_cast<char>(0xF0U | value >> 18);
    out += continuation(12);
    out += continuation(6);
    out += continuation(0);
  }
}

std::size_t CountRunes(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(DecodeRune(text).size);
  return count;
}

std::u32string ToRunes(std::string_view text) {
  std::u32string runes;
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    runes += rune.value;
    text.remove_prefix(rune.size);
  }
  return runes;
}

std::string ToUtf8(std::u32string_view runes) {
  std::string text;
  for (const char32_t rune : runes) AppendRune(rune, text);
  return text;
}

bool IsLetter(char32_t rune) {
  if (rune < 0x80) return IsAsciiUpper(rune) || IsAsciiLower(rune);
  return Unicode() != nullptr && iswalpha_l(static_cast<wint_t>(rune), Unicode()) != 0;
}

bool IsDigit(char32_t rune) { return rune >= '0' && rune <= '9'; }

bool IsSpace(char32_t rune) {
  return rune == ' ' || (rune >= '\t' && rune <= '\r') || rune == 0x85 || rune == 0xA0 ||
         rune == 0x1680 || (rune >= 0x2000 && rune <= 0x200A) || rune == 0x2028 || rune == 0x2029 ||
         rune == 0x202F || rune == 0x205F || rune == 0x3000;
}

bool IsUpper(char32_t rune) {
  if (rune < 0x80) return IsAsciiUpper(rune);
  return Unicode() != nullptr && iswupper_l(static_cast<wint_t>(rune), Unicode()) != 0;
}

bool IsLower(char32_t rune) {
  if (rune < 0x80) return IsAsciiLower(rune);
  return Unicode() != nullptr && iswlower_l(static_cast<wint_t>(rune), Unicode()) != 0;
}

bool IsPrint(char32_t rune) {
  if (rune < 0x80) return rune >= ' ' && rune < 0x7F;
  if (IsSpace(rune)) return false;
  const bool invisible = rune == 0xAD || (rune >= 0x200B && rune <= 0x200F) ||
                         (rune >= 0x202A && rune <= 0x202E) || (rune >= 0x2060 && rune <= 0x206F) ||
                         (rune >= 0xE000 && rune <= 0xF8FF) || rune == 0xFEFF || rune >= 0xE0000;
  return !invisible && Unicode() != nullptr &&
         iswprint_l(static_cast<wint_t>(rune), Unicode()) != 0;
}

char32_t ToUpper(char32_t rune) {
  if (rune < 0x80) return IsAsciiLower(rune) ? rune - ('a' - 'A') : rune;
  if (Unicode() == nullptr) return rune;
  return static_cast<char32_t>(towupper_l(static_cast<wint_t>(rune), Unicode()));
}

char32_t ToLower(char32_t rune) {
  if (rune < 0x80) return IsAsciiUpper(rune) ? rune + ('a' - 'A') : rune;
  if (Unicode() == nullptr) return rune;
  return static_cast<char32_t>(towlower_l(static_cast<wint_t>(rune), Unicode()));
}

}  // namespace escagent::gotemplate
