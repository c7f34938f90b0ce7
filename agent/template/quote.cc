#include "agent/template/quote.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

#include "agent/template/runes.h"

namespace escagent::gotemplate {
namespace {

constexpr std::string_view kControls = "\a\b\f\n\r\t\v";
constexpr std::string_view kLetters = "abfnrtv";

void AppendHex(std::string_view prefix, char32_t value, int digits, std::string& out) {
  std::array<char, 16> number;
  std::snprintf(number.data(), number.size(), "%0*x", digits, static_cast<unsigned>(value));
  out += prefix;
  out += number.data();
}

void AppendEscaped(const Rune& rune, char quote, bool ascii, std::string& out) {
  const char32_t value = rune.value;
  if (value == static_cast<unsigned char>(quote) || value == '\\') {
    out += '\\';
    out += static_cast<char>(value);
  } else if (ascii ? value < 0x80 && IsPrint(value) : IsPrint(value)) {
    AppendRune(value, out);
  } else if (value < 0x80 && kControls.contains(static_cast<char>(value))) {
    out += '\\';
    out += kLetters[kControls.find(static_cast<char>(value))];
  } else if (value < ' ' || value == 0x7F) {
    AppendHex("\\x", value, 2, out);
  } else if (value < 0x10000) {
    AppendHex("\\u", value, 4, out);
  } else {
    AppendHex("\\U", value, 8, out);
  }
}

// Reads `digits` hexadecimal digits off `text`.
std::optional<char32_t> TakeHex(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  char32_t value = 0;
  for (const char c : text.substr(0, digits)) {
    const std::size_t digit =
        std::string_view("0123456789abcdef")
            .find(c >= 'A' && c <= 'F' ? static_cast<char>(c + ('a' - 'A')) : c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = value << 4 | static_cast<char32_t>(digit);
  }
  text.remove_prefix(digits);
  return value;
}

// \123, of which `first` is read already.
std::optional<char32_t> TakeOctal(char first, std::string_view& text) {
  if (text.size() < 2) return std::nullopt;
  char32_t value = static_cast<char32_t>(first - '0');
  for (const char c : text.substr(0, 2)) {
    if (c < '0' || c > '7') return std::nullopt;
    value = value << 3 | static_cast<char32_t>(c - '0');
  }
  text.remove_prefix(2);
  return value <= 0xFF ? std::optional(value) : std::nullopt;
}

// The escape sequence whose backslash is read already.
bool TakeEscape(std::string_view& text, char quote, std::string& out) {
  if (text.empty()) return false;
  const char c = text[0];
  text.remove_prefix(1);
  if (const std::size_t named = kLetters.find(c); named != std::string_view::npos) {
    out += kControls[named];
    return true;
  }
  if (c == '\\' || c == quote) {
    out += c;
    return true;
  }
  if (c == 'x' || (c >= '0' && c <= '7')) {
    const std::optional<char32_t> byte = c == 'x' ? TakeHex(text, 2) : TakeOctal(c, text);
    if (!byte) return false;
    // In a character constant it is a character, in a text a byte.
    if (quote == '\'') {
      AppendRune(*byte, out);
    } else {
      out += static_cast<char>(*byte);
    }
    return true;
  }
  if (c != 'u' && c != 'U') return false;
  const std::optional<char32_t> rune = TakeHex(text, c == 'u' ? 4 : 8);
  if (!rune || *rune > 0x10FFFF || (*rune >= 0xD800 && *rune <= 0xDFFF)) return false;
  AppendRune(*rune, out);
  return true;
}

}  // namespace

std::string GoQuote(std::string_view text, bool ascii) {
  std::string out = "\"";
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    if (rune.IsBad()) {
      AppendHex("\\x", static_cast<unsigned char>(text[0]), 2, out);
    } else {
      AppendEscaped(rune, '"', ascii, out);
    }
    text.remove_prefix(rune.size);
  }
  return out + '"';
}

std::string GoQuoteRune(char32_t rune, bool ascii) {
  std::string out = "'";
  if (rune > 0x10FFFF || (rune >= 0xD800 && rune <= 0xDFFF)) rune = kBadRune;
  AppendEscaped({.value = rune, .size = 4}, '\'', ascii, out);
  return out + "'";
}

std::optional<std::string> GoUnquote(std::string_view literal) {
  if (literal.size() < 2 || literal.front() != literal.back()) return std::nullopt;
  const char quote = literal.front();
  std::string_view rest = literal.substr(1, literal.size() - 2);
  std::string out;
  if (quote == '`') {
    // Go leaves out carriage returns.
    std::ranges::copy_if(rest, std::back_inserter(out), [](char c) { return c != '\r'; });
    return out;
  }
  while (!rest.empty()) {
    const char c = rest[0];
    if (c == quote || c == '\n') return std::nullopt;
    if (c == '\\') {
      rest.remove_prefix(1);
      if (!TakeEscape(rest, quote, out)) return std::nullopt;
    } else {
      const Rune rune = DecodeRune(rest);
      if (quote == '\'') {
        AppendRune(rune.value, out);
      } else {
        out += rest.substr(0, rune.size);
      }
      rest.remove_prefix(rune.size);
    }
  }
  if (quote == '\'' && CountRunes(out) != 1) return std::nullopt;
  return out;
}

bool CanBackquote(std::string_view text) {
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    if (rune.IsBad() || rune.value == 0xFEFF) return false;
    if ((rune.value < ' ' && rune.value != '\t') || rune.value == '`' || rune.value == 0x7F) {
      return false;
    }
    text.remove_prefix(rune.size);
  }
  return true;
}

}  // namespace escagent::gotemplate
