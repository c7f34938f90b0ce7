#include "esc/eval/syntax.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "base/strings.h"
#include "esc/eval/line_index.h"
#include "esc/eval/scalar.h"

// yaml-cpp's events are used rather than its nodes, because nodes forget which of them were aliases
// (and an alias inside its own anchor would make them a cycle).

namespace escagent::eval {
namespace {

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, std::shared_ptr<const std::string> environment,
              Diagnostics& diagnostics)
      : text_(text),
        lines_(text),
        environment_(std::move(environment)),
        diagnostics_(diagnostics) {}

  std::optional<SyntaxNode> TakeRoot() { return std::move(root_); }
  SourceRange RangeAt(std::size_t begin, std::size_t end) const {
    return {.environment = environment_, .begin = lines_.At(begin), .end = lines_.At(end)};
  }
  SourceRange RangeAt(std::size_t byte) const { return RangeAt(byte, byte); }
  SourceRange RangeAt(const YAML::Mark& mark) const { return RangeAt(ByteOf(mark)); }

  // A text that is not YAML. What ESC's reader says of the commonest fault is said in its words:
  // the line is the one above the bracket.
  void ReportFault(const YAML::Exception& fault) {
    const bool list = fault.msg == YAML::ErrorMsg::END_OF_SEQ_FLOW;
    if (!list && fault.msg != YAML::ErrorMsg::END_OF_MAP_FLOW) {
      return AddError(diagnostics_, RangeAt(fault.mark), "", "invalid YAML: " + fault.msg);
    }
    const int line = frames_.empty() ? 0 : frames_.back().node.range.begin.line - 1;
    AddError(diagnostics_, SourceRange(), "",
             "yaml: " + (line > 0 ? "line " + std::to_string(line) + ": " : std::string()) +
                 "did not find expected ',' or " + (list ? "']'" : "'}'"));
  }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    const std::size_t byte = ByteOf(mark);
    SyntaxNode node;
    node.range = IsWrittenNull(byte) ? NullRange(byte) : RangeAt(EndOfTextBefore(byte));
    Add(std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    SyntaxNode node;
    node.range = RangeAt(mark);
    AddError(diagnostics_, node.range, NextPath(), "alias nodes are not supported");
    Add(std::move(node));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    // yaml-cpp's tags for untagged scalars: "?" plain, "!" quoted or block.
    const bool as_string = tag == "!" || tag == "tag:yaml.org,2002:str";
    SyntaxNode node;
    node.verbatim = tag == "?";
    node.range = ScalarRange(mark, tag, value);
    Scalar scalar = as_string ? Scalar{.kind = Scalar::Kind::kString, .text = value}
                              : ResolvePlainScalar(value);
    switch (scalar.kind) {
      case Scalar::Kind::kNull:
        break;
      case Scalar::Kind::kBool:
        node.kind = SyntaxNode::Kind::kBool;
        node.boolean = scalar.boolean;
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
    node.text = std::move(scalar.text);
    Add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    Open(mark, SyntaxNode::Kind::kArray);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    Open(mark, SyntaxNode::Kind::kObject);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapEnd() override { Close(); }

 private:
  // A container that is not complete yet.
  struct Frame {
    SyntaxNode node;
    std::optional<SyntaxNode> key;  // of an object: the entry whose value is still missing
  };

  // A null that is there as a word. yaml-cpp gives the others the position of what comes next.
  bool IsWrittenNull(std::size_t byte) const {
    const std::string_view rest = text_.substr(byte);
    return rest.starts_with('~') || EqualsIgnoreCase(rest.substr(0, 4), "null");
  }

  SourceRange NullRange(std::size_t byte) const {
    const Position begin = lines_.At(byte);
    const int length = text_.substr(byte).starts_with('~') ? 1 : 4;
    return {.environment = environment_,
            .begin = begin,
            .end = lines_.At(begin.line, begin.column + length)};
  }

  // Where a value that is not there would be: behind the ":" or "-". (Comments in between are taken
  // for text.)
  std::size_t EndOfTextBefore(std::size_t byte) const {
    const std::size_t last = text_.substr(0, byte).find_last_not_of(" \t\r\n");
    return last == std::string_view::npos ? byte : last + 1;
  }

  // yaml-cpp counts lines and columns from 0, columns in bytes.
  std::size_t ByteOf(const YAML::Mark& mark) const { return lines_.ByteOf(mark.line, mark.column); }

  // ESC takes a scalar to end as many columns after its beginning as its value has bytes, whatever
  // quotes or line breaks there are, but for block literals, whose lines it counts, and for tagged
  // plain ones, to whose length it adds the tag.
  SourceRange ScalarRange(const YAML::Mark& mark, const std::string& tag,
                          const std::string& value) const {
    const Position begin = lines_.At(ByteOf(mark));
    int line = begin.line;
    int column = begin.column;
    std::string_view last_line = value;
    const bool plain_or_tagged = tag != "!";
    if (!plain_or_tagged && IsLiteralBlock(ByteOf(mark))) {
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

  // Whether the scalar here, behind its anchor, is one of "|".
  bool IsLiteralBlock(std::size_t byte) const {
    if (text_.substr(byte).starts_with('&')) {
      byte = std::min(text_.find_first_of(" \n", byte), text_.size());
      byte = std::min(text_.find_first_not_of(" \n", byte), text_.size());
    }
    return text_.substr(byte).starts_with('|');
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

  void Open(const YAML::Mark& mark, SyntaxNode::Kind kind) {
    if (skipped_ > 0 || frames_.size() >= kMaxNesting) {
      if (skipped_++ == 0) {
        AddError(diagnostics_, RangeAt(mark), NextPath(),
                 "nested more than " + std::to_string(kMaxNesting) + " deep");
      }
      return;
    }
    Frame frame;
    frame.node.kind = kind;
    frame.node.range = RangeAt(mark);
    frame.node.path = NextPath();
    frames_.push_back(std::move(frame));
  }

  void Close() {
    if (skipped_ > 0) {
      if (--skipped_ == 0) {
        SyntaxNode nothing;
        nothing.range.environment = environment_;
        Add(std::move(nothing));
      }
      return;
    }
    SyntaxNode node = std::move(frames_.back().node);
    frames_.pop_back();
    if (!node.elements.empty()) node.range.end = node.elements.back().range.end;
    if (!node.entries.empty()) node.range.end = node.entries.back().value.range.end;
    Add(std::move(node));
  }

  void Add(SyntaxNode node) {
    if (skipped_ > 0) return;
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
      // yaml-cpp has no place for a value that is missing at the end: it is behind the colon.
      const Position& end = top.key->range.end;
      if (node.kind == SyntaxNode::Kind::kNull && node.range.begin.line <= end.line &&
          node.range.begin.column < end.column) {
        node.range.begin = node.range.end = lines_.At(end.line, end.column + 1);
      }
      if (top.key->kind == SyntaxNode::Kind::kString) {
        top.node.entries.push_back({.key = *std::move(top.key), .value = std::move(node)});
      } else {
        AddError(diagnostics_, top.key->range, top.key->path, "mapping keys must be strings");
      }
      top.key.reset();
    }
  }

  std::string_view text_;
  LineIndex lines_;
  std::shared_ptr<const std::string> environment_;
  Diagnostics& diagnostics_;
  std::vector<Frame> frames_;
  std::size_t skipped_ = 0;  // open containers below the deepest allowed
  std::optional<SyntaxNode> root_;
};

// What yaml-cpp would read as the end of the text or as another encoding.
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
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  TreeBuilder builder(text, environment, diagnostics);
  if (!IsReadable(text, builder, diagnostics)) return std::nullopt;
  std::istringstream stream{std::string(text)};
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return std::nullopt;
  } catch (const YAML::Exception& e) {
    // e.msg is one of yaml-cpp's fixed texts; it can quote a tag or an anchor but no scalar.
    builder.ReportFault(e);
    return std::nullopt;
  }
  return builder.TakeRoot();
}

}  // namespace escagent::eval
