#include "esc/eval/syntax.h"

#include <algorithm>

#include "base/strings.h"
#include "base/yaml_events.h"
#include "esc/eval/line_index.h"
#include "esc/eval/scalar.h"

// Events are used rather than a document, because the latter forgets which nodes were aliases (and
// an alias inside its own anchor would make it a cycle).

namespace escagent::eval {
namespace {

// Builds the tree of one document from its events.
class TreeBuilder {
 public:
  TreeBuilder(std::string_view text, std::shared_ptr<const std::string> environment,
              Diagnostics& diagnostics)
      : lines_(text), environment_(std::move(environment)), diagnostics_(diagnostics) {}

  std::optional<SyntaxNode> TakeRoot() { return std::move(root_); }
  SourceRange RangeAt(std::size_t byte) const {
    const Position position = lines_.At(byte);
    return {.environment = environment_, .begin = position, .end = position};
  }

  // False when it is too deep to go on.
  bool Handle(const yaml_event_t& event) {
    switch (event.type) {
      case YAML_ALIAS_EVENT:
        AddAlias(event);
        return true;
      case YAML_SCALAR_EVENT:
        AddScalar(event);
        return true;
      case YAML_SEQUENCE_START_EVENT:
        return Open(event, SyntaxNode::Kind::kArray);
      case YAML_MAPPING_START_EVENT:
        return Open(event, SyntaxNode::Kind::kObject);
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT:
        Close();
        return true;
      default:
        return true;
    }
  }

 private:
  // A container that is not complete yet.
  struct Frame {
    SyntaxNode node;
    std::optional<SyntaxNode> key;  // of an object: the entry whose value is still missing
  };

  // libyaml counts lines and columns from 0.
  Position BeginOf(const yaml_event_t& event) const {
    return lines_.At(static_cast<int>(event.start_mark.line) + 1,
                     static_cast<int>(event.start_mark.column) + 1);
  }
  SourceRange PlaceOf(const yaml_event_t& event) const {
    const Position begin = BeginOf(event);
    return {.environment = environment_, .begin = begin, .end = begin};
  }

  void AddAlias(const yaml_event_t& event) {
    SyntaxNode node;
    node.range = PlaceOf(event);
    AddError(diagnostics_, node.range, NextPath(), "alias nodes are not supported");
    Add(std::move(node));
  }

  void AddScalar(const yaml_event_t& event) {
    const auto& scalar = event.data.scalar;
    const std::string_view value(reinterpret_cast<const char*>(scalar.value), scalar.length);
    const std::string_view tag =
        scalar.tag == nullptr ? "" : reinterpret_cast<const char*>(scalar.tag);
    const bool plain = scalar.style == YAML_PLAIN_SCALAR_STYLE;
    const bool as_string = tag.empty() ? !plain : tag == YAML_STR_TAG;
    SyntaxNode node;
    node.verbatim = plain && tag.empty();
    node.range = ScalarRange(BeginOf(event), scalar.style, tag, value);
    Scalar resolved = as_string ? Scalar{.kind = Scalar::Kind::kString, .text = std::string(value)}
                                : ResolvePlainScalar(value);
    switch (resolved.kind) {
      case Scalar::Kind::kNull:
        break;
      case Scalar::Kind::kBool:
        node.kind = SyntaxNode::Kind::kBool;
        node.boolean = resolved.boolean;
        break;
      case Scalar::Kind::kNumber:
        node.kind = SyntaxNode::Kind::kNumber;
        break;
      case Scalar::Kind::kString:
        node.kind = SyntaxNode::Kind::kString;
        break;
      case Scalar::Kind::kNotANumber:
        AddError(diagnostics_, node.range, NextPath(),
                 "infinity and NaN have no JSON form; quote them to get a string");
        break;
    }
    node.text = std::move(resolved.text);
    Add(std::move(node));
  }

  // ESC takes a scalar to end as many columns after its beginning as its value has bytes, whatever
  // quotes or line breaks there are, but for block literals, whose lines it counts, and for tagged
  // plain ones, to whose length it adds the tag.
  SourceRange ScalarRange(const Position& begin, yaml_scalar_style_t style, std::string_view tag,
                          std::string_view value) const {
    int line = begin.line;
    int column = begin.column;
    std::string_view last_line = value;
    if (tag.empty() && style == YAML_LITERAL_SCALAR_STYLE) {
      line += static_cast<int>(std::ranges::count(value, '\n'));
      last_line.remove_prefix(value.rfind('\n') + 1);
    }
    constexpr std::string_view kLongPrefix = "tag:yaml.org,2002:";
    if (tag.starts_with(kLongPrefix)) {
      column += static_cast<int>(tag.size() - kLongPrefix.size()) + 3;  // "!!" and the space
    }
    column += static_cast<int>(last_line.size());
    return {.environment = environment_, .begin = begin, .end = lines_.At(line, column)};
  }

  // The path of the node that comes next.
  std::string NextPath() const {
    if (frames_.empty()) return "";
    const Frame& top = frames_.back();
    if (top.node.kind == SyntaxNode::Kind::kArray) {
      return top.node.path + "[" + std::to_string(top.node.elements.size()) + "]";
    }
    return top.key ? top.key->path : top.node.path;
  }

  // libyaml takes a time that grows with the square of the depth, so nobody reads on beyond it.
  bool Open(const yaml_event_t& event, SyntaxNode::Kind kind) {
    if (frames_.size() >= kMaxNesting) {
      AddError(diagnostics_, PlaceOf(event), NextPath(),
               "nested more than " + std::to_string(kMaxNesting) + " deep");
      return false;
    }
    Frame frame;
    frame.node.kind = kind;
    frame.node.range = PlaceOf(event);
    frame.node.path = NextPath();
    frames_.push_back(std::move(frame));
    return true;
  }

  void Close() {
    SyntaxNode node = std::move(frames_.back().node);
    frames_.pop_back();
    if (!node.elements.empty()) node.range.end = node.elements.back().range.end;
    if (!node.entries.empty()) node.range.end = node.entries.back().value.range.end;
    Add(std::move(node));
  }

  void Add(SyntaxNode node) {
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& top = frames_.back();
    if (top.node.kind == SyntaxNode::Kind::kArray) {
      node.path = NextPath();
      top.node.elements.push_back(std::move(node));
    } else if (!top.key) {
      node.path = JoinKey(top.node.path, node.text);
      top.key = std::move(node);
    } else {
      node.path = top.key->path;
      if (top.key->kind == SyntaxNode::Kind::kString) {
        top.node.entries.push_back({.key = *std::move(top.key), .value = std::move(node)});
      } else {
        AddError(diagnostics_, top.key->range, top.key->path, "mapping keys must be strings");
      }
      top.key.reset();
    }
  }

  LineIndex lines_;
  std::shared_ptr<const std::string> environment_;
  Diagnostics& diagnostics_;
  std::vector<Frame> frames_;
  std::optional<SyntaxNode> root_;
};

// What has no place in YAML.
bool IsForbiddenControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7F;
}

// Reports why a text cannot be given to the parser at all.
bool IsReadable(std::string_view text, const TreeBuilder& builder, Diagnostics& diagnostics) {
  const auto refuse = [&](std::size_t byte, std::string why) {
    AddError(diagnostics, builder.RangeAt(byte), "", std::move(why));
    return false;
  };
  if (text.size() > kMaxDefinitionSize) {
    return refuse(0, "the definition is longer than " +
                         std::to_string(kMaxDefinitionSize / (std::size_t{1} << 20)) + " MiB");
  }
  if (!IsValidUtf8(text)) return refuse(0, "the definition is not valid UTF-8");
  const auto control = std::find_if(text.begin(), text.end(), IsForbiddenControl);
  if (control != text.end()) {
    return refuse(static_cast<std::size_t>(control - text.begin()),
                  "control characters are not allowed");
  }
  return true;
}

}  // namespace

std::optional<SyntaxNode> ReadYaml(std::string_view text,
                                   const std::shared_ptr<const std::string>& environment,
                                   Diagnostics& diagnostics) {
  text.remove_prefix(ByteOrderMarkSize(text));
  TreeBuilder builder(text, environment, diagnostics);
  if (!IsReadable(text, builder, diagnostics)) return std::nullopt;
  YamlEvents events(text);
  while (events.Next()) {
    const yaml_event_type_t type = events.event().type;
    if (type == YAML_DOCUMENT_END_EVENT || type == YAML_STREAM_END_EVENT) return builder.TakeRoot();
    if (!builder.Handle(events.event())) return std::nullopt;
  }
  AddError(diagnostics, SourceRange(), "", events.Fault());
  return std::nullopt;
}

}  // namespace escagent::eval
