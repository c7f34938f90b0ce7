#include "esc/eval/interpolation.h"

#include <charconv>
#include <string_view>
#include <utility>

#include "esc/eval/text_width.h"

namespace escagent::eval {
namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool EndsName(char c) { return c == '.' || c == '[' || c == '}' || IsSpace(c); }

// Splits one string.
class InterpolationParser {
 public:
  InterpolationParser(const SyntaxNode& node, Diagnostics& diagnostics)
      : node_(node), text_(node.text), diagnostics_(diagnostics) {}

  std::vector<InterpolationPart> Parse() {
    std::vector<InterpolationPart> parts;
    std::string literal;
    while (!AtEnd()) {
      const std::string_view rest = text_.substr(offset_);
      if (rest.starts_with("$$")) {
        literal += '$';
        offset_ += 2;
      } else if (rest.starts_with("${")) {
        offset_ += 2;
        std::vector<Accessor> reference = ParseReference();
        parts.push_back(
            {.text = std::exchange(literal, std::string()), .reference = std::move(reference)});
      } else {
        literal += text_[offset_++];
      }
    }
    if (!literal.empty()) parts.push_back({.text = std::move(literal), .reference = {}});
    return parts;
  }

 private:
  bool AtEnd() const { return offset_ >= text_.size(); }
  char Peek() const { return text_[offset_]; }

  void Fail(std::size_t from, std::string why) {
    AddError(diagnostics_, node_.verbatim ? RangeFrom(from) : node_.range, node_.path,
             std::move(why));
  }

  // From an offset to the current one.
  SourceRange RangeFrom(std::size_t from) const {
    if (!node_.verbatim) return {};
    return {.environment = node_.range.environment,
            .begin = PositionOf(from),
            .end = PositionOf(offset_)};
  }

  // Counts on from the beginning of the accessor, for a string may hold any number of them.
  Position PositionOf(std::size_t offset) const {
    Position position = node_.range.begin;
    position.byte += offset;
    position.column +=
        width_before_ + TextWidth(text_.substr(accessor_start_, offset - accessor_start_));
    return position;
  }

  void StartAccessor() {
    width_before_ += TextWidth(text_.substr(accessor_start_, offset_ - accessor_start_));
    accessor_start_ = offset_;
  }

  // Positioned behind the "${".
  std::vector<Accessor> ParseReference() {
    std::vector<Accessor> accessors;
    while (true) {
      StartAccessor();
      if (AtEnd() || IsSpace(Peek())) {
        Fail(offset_, "missing closing brace '}' in interpolation");
        if (accessors.empty()) accessors.push_back({.key = "", .range = RangeFrom(offset_)});
        return accessors;
      }
      if (Peek() == '}') {
        const std::size_t start = offset_++;
        if (accessors.empty()) accessors.push_back({.key = "", .range = RangeFrom(start)});
        return accessors;
      }
      accessors.push_back(Peek() == '[' ? ParseSubscript(accessors.empty()) : ParseName());
    }
  }

  // "name" or ".name".
  Accessor ParseName() {
    const std::size_t start = offset_;
    if (Peek() == '.') ++offset_;
    std::string name;
    while (!AtEnd() && !EndsName(Peek())) name += text_[offset_++];
    if (name.empty()) Fail(start, "property name must not be empty");
    return {.key = std::move(name), .range = RangeFrom(start)};
  }

  Accessor ParseSubscript(bool first) {
    const std::size_t start = offset_++;
    Accessor accessor;
    if (AtEnd()) {
      accessor.key = "";
    } else if (Peek() == '"') {
      accessor.key = ParseQuoted(start);
    } else {
      accessor.key = ParseIndex(start, first);
    }
    if (AtEnd() || Peek() != ']') {
      Fail(start, "subscript is missing closing bracket ']'");
    } else {
      ++offset_;
    }
    accessor.range = RangeFrom(start);
    return accessor;
  }

  std::string ParseQuoted(std::size_t start) {
    ++offset_;
    std::string name;
    while (!AtEnd()) {
      char c = text_[offset_++];
      if (c == '"') {
        if (name.empty()) Fail(start + 1, "key subscript must not be empty");
        return name;
      }
      if (c == '\\' && !AtEnd() && Peek() == '"') c = text_[offset_++];
      name += c;
    }
    Fail(start + 1, "key subscript is missing closing quote '\"'");
    return name;
  }

  // What is no number stands for a name.
  std::variant<std::string, std::int64_t> ParseIndex(std::size_t start, bool first) {
    const std::size_t begin = offset_;
    while (!AtEnd() && Peek() != ']' && !EndsName(Peek())) ++offset_;
    const std::string_view digits = text_.substr(begin, offset_ - begin);
    std::int64_t index = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (error != std::errc() || end != digits.data() + digits.size()) {
      Fail(start + 1, "numeric subscript must be a positive base-10 integer");
      return std::string(digits);
    }
    if (first) {
      Fail(start,
           "the first accessor must be a property name or key subscript, not a numeric subscript");
    }
    return index;
  }

  const SyntaxNode& node_;
  std::string_view text_;
  std::size_t offset_ = 0;
  std::size_t accessor_start_ = 0;
  int width_before_ = 0;
  Diagnostics& diagnostics_;
};

}  // namespace

std::vector<InterpolationPart> ParseInterpolation(const SyntaxNode& node,
                                                  Diagnostics& diagnostics) {
  return InterpolationParser(node, diagnostics).Parse();
}

}  // namespace escagent::eval
