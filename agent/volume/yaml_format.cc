#include "agent/volume/yaml_format.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "agent/volume/utf8.h"
#include "base/ascii.h"
#include "base/strings.h"

namespace escagent::volume {
namespace {

using esc::Value;

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// YAML 1.1's booleans and nulls (yaml.org/type/bool, /null). Numbers, dates, ".inf", "~", "=" and
// "<<" are not in the list: what does not begin with a letter, "_" or "/" is quoted anyway.
bool IsReservedWord(std::string_view text) {
  static constexpr std::array<std::string_view, 11> kWords = {
      "null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"};
  return std::any_of(kWords.begin(), kWords.end(),
                     [text](std::string_view word) { return EqualsIgnoreCase(text, word); });
}

// A careful subset of YAML's plain scalars.
bool CanBePlain(std::string_view text) {
  if (text.empty() || IsReservedWord(text)) return false;
  if (!IsLetter(text[0]) && text[0] != '_' && text[0] != '/') return false;
  if (text.back() == ' ') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (IsLetter(c) || IsDigit(c)) continue;
    if (std::string_view("_./-+@= ").find(c) != std::string_view::npos) continue;
    // "https://": a colon ends a key only before a space.
    if (c == ':' && i + 1 < text.size() && text[i + 1] == '/') continue;
    return false;
  }
  return true;
}

// Whether YAML allows the character in a literal block, and readers agree on it.
bool IsPrintable(char32_t c) {
  if (c == '\n' || c == '\t') return true;
  if (c < 0x20 || (c >= 0x7f && c < 0xa0)) return false;
  return c != 0x2028 && c != 0x2029 && c != 0xfeff && c != 0xfffe && c != 0xffff;
}

// Several lines that a literal block gives back exactly. A text that begins with white space would
// need an indentation indicator, and readers differ on lines of nothing but white space.
bool CanBeLiteral(std::string_view text) {
  if (text.find('\n') == std::string_view::npos) return false;
  if (std::string_view(" \t\n").find(text[0]) != std::string_view::npos) return false;
  for (const std::string_view line : Split(text, '\n')) {
    if (!line.empty() && line.find_first_not_of(" \t") == std::string_view::npos) return false;
  }
  for (std::string_view rest = text; !rest.empty();) {
    if (!IsPrintable(TakeCodePoint(rest))) return false;
  }
  return true;
}

class Writer {
 public:
  Secret Write(const Value& value) {
    if (value.IsScalar()) {
      WriteScalar(value, 0);
    } else {
      WriteCollection(value, 0, /*in_line=*/false);
    }
    return out_.Finish();
  }

 private:
  void Indent(std::size_t spaces) {
    for (std::size_t i = 0; i < spaces; ++i) out_.Append(' ');
  }

  // The entries of an object or an array, each on its line. `in_line`: the first one continues a
  // line, after "- ".
  void WriteCollection(const Value& value, std::size_t indent, bool in_line) {
    if (value.members().empty() && value.elements().empty()) {
      out_.Append(value.kind() == Value::Kind::kObject ? "{}\n" : "[]\n");
      return;
    }
    for (const auto& [key, member] : value.members()) {
      if (!std::exchange(in_line, false)) Indent(indent);
      WriteKey(key, indent);
      if (member.members().empty() && member.elements().empty()) {
        out_.Append(' ');
      } else {
        out_.Append('\n');
        Indent(indent + 2);
      }
      WriteEntry(member, indent + 2);
    }
    for (const Value& element : value.elements()) {
      if (!std::exchange(in_line, false)) Indent(indent);
      out_.Append("- ");
      WriteEntry(element, indent + 2);
    }
  }

  void WriteEntry(const Value& value, std::size_t indent) {
    if (value.IsScalar()) {
      WriteScalar(value, indent);
    } else {
      WriteCollection(value, indent, /*in_line=*/true);
    }
  }

  void WriteKey(std::string_view key, std::size_t indent) {
    // YAML allows a key before ":" at most 1024 characters on one line.
    constexpr std::size_t kLongest = 200;
    if (key.size() <= kLongest) {
      WriteText(key);
      out_.Append(':');
      return;
    }
    out_.Append("? ");
    WriteText(key);
    out_.Append('\n');
    Indent(indent);
    out_.Append(':');
  }

  // With the end of the line.
  void WriteScalar(const Value& value, std::size_t indent) {
    const std::string_view text = value.ScalarText();
    if (value.kind() == Value::Kind::kNull) {
      out_.Append("null");
    } else if (value.kind() != Value::Kind::kString) {
      out_.Append(text);
    } else if (CanBeLiteral(text)) {
      WriteLiteral(text, std::max<std::size_t>(indent, 2));
      return;
    } else {
      WriteText(text);
    }
    out_.Append('\n');
  }

  void WriteLiteral(std::string_view text, std::size_t indent) {
    const bool ends_line = text.ends_with('\n');
    out_.Append(!ends_line ? "|-\n" : text.ends_with("\n\n") ? "|+\n" : "|\n");
    if (ends_line) text.remove_suffix(1);
    for (const std::string_view line : Split(text, '\n')) {
      if (!line.empty()) Indent(indent);
      out_.Append(line);
      out_.Append('\n');
    }
  }

  // Plain or double quoted, on one line.
  void WriteText(std::string_view text) {
    if (CanBePlain(text)) {
      out_.Append(text);
      return;
    }
    out_.Append('"');
    while (!text.empty()) {
      const std::string_view before = text;
      const char32_t c = TakeCodePoint(text);
      WriteQuoted(c, before.substr(0, before.size() - text.size()));
    }
    out_.Append('"');
  }

  void WriteQuoted(char32_t c, std::string_view bytes) {
    switch (c) {
      case '"':
        return out_.Append("\\\"");
      case '\\':
        return out_.Append("\\\\");
      case '\n':
        return out_.Append("\\n");
      case '\r':
        return out_.Append("\\r");
      case '\t':
        return out_.Append("\\t");
      default:
        break;
    }
    if (IsPrintable(c)) return out_.Append(bytes);
    out_.Append("\\u");
    AppendHex4(static_cast<std::uint16_t>(c), out_);
  }

  SecretBuilder out_;
};

}  // namespace

Secret RenderYaml(const Value& value) { return Writer().Write(value); }

}  // namespace escagent::volume
