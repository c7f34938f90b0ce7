#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Characters of UTF-8 text, with Go's names and rules: a byte that is not UTF-8 reads as U+FFFD
// with the size 1.
namespace escagent::gotemplate {

inline constexpr char32_t kBadRune = 0xFFFD;

struct Rune {
  char32_t value = kBadRune;
  std::size_t size = 0;  // bytes; 0 at the end of the text

  bool IsBad() const { return value == kBadRune && size == 1; }
};

// The first character of `text`.
Rune DecodeRune(std::string_view text);
// Appends as UTF-8; what is no character is appended as U+FFFD.
void AppendRune(char32_t value, std::string& out);
std::size_t CountRunes(std::string_view text);
std::u32string ToRunes(std::string_view text);
std::string ToUtf8(std::u32string_view runes);

// Unicode's classes and simple case mappings as the C library's C.UTF-8 locale has them; ASCII only
// where that locale is not installed.
bool IsLetter(char32_t rune);
bool IsDigit(char32_t rune);
bool IsSpace(char32_t rune);
bool IsUpper(char32_t rune);
bool IsLower(char32_t rune);
// Letters, marks, numbers, symbols and the ASCII space (strconv.IsPrint).
bool IsPrint(char32_t rune);
char32_t ToUpper(char32_t rune);
char32_t ToLower(char32_t rune);

}  // namespace escagent::gotemplate
