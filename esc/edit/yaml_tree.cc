#include "esc/edit/yaml_tree.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "base/yaml_events.h"
#include "esc/edit/yaml_text.h"

namespace escagent::edit {
namespace {

constexpr const char* kReading = "read environment definition: ";

// The byte of a code point. Asked for places near the last one, as a reader does, it takes a time
// that does not depend on the text's length.
class ByteCounter {
 public:
  explicit ByteCounter(std::string_view text) : text_(text), byte_(ByteOrderMarkSize(text)) {}

  // `index` counts from 0, and does not count the byte order mark of the text.
  std::size_t At(std::size_t index) {
    while (index_ < index && byte_ < text_.size()) {
      do ++byte_;
      while (Continues());
      ++index_;
    }
    while (index_ > index) {
      do --byte_;
      while (Continues());
      --index_;
    }
    return byte_;
  }

 private:
  bool Continues() const {
    return byte_ < text_.size() && (static_cast<unsigned char>(text_[byte_]) & 0xC0U) == 0x80U;
  }

  std::string_view text_;
  std::size_t byte_;
  std::size_t index_ = 0;
};

std::string_view View(const yaml_char_t* text) {
  return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}

// The end of a block scalar, of which libyaml tells where the next token may begin: of its last
// line that is not blank, or of all lines when the header keeps them ("|+").
std::size_t EndOfBlockScalar(std::string_view text, std::size_t begin, std::size_t next) {
  const std::size_t header = std::min(text.find_first_of(" \t#", begin), LineEndOf(text, begin));
  const bool keep = text.substr(begin, header - begin).contains('+');
  std::size_t end = header;
  for (std::size_t line = NextLineOf(text, begin); line < next; line = NextLineOf(text, line)) {
    const std::size_t line_end = std::min(LineEndOf(text, line), next);
    const bool blank = std::min(text.find_first_not_of(' ', line), line_end) == line_end;
    if (keep || !blank) end = line_end;
  }
  return end;
}

// Builds the tree of one document from its events.
class TreeBuilder {
 public:
  explicit TreeBuilder(std::string_view text) : text_(text), bytes_(text) {
    root_.begin = root_.content = root_.end = text.size();
  }

  YamlNode TakeRoot() { return std::move(root_); }

  Status Handle(const yaml_event_t& event) {
    switch (event.type) {
      case YAML_ALIAS_EVENT:
        return Refuse(event, "YAML aliases (*name) are not supported; write the value itself");
      case YAML_SCALAR_EVENT:
        Add(ReadScalar(event));
        return {};
      case YAML_SEQUENCE_START_EVENT: {
        const auto& start = event.data.sequence_start;
        return Open(event, YamlNode::Kind::kSequence, start.tag,
                    start.style == YAML_FLOW_SEQUENCE_STYLE);
      }
      case YAML_MAPPING_START_EVENT: {
        const auto& start = event.data.mapping_start;
        return Open(event, YamlNode::Kind::kMap, start.tag, start.style == YAML_FLOW_MAPPING_STYLE);
      }
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT:
        Close(event);
        return {};
      default:
        return {};
    }
  }

 private:
  // A container that is not complete yet.
  struct Frame {
    YamlNode node;
    bool braces = false;          // a map: in braces
    std::optional<YamlNode> key;  // of a map: the entry whose value is still missing
  };

  YamlNode Start(const yaml_event_t& event, const yaml_char_t* tag) {
    YamlNode node;
    node.begin = node.content = bytes_.At(event.start_mark.index);
    node.tag = View(tag);
    return node;
  }

  // From the tag, the anchor or both of a scalar to what is behind them.
  std::size_t SkipProperties(std::size_t position) const {
    while (position < text_.size() && (text_[position] == '!' || text_[position] == '&')) {
      const bool verbatim = text_.substr(position).starts_with("!<");
      const std::size_t end =
          verbatim ? text_.find('>', position) : text_.find_first_of(" \t\r\n,[]{}", position);
      position = SkipTrivia(text_, std::min(end, text_.size()) + (verbatim ? 1 : 0));
    }
    return position;
  }

  YamlNode ReadScalar(const yaml_event_t& event) {
    const auto& scalar = event.data.scalar;
    const std::string_view value(reinterpret_cast<const char*>(scalar.value), scalar.length);
    YamlNode node = Start(event, scalar.tag);
    node.end = bytes_.At(event.end_mark.index);
    if (scalar.anchor != nullptr || scalar.tag != nullptr) {
      node.content = std::min(SkipProperties(node.begin), node.end);
    }
    node.plain = scalar.style == YAML_PLAIN_SCALAR_STYLE && scalar.tag == nullptr;
    const bool block =
        scalar.style == YAML_LITERAL_SCALAR_STYLE || scalar.style == YAML_FOLDED_SCALAR_STYLE;
    if (block) node.end = EndOfBlockScalar(text_, node.content, node.end);
    if (node.plain && node.begin == node.end) {
      node.kind = YamlNode::Kind::kEmpty;
    } else if (node.plain && IsYamlNull(value)) {
      node.kind = YamlNode::Kind::kNull;
    } else {
      node.kind = YamlNode::Kind::kScalar;
      node.text = Secret(value);
    }
    return node;
  }

  std::unexpected<Error> Refuse(const yaml_event_t& event, std::string_view why) const {
    return FailedPrecondition(
        std::string(kReading) + "line " + std::to_string(event.start_mark.line + 1) + ", column " +
        std::to_string(event.start_mark.column + 1) + ": " + std::string(why));
  }

  Status Open(const yaml_event_t& event, YamlNode::Kind kind, const yaml_char_t* tag, bool flow) {
    if (frames_.size() >= kMaxNesting) {
      return Refuse(event, "nested more than " + std::to_string(kMaxNesting) + " deep");
    }
    Frame frame{.node = Start(event, tag), .braces = false, .key = std::nullopt};
    frame.node.kind = kind;
    frame.node.flow = flow;
    // The event ends with the token that begins the content: a bracket, the "-" or "?" of a first
    // member, or one of no length.
    std::size_t content = bytes_.At(event.end_mark.index);
    const char before = content > frame.node.begin ? text_[content - 1] : '\0';
    if (before != '\0' && std::string_view("[{-?").contains(before)) --content;
    frame.braces = before == '{';
    frame.node.content = content;
    frames_.push_back(std::move(frame));
    return {};
  }

  void Close(const yaml_event_t& event) {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    YamlNode& node = frame.node;
    if (node.kind == YamlNode::Kind::kMap) LocateEntries(node, frame.braces);
    if (node.flow && (frame.braces || node.kind == YamlNode::Kind::kSequence)) {
      node.end = bytes_.At(event.end_mark.index);
    } else if (!node.elements.empty()) {
      node.end = node.elements.back().end;
    } else if (!node.entries.empty()) {
      node.end = node.entries.back().value.end;
    }
    Add(std::move(node));
  }

  // What libyaml does not tell: where the colons are, and the "?" of explicit keys.
  void LocateEntries(YamlNode& map, bool braces) const {
    const auto at = [&](std::size_t position) {
      return position < text_.size() ? text_[position] : '\0';
    };
    std::size_t position = map.content + (braces ? 1 : 0);
    for (YamlNode::Entry& entry : map.entries) {
      position = SkipTrivia(text_, position);
      if (map.flow && at(position) == ',') position = SkipTrivia(text_, position + 1);
      // A "?" that is not an indicator is the begin of the key, too.
      entry.begin = at(position) == '?' ? position : entry.key.begin;
      const std::size_t next = SkipTrivia(text_, entry.key.end);
      YamlNode& value = entry.value;
      // A colon behind an empty value is of another entry.
      if (at(next) == ':' && value.begin > next) entry.colon = next;
      if (value.kind == YamlNode::Kind::kEmpty) {
        value.begin = value.content = value.end = entry.colon ? next + 1 : entry.key.end;
      }
      position = value.end;
    }
  }

  void Add(YamlNode node) {
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& top = frames_.back();
    if (top.node.kind == YamlNode::Kind::kSequence) {
      top.node.elements.push_back(std::move(node));
    } else if (!top.key) {
      top.key = std::move(node);
    } else {
      top.node.entries.push_back(
          {.key = *std::move(top.key), .value = std::move(node), .begin = 0, .colon = {}});
      top.key.reset();
    }
  }

  std::string_view text_;
  ByteCounter bytes_;
  std::vector<Frame> frames_;
  YamlNode root_;
};

}  // namespace

bool YamlNode::IsScalar(std::string_view expected) const {
  return kind == Kind::kScalar && text.Equals(expected);
}

Result<YamlNode> ReadYamlTree(std::string_view text) {
  if (text.size() > kMaxTextSize) {
    return FailedPrecondition(std::string(kReading) + "longer than " +
                              std::to_string(kMaxTextSize / (std::size_t{1} << 20)) + " MiB");
  }
  if (!IsValidUtf8(text)) return InvalidArgument(std::string(kReading) + "not valid UTF-8");
  TreeBuilder builder(text);
  YamlEvents events(text.substr(ByteOrderMarkSize(text)));
  while (events.Next()) {
    const yaml_event_type_t type = events.event().type;
    if (type == YAML_DOCUMENT_END_EVENT || type == YAML_STREAM_END_EVENT) return builder.TakeRoot();
    ESC_RETURN_IF_ERROR(builder.Handle(events.event()));
  }
  return InvalidArgument(std::string(kReading) + "invalid YAML" + events.Problem());
}

bool SayTheSame(const YamlNode& a, const YamlNode& b) {
  const auto kind = [](const YamlNode& node) {
    return node.kind == YamlNode::Kind::kEmpty ? YamlNode::Kind::kNull : node.kind;
  };
  if (kind(a) != kind(b) || a.tag != b.tag || a.elements.size() != b.elements.size() ||
      a.entries.size() != b.entries.size()) {
    return false;
  }
  if (a.kind == YamlNode::Kind::kScalar && (a.plain != b.plain || !a.text.Equals(b.text))) {
    return false;
  }
  return std::ranges::equal(a.elements, b.elements, SayTheSame) &&
         std::ranges::equal(a.entries, b.entries,
                            [](const YamlNode::Entry& x, const YamlNode::Entry& y) {
                              return SayTheSame(x.key, y.key) && SayTheSame(x.value, y.value);
                            });
}

}  // namespace escagent::edit
