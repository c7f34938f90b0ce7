#include "esc/eval/interpolation.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

namespace escagent::eval {
namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool EndsName(char c) { return c == '.' || c == '[' || c == '}' || IsSpace(c); }
bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// Reads one reference of a string node; positioned after its "${".
class ReferenceParser {
 public:
  ReferenceParser(const SyntaxNode& node, std::size_t offset, Diagnostics& diagnostics)
      : node_(node), text_(node.text), offset_(offset), diagnostics_(diagnostics) {}

  // The offset after the closing brace.
  std::size_t offset() const { return offset_; }

  // Nothing when malformed.
  std::optional<std::vector<Accessor>> Parse() {
    const std::size_t start = offset_;
    std::vector<Accessor> accessors;
    while (true) {
      if (AtEnd() || IsSpace(Peek())) {
        return Fail(offset_, "missing closing brace '}' in interpolation");
      }
      if (Peek() == '}') {
        ++offset_;
        break;
      }
      auto accessor = Peek() == '[' ? ParseSubscript(accessors.empty()) : ParseName();
      if (!accessor) return std::nullopt;
      accessors.push_back(*std::move(accessor));
    }
    if (accessors.empty()) return Fail(start, "property access expressions cannot be empty");
    return accessors;
  }

 private:
  bool AtEnd() const { return offset_ >= text_.size(); }
  char Peek() const { return text_[offset_]; }

  std::nullopt_t Fail(std::size_t from, std::string why) {
    AddError(diagnostics_, RangeFrom(from), node_.path, std::move(why));
    return std::nullopt;
  }

  // From an offset to the current one, where the text is in the source as it is; else the node.
  SourceRange RangeFrom(std::size_t from) const {
    if (!node_.verbatim) return node_.range;
    SourceRange range = node_.range;
    range.begin = Advance(node_.range.begin, from);
    range.end = Advance(node_.range.begin, offset_);
    return range;
  }

  Position Advance(Position position, std::size_t bytes) const {
    const std::string_view skipped = text_.substr(0, bytes);
    const auto columns = skipped.size() - static_cast<std::size_t>(std::count_if(
                                              skipped.begin(), skipped.end(), IsContinuation));
    position.column += static_cast<int>(columns);
    position.byte += bytes;
    return position;
  }

  // "name" or ".name".
  std::optional<Accessor> ParseName() {
    const std::size_t start = offset_;
    if (Peek() == '.') ++offset_;
    std::string name;
    while (!AtEnd() && !EndsName(Peek())) name += text_[offset_++];
    if (name.empty()) return Fail(start, "property name must not be empty");
    return Accessor{.key = std::move(name), .range = RangeFrom(start)};
  }

  std::optional<Accessor> ParseSubscript(bool first) {
    const std::size_t start = offset_++;
    Accessor accessor;
    if (!AtEnd() && Peek() == '"') {
      auto name = ParseQuoted();
      if (!name) return std::nullopt;
      accessor.key = *std::move(name);
    } else {
      const auto index = ParseIndex();
      if (!index) return std::nullopt;
      if (first) {
        return Fail(start,
                    "the first accessor must be a property name or key subscript, not a numeric "
                    "subscript");
      }
      accessor.key = *index;
    }
    if (AtEnd() || Peek() != ']') return Fail(start, "subscript is missing closing bracket ']'");
    ++offset_;
    accessor.range = RangeFrom(start);
    return accessor;
  }

  std::optional<std::string> ParseQuoted() {
    const std::size_t start = offset_++;
    std::string name;
    while (!AtEnd()) {
      char c = text_[offset_++];
      if (c == '"') {
        if (name.empty()) return Fail(start, "key subscript must not be empty");
        return name;
      }
      if (c == '\\' && !AtEnd() && Peek() == '"') c = text_[offset_++];
      name += c;
    }
    return Fail(start, "key subscript is missing closing quote '\"'");
  }

  std::optional<std::int64_t> ParseIndex() {
    const std::size_t start = offset_;
    while (!AtEnd() && Peek() != ']' && !EndsName(Peek())) ++offset_;
    const std::string_view digits = text_.substr(start, offset_ - start);
    std::int64_t index = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (error != std::errc() || end != digits.data() + digits.size()) {
      return Fail(start, "numeric subscript must be a positive base-10 integer");
    }
    return index;
  }

  const SyntaxNode& node_;
  std::string_view text_;
  std::size_t offset_;
  Diagnostics& diagnostics_;
};

}  // namespace

std::optional<std::vector<InterpolationPart>> ParseInterpolation(const SyntaxNode& node,
                                                                 Diagnostics& diagnostics) {
  const std::string_view text = node.text;
  std::vector<InterpolationPart> parts;
  std::string literal;
  for (std::size_t offset = 0; offset < text.size();) {
    if (text.substr(offset).starts_with("$$")) {
      literal += '$';
      offset += 2;
    } else if (text.substr(offset).starts_with("${")) {
      ReferenceParser parser(node, offset + 2, diagnostics);
      auto reference = parser.Parse();
      if (!reference) return std::nullopt;
      parts.push_back(
          {.text = std::exchange(literal, std::string()), .reference = *std::move(reference)});
      offset = parser.offset();
    } else {
      literal += text[offset++];
    }
  }
  if (!literal.empty()) parts.push_back({.text = std::move(literal), .reference = {}});
  return parts;
}

}  // namespace escagent::eval
