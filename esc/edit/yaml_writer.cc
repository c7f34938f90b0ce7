#include "esc/edit/yaml_writer.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/ascii.h"
#include "base/strings.h"

namespace escagent::edit {
namespace {

constexpr std::string_view kSecretCall = "fn::secret";

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// Words that some version of YAML, or some program, takes for a boolean, a null or a number.
bool IsReservedWord(std::string_view text) {
  static constexpr std::array<std::string_view, 11> kWords = {
      "null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"};
  return std::ranges::any_of(kWords, [&](auto word) { return EqualsIgnoreCase(word, text); });
}

// The code point that begins at `at` of a valid UTF-8 text, and its size in bytes.
std::uint32_t CodePointAt(std::string_view text, std::size_t at, std::size_t& size) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const std::uint32_t first = byte(0);
  size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (size == 1) return first;
  std::uint32_t code = first & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) code = (code << 6U) | (byte(i) & 0x3FU);
  return code;
}

// What YAML does not allow as it is, takes for a line break, or drops (U+FEFF).
bool NeedsEscape(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 ||
         code == 0xFEFF || code == 0xFFFE || code == 0xFFFF;
}

void AppendHex(std::uint32_t code, int digits, SecretBuilder& out) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (int i = digits - 1; i >= 0; --i) {
    out.Append(kDigits[(code >> (4U * static_cast<unsigned>(i))) & 0xFU]);
  }
}

void AppendEscape(std::uint32_t code, SecretBuilder& out) {
  switch (code) {
    case '\n':
      return out.Append("\\n");
    case '\r':
      return out.Append("\\r");
    case '\t':
      return out.Append("\\t");
    default:
      break;
  }
  out.Append(code <= 0xFF ? "\\x" : "\\u");
  AppendHex(code, code <= 0xFF ? 2 : 4, out);
}

}  // namespace

bool IsPlainSafe(std::string_view text) {
  return !text.empty() && text.size() < 128 && IsLetter(text.front()) &&
         std::ranges::all_of(
             text, [](char c) { return IsLetter(c) || IsDigit(c) || c == '-'; }) &&
         !IsReservedWord(text);
}

void AppendQuoted(std::string_view text, SecretBuilder& out) {
  out.Append('"');
  for (std::size_t i = 0, size = 0; i < text.size(); i += size) {
    const std::uint32_t code = CodePointAt(text, i, size);
    if (code == '"' || code == '\\') {
      out.Append('\\');
      out.Append(text[i]);
    } else if (NeedsEscape(code)) {
      AppendEscape(code, out);
    } else {
      out.Append(text.substr(i, size));
    }
  }
  out.Append('"');
}

void AppendShortest(std::string_view text, SecretBuilder& out) {
  if (IsPlainSafe(text)) {
    out.Append(text);
  } else {
    AppendQuoted(text, out);
  }
}

void AppendSpaces(std::size_t count, SecretBuilder& out) { out.Append(std::string(count, ' ')); }

void AppendBlockSecret(std::span<const std::string> keys, std::string_view value,
                       std::size_t indent, const Layout& layout, SecretBuilder& out) {
  for (const std::string& key : keys) {
    AppendShortest(key, out);
    out.Append(':');
    out.Append(layout.line_break);
    indent += layout.step;
    AppendSpaces(indent, out);
  }
  out.Append(kSecretCall);
  out.Append(": ");
  AppendQuoted(value, out);
}

void AppendFlowSecret(std::span<const std::string> keys, std::string_view value, bool bare,
                      SecretBuilder& out) {
  std::size_t open = 0;
  const auto brace = [&] {
    if (bare && open == 0) {
      bare = false;
      return;
    }
    out.Append('{');
    ++open;
  };
  for (const std::string& key : keys) {
    brace();
    AppendShortest(key, out);
    out.Append(": ");
  }
  brace();
  out.Append(kSecretCall);
  out.Append(": ");
  AppendQuoted(value, out);
  out.Append(std::string(open, '}'));
}

}  // namespace escagent::edit
