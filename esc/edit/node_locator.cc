#include "esc/edit/node_locator.h"

#include <algorithm>
#include <optional>
#include <string>

namespace escagent::edit {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

bool IsSpace(char c) { return kSpaces.contains(c); }

class Locator {
 public:
  explicit Locator(std::string_view text) : text_(text) {}

  Status Run(YamlNode& root) {
    if (root.kind == YamlNode::Kind::kEmpty) {
      root.begin = root.content = root.end = text_.size();
      return {};
    }
    position_ = root.begin;
    return Locate(root, /*indent=*/-1);
  }

 private:
  // `indent` is the column of the block sequence or map around the node: -1 when there is none.
  Status Locate(YamlNode& node, int indent) {
    if (node.kind == YamlNode::Kind::kEmpty) {
      node.begin = node.content = node.end = position_;
      return {};
    }
    position_ = SkipTrivia(text_, position_);
    if (position_ != node.begin) return Fault();
    if (At('!')) SkipTag(!EmptyAfterTag(node));
    node.content = position_;
    switch (node.kind) {
      case YamlNode::Kind::kEmpty:
        break;
      case YamlNode::Kind::kNull:
        position_ += At('~') ? 1 : std::string_view("null").size();
        break;
      case YamlNode::Kind::kScalar:
        ESC_RETURN_IF_ERROR(LocateScalar(node, indent));
        break;
      case YamlNode::Kind::kSequence:
        ESC_RETURN_IF_ERROR(node.flow ? LocateFlowSequence(node) : LocateBlockSequence(node));
        break;
      case YamlNode::Kind::kMap:
        ESC_RETURN_IF_ERROR(node.flow ? LocateFlowMap(node) : LocateBlockMap(node));
        break;
    }
    node.end = position_;
    return {};
  }

  bool At(char c) const { return position_ < text_.size() && text_[position_] == c; }
  bool AtIndicator(char c) const {
    return At(c) && (position_ + 1 >= text_.size() || IsSpace(text_[position_ + 1]));
  }

  std::unexpected<Error> Fault() const {
    const std::string_view before = text_.substr(0, std::min(position_, text_.size()));
    return FailedPrecondition("read environment definition: line " +
                              std::to_string(1 + std::ranges::count(before, '\n')) +
                              " is written in a way that cannot be edited; rewrite it in a "
                              "simpler style");
  }

  Status Expect(char c) {
    if (!At(c)) return Fault();
    ++position_;
    return {};
  }

  // A tag with nothing behind it is read as an empty text.
  bool EmptyAfterTag(const YamlNode& node) const {
    return node.kind == YamlNode::Kind::kScalar && node.text.Empty() &&
           !std::string_view("\"'|>").contains(PeekAfterTag());
  }
  char PeekAfterTag() const {
    const std::size_t next = SkipTrivia(text_, TagEnd());
    return next < text_.size() ? text_[next] : '\0';
  }
  std::size_t TagEnd() const {
    if (text_.substr(position_).starts_with("!<")) {
      return std::min(text_.find('>', position_), text_.size() - 1) + 1;
    }
    return std::min(text_.find_first_of(" \t\r\n,[]{}", position_), text_.size());
  }
  void SkipTag(bool more) {
    position_ = TagEnd();
    if (more) position_ = SkipTrivia(text_, position_);
  }

  Status LocateScalar(YamlNode& node, int indent) {
    if (!node.plain && At('"')) return SkipQuoted('"');
    if (!node.plain && At('\'')) return SkipQuoted('\'');
    if (!node.plain && (At('|') || At('>'))) {
      SkipBlockScalar(indent);
      return {};
    }
    return SkipPlain(node.text.Reveal());
  }

  Status SkipQuoted(char quote) {
    for (++position_; position_ < text_.size(); ++position_) {
      if (quote == '"' && At('\\')) {
        ++position_;
      } else if (At(quote)) {
        if (quote == '"' || position_ + 1 >= text_.size() || text_[position_ + 1] != quote) {
          ++position_;
          return {};
        }
        ++position_;
      }
    }
    return Fault();
  }

  // Folding lines changes nothing but white space.
  Status SkipPlain(std::string_view decoded) {
    for (const char c : decoded) {
      if (IsSpace(c)) continue;
      position_ = std::min(text_.find_first_not_of(kSpaces, position_), text_.size());
      ESC_RETURN_IF_ERROR(Expect(c));
    }
    return {};
  }

  // Ends with the last line that belongs to the text; blank lines behind it belong to it only when
  // the header says so ("|+").
  void SkipBlockScalar(int indent) {
    bool keep = false;
    std::optional<std::size_t> content;
    for (++position_; position_ < text_.size() && !IsSpace(text_[position_]); ++position_) {
      const char c = text_[position_];
      keep = keep || c == '+';
      if (c >= '1' && c <= '9') {
        content = static_cast<std::size_t>(std::max(indent, 0)) + static_cast<std::size_t>(c - '0');
      }
    }
    const auto least = static_cast<std::size_t>(indent + 1);
    std::size_t line = text_.find('\n', position_);
    while (line != std::string_view::npos && line + 1 < text_.size()) {
      const std::size_t begin = line + 1;
      const std::size_t end = LineEndOf(text_, begin);
      const std::size_t first = std::min(text_.find_first_not_of(' ', begin), text_.size());
      if (first >= end) {
        if (keep) position_ = end;
      } else {
        const std::size_t column = first - begin;
        if (column < content.value_or(least)) break;
        content = content.value_or(column);
        position_ = end;
      }
      line = text_.find('\n', end);
    }
  }

  Status LocateBlockSequence(YamlNode& node) {
    const auto column = static_cast<int>(ColumnOf(text_, position_));
    for (YamlNode& element : node.elements) {
      position_ = SkipTrivia(text_, position_);
      if (!AtIndicator('-')) return Fault();
      ++position_;
      ESC_RETURN_IF_ERROR(Locate(element, column));
    }
    return {};
  }

  Status LocateBlockMap(YamlNode& node) {
    const auto column = static_cast<int>(ColumnOf(text_, position_));
    for (YamlNode::Entry& entry : node.entries) {
      position_ = SkipTrivia(text_, position_);
      ESC_RETURN_IF_ERROR(LocateEntry(entry, column));
      if (!entry.colon && entry.value.kind != YamlNode::Kind::kEmpty) return Fault();
    }
    return {};
  }

  // From the key, or the "?" before it, to the end of the value.
  Status LocateEntry(YamlNode::Entry& entry, int column) {
    entry.begin = position_;
    if (AtIndicator('?')) ++position_;
    ESC_RETURN_IF_ERROR(Locate(entry.key, column));
    const std::size_t next = SkipTrivia(text_, position_);
    if (next < text_.size() && text_[next] == ':') {
      entry.colon = next;
      position_ = next + 1;
    }
    return Locate(entry.value, column);
  }

  Status LocateFlowSequence(YamlNode& node) {
    ESC_RETURN_IF_ERROR(Expect('['));
    for (YamlNode& element : node.elements) {
      ESC_RETURN_IF_ERROR(Locate(element, -1));
      SkipComma();
    }
    position_ = SkipTrivia(text_, position_);
    return Expect(']');
  }

  Status LocateFlowMap(YamlNode& node) {
    const bool braces = At('{');
    if (braces) ++position_;
    for (YamlNode::Entry& entry : node.entries) {
      position_ = SkipTrivia(text_, position_);
      ESC_RETURN_IF_ERROR(LocateEntry(entry, -1));
      if (braces) SkipComma();
    }
    if (!braces) return node.entries.size() == 1 ? Status() : Fault();
    position_ = SkipTrivia(text_, position_);
    return Expect('}');
  }

  void SkipComma() {
    position_ = SkipTrivia(text_, position_);
    if (!At(',')) return;
    position_ = SkipTrivia(text_, position_ + 1);
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

}  // namespace

Status LocateNodes(std::string_view text, YamlNode& root) { return Locator(text).Run(root); }

std::size_t SkipTrivia(std::string_view text, std::size_t position) {
  while (position < text.size()) {
    const char c = text[position];
    if (IsSpace(c)) {
      ++position;
    } else if (c == '#' && (position == 0 || IsSpace(text[position - 1]))) {
      position = LineEndOf(text, position);
    } else {
      break;
    }
  }
  return position;
}

std::size_t ByteOrderMarkSize(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  return text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
}

std::size_t ColumnOf(std::string_view text, std::size_t position) {
  const std::size_t newline =
      position == 0 ? std::string_view::npos : text.rfind('\n', position - 1);
  if (newline != std::string_view::npos) return position - newline - 1;
  return position - std::min(position, ByteOrderMarkSize(text));
}

std::size_t LineEndOf(std::string_view text, std::size_t position) {
  const std::size_t newline = text.find('\n', position);
  if (newline == std::string_view::npos) return text.size();
  return newline > position && text[newline - 1] == '\r' ? newline - 1 : newline;
}

}  // namespace escagent::edit
