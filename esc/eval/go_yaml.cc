#include "esc/eval/go_yaml.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <string_view>
#include <vector>

#include "base/ascii.h"
#include "base/strings.h"
#include "esc/eval/scalar.h"

namespace escagent::eval {
namespace {

using Kind = esc::Value::Kind;

constexpr std::size_t kIndent = 4;

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

// yaml.v3's order of keys: numbers in them by their value, letters behind everything else.
bool Before(std::string_view a, std::string_view b) {
  const std::size_t common = std::min(a.size(), b.size());
  bool digits = false;
  for (std::size_t i = 0; i < common; ++i) {
    if (a[i] == b[i]) {
      digits = IsDigit(a[i]);
      continue;
    }
    const bool left = IsLetter(a[i]);
    const bool right = IsLetter(b[i]);
    if (left && right) return a[i] < b[i];
    if (left || right) return digits ? left : right;
    std::size_t left_end = i;
    std::size_t right_end = i;
    if (a[i] == '0' || b[i] == '0') {
      // Leading zeros count only where nothing else differs.
      for (std::size_t j = i; j-- > 0 && IsDigit(a[j]);) {
        if (a[j] != '0') {
          left_end = right_end = i + 1;
          break;
        }
      }
    }
    while (left_end < a.size() && IsDigit(a[left_end])) ++left_end;
    while (right_end < b.size() && IsDigit(b[right_end])) ++right_end;
    const std::size_t left_digits = left_end - i;
    const std::size_t right_digits = right_end - i;
    if (left_digits != right_digits && left_digits > 0 && right_digits > 0) {
      return left_digits < right_digits;
    }
    return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]);
  }
  return a.size() < b.size();
}

// Words that YAML 1.1 took for booleans, which yaml.v3 quotes for older readers.
bool IsOldBoolean(std::string_view text) {
  static constexpr std::array<std::string_view, 8> kWords = {"y",  "n",   "yes",  "no",
                                                             "on", "off", "true", "false"};
  return text.size() <= 5 && std::ranges::any_of(kWords, [&](std::string_view word) {
           return EqualsIgnoreCase(text, word);
         });
}

bool LooksLikeDate(std::string_view text) {
  return text.size() >= 8 && IsDigit(text[0]) && IsDigit(text[1]) && IsDigit(text[2]) &&
         IsDigit(text[3]) && text[4] == '-';
}

bool LooksLikeBase60(std::string_view text) {
  return !text.empty() && (IsDigit(text[0]) || text[0] == '-' || text[0] == '+') &&
         text.contains(':') && std::ranges::all_of(text, [](char c) {
           return IsDigit(c) || c == ':' || c == '.' || c == '_' || c == '-' || c == '+';
         });
}

// Whether a plain scalar with this text is read as something else than this string.
bool ReadsDifferently(std::string_view text) {
  return ResolvePlainScalar(text).kind != Scalar::Kind::kString || IsOldBoolean(text) ||
         LooksLikeDate(text) || LooksLikeBase60(text) || text == "<<" || text == "=";
}

// Whether the grammar has the text as a plain scalar at all.
bool FitsPlain(std::string_view text) {
  static constexpr std::string_view kIndicators = "#,[]{}&*!|>'\"%@`";
  if (text.empty() || text.starts_with(' ') || text.ends_with(' ')) return false;
  if (text.starts_with("---") || text.starts_with("...")) return false;
  if (kIndicators.contains(text[0])) return false;
  const bool before_space = text.size() == 1 || text[1] == ' ' || text[1] == '\t';
  if ((text[0] == '-' || text[0] == '?' || text[0] == ':') && before_space) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ':' && (i + 1 == text.size() || text[i + 1] == ' ')) return false;
    if (c == '#' && i > 0 && (text[i - 1] == ' ' || text[i - 1] == '\t')) return false;
  }
  return true;
}

bool IsSpecial(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7F'; }

void WriteDoubleQuoted(std::string_view text, SecretBuilder& out) {
  static constexpr std::string_view kSpecial{"\0\a\b\t\n\v\f\r\x1b\"\\", 11};
  static constexpr std::string_view kLetters = "0abtnvfre\"\\";
  out.Append('"');
  for (const char c : text) {
    const std::size_t special = kSpecial.find(c);
    if (special != std::string_view::npos) {
      out.Append('\\');
      out.Append(kLetters[special]);
    } else if (IsSpecial(c)) {
      std::array<char, 8> escaped;
      std::snprintf(escaped.data(), escaped.size(), "\\x%02X", static_cast<unsigned>(c));
      out.Append(std::string_view(escaped.data()));
    } else {
      out.Append(c);
    }
  }
  out.Append('"');
}

void WriteSingleQuoted(std::string_view text, SecretBuilder& out) {
  out.Append('\'');
  for (const char c : text) {
    if (c == '\'') out.Append('\'');
    out.Append(c);
  }
  out.Append('\'');
}

class Writer {
 public:
  explicit Writer(SecretBuilder& out) : out_(out) {}

  // Positioned behind a key's colon, a dash, or at the beginning. `column` is where the value's
  // parent stands.
  void WriteRoot(const Node& node) {
    if (IsBlock(node)) {
      WriteBlock(node, 0, /*first_indented=*/true);
    } else {
      WriteScalar(node, 0);
      out_.Append('\n');
    }
  }

 private:
  static bool IsBlock(const Node& node) {
    return (node.kind == Kind::kArray && !node.elements.empty()) ||
           (node.kind == Kind::kObject && !node.members.empty());
  }

  void Indent(std::size_t columns) {
    for (std::size_t i = 0; i < columns; ++i) out_.Append(' ');
  }

  void WriteBlock(const Node& node, std::size_t column, bool first_indented) {
    if (node.kind == Kind::kArray) {
      for (const NodePtr& element : node.elements) {
        if (!first_indented) Indent(column);
        first_indented = false;
        out_.Append('-');
        WriteNested(*element, column, /*in_list=*/true);
      }
      return;
    }
    std::vector<const Node::Member*> members;
    for (const Node::Member& member : node.members) members.push_back(&member);
    std::ranges::sort(members, [](const Node::Member* a, const Node::Member* b) {
      return Before(a->key, b->key);
    });
    for (const Node::Member* member : members) {
      if (!first_indented) Indent(column);
      first_indented = false;
      WriteText(member->key, column, /*is_key=*/true);
      out_.Append(':');
      WriteNested(*member->node, column, /*in_list=*/false);
    }
  }

  void WriteNested(const Node& node, std::size_t column, bool in_list) {
    if (!IsBlock(node)) {
      out_.Append(' ');
      WriteScalar(node, column);
      out_.Append('\n');
    } else if (in_list) {
      // A block in a list begins on the line of its dash, two columns on.
      out_.Append(' ');
      WriteBlock(node, column + 2, /*first_indented=*/true);
    } else {
      out_.Append('\n');
      WriteBlock(node, column + kIndent, /*first_indented=*/false);
    }
  }

  void WriteScalar(const Node& node, std::size_t column) {
    switch (node.kind) {
      case Kind::kNull:
        return out_.Append("null");
      case Kind::kBool:
        return out_.Append(node.boolean ? "true" : "false");
      case Kind::kNumber:
        return out_.Append(node.Text());
      case Kind::kString:
        return WriteText(node.Text(), column, /*is_key=*/false);
      case Kind::kArray:
        return out_.Append("[]");
      case Kind::kObject:
        return out_.Append("{}");
    }
  }

  void WriteText(std::string_view text, std::size_t column, bool is_key) {
    const bool lines = text.contains('\n');
    const bool special =
        std::ranges::any_of(text, [](char c) { return IsSpecial(c) && c != '\n'; });
    if (special || !IsValidUtf8(text) || (lines && (is_key || text.starts_with(' ')))) {
      return WriteDoubleQuoted(text, out_);
    }
    if (lines) return WriteLiteral(text, column);
    if (ReadsDifferently(text)) return WriteDoubleQuoted(text, out_);
    if (!FitsPlain(text)) return WriteSingleQuoted(text, out_);
    out_.Append(text);
  }

  void WriteLiteral(std::string_view text, std::size_t column) {
    out_.Append('|');
    if (!text.ends_with('\n')) {
      out_.Append('-');
    } else if (text.size() == 1 || text.ends_with("\n\n")) {
      out_.Append('+');
    }
    if (text.ends_with('\n')) text.remove_suffix(1);
    while (true) {
      const std::size_t end = text.find('\n');
      out_.Append('\n');
      const std::string_view line = text.substr(0, end);
      if (!line.empty()) Indent(column + kIndent);
      out_.Append(line);
      if (end == std::string_view::npos) return;
      text.remove_prefix(end + 1);
    }
  }

  SecretBuilder& out_;
};

}  // namespace

void WriteGoYaml(const Node& node, SecretBuilder& out) { Writer(out).WriteRoot(node); }

}  // namespace escagent::eval
