#include "base/yaml.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/strings.h"
#include "base/yaml_events.h"

namespace escagent {
namespace {

std::string TextOf(const yaml_char_t* text) {
  return text == nullptr ? std::string() : reinterpret_cast<const char*>(text);
}

std::string PlaceOf(const yaml_event_t& event) {
  return " at line " + std::to_string(event.start_mark.line + 1) + ", column " +
         std::to_string(event.start_mark.column + 1) + ": ";
}

// Builds the tree of one document from its events. A YAML::Node is a handle, and assigning to one
// changes the node: handles are made anew here and never assigned to.
class DocumentBuilder {
 public:
  YamlDocument Take() { return {.root = root_.value_or(YAML::Node()), .line = line_}; }

  // INVALID_ARGUMENT for what is refused; the message begins with the place.
  Status Handle(const yaml_event_t& event) {
    switch (event.type) {
      case YAML_ALIAS_EVENT:
        return AddAlias(event);
      case YAML_SCALAR_EVENT:
        return AddScalar(event);
      case YAML_SEQUENCE_START_EVENT:
        return Open(event, YAML::NodeType::Sequence, event.data.sequence_start.anchor);
      case YAML_MAPPING_START_EVENT:
        return Open(event, YAML::NodeType::Map, event.data.mapping_start.anchor);
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT:
        Close();
        return {};
      default:
        return {};
    }
  }

 private:
  // Of a node and what is below it, aliases followed.
  struct Extent {
    std::size_t nodes = 1;
    std::size_t depth = 0;  // of containers in one another
  };
  struct Anchored {
    YAML::Node node;
    Extent extent;
  };
  // A container that is not complete yet.
  struct Frame {
    YAML::Node node;
    Extent extent;
    std::string anchor;
    std::optional<YAML::Node> key;  // of a map: the entry whose value is still missing
  };

  Status AddScalar(const yaml_event_t& event) {
    const auto& scalar = event.data.scalar;
    const std::string text(reinterpret_cast<const char*>(scalar.value), scalar.length);
    const bool plain = scalar.style == YAML_PLAIN_SCALAR_STYLE;
    const bool null = plain && scalar.tag == nullptr && IsYamlNull(text);
    const YAML::Node node = null ? YAML::Node(YAML::NodeType::Null) : YAML::Node(text);
    if (!null) {
      YAML::Node(node).SetTag(scalar.tag != nullptr ? TextOf(scalar.tag) : plain ? "?" : "!");
    }
    Attach(event, node);
    Keep(TextOf(scalar.anchor), node, Extent());
    Count(Extent());
    return {};
  }

  Status AddAlias(const yaml_event_t& event) {
    const auto found = anchors_.find(TextOf(event.data.alias.anchor));
    if (found == anchors_.end()) {
      return InvalidArgument(PlaceOf(event) + "an alias of no anchor before it");
    }
    const auto& [node, extent] = found->second;
    if (AtKey() && extent.depth > 0) return BadKey(event);
    aliased_ += extent.nodes;
    if (aliased_ > kMaxAliasedYamlNodes) {
      return InvalidArgument(PlaceOf(event) + "aliases make it too large");
    }
    if (frames_.size() + extent.depth > kMaxYamlDepth) return TooDeep(event);
    Attach(event, node);
    Count(extent);
    return {};
  }

  bool AtKey() const {
    return !frames_.empty() && frames_.back().node.IsMap() && !frames_.back().key;
  }

  static Status BadKey(const yaml_event_t& event) {
    return InvalidArgument(PlaceOf(event) + "a key that is a list or a map");
  }

  static Status TooDeep(const yaml_event_t& event) {
    return InvalidArgument(PlaceOf(event) + "nested more than " + std::to_string(kMaxYamlDepth) +
                           " deep");
  }

  Status Open(const yaml_event_t& event, YAML::NodeType::value type, const yaml_char_t* anchor) {
    if (frames_.size() >= kMaxYamlDepth) return TooDeep(event);
    if (AtKey()) return BadKey(event);
    Frame frame{.node = YAML::Node(type),
                .extent = {.nodes = 1, .depth = 1},
                .anchor = TextOf(anchor),
                .key = {}};
    // Before it is filled: yaml-cpp copies lists of all nodes below when trees are joined.
    Attach(event, frame.node);
    frames_.push_back(std::move(frame));
    return {};
  }

  void Close() {
    const Frame frame = std::move(frames_.back());
    frames_.pop_back();
    Keep(frame.anchor, frame.node, frame.extent);
    Count(frame.extent);
  }

  void Attach(const yaml_event_t& event, const YAML::Node& node) {
    if (frames_.empty()) {
      root_.emplace(node);
      line_ = static_cast<int>(event.start_mark.line) + 1;
      return;
    }
    Frame& top = frames_.back();
    if (top.node.IsSequence()) {
      top.node.push_back(node);
    } else if (!top.key) {
      top.key.emplace(node);
    } else {
      top.node.force_insert(*top.key, node);
      top.key.reset();
    }
  }

  // From when it is complete, so that no alias is inside of what it stands for.
  void Keep(const std::string& anchor, const YAML::Node& node, const Extent& extent) {
    if (anchor.empty()) return;
    anchors_.erase(anchor);
    anchors_.emplace(anchor, Anchored{node, extent});
  }

  void Count(const Extent& extent) {
    if (frames_.empty()) return;
    Extent& whole = frames_.back().extent;
    whole.nodes += extent.nodes;
    whole.depth = std::max(whole.depth, extent.depth + 1);
  }

  std::vector<Frame> frames_;
  std::map<std::string, Anchored> anchors_;
  std::size_t aliased_ = 0;
  std::optional<YAML::Node> root_;
  int line_ = 1;
};

std::unexpected<Error> Invalid(std::string_view what, const std::string& why) {
  return InvalidArgument("read " + std::string(what) + ": invalid YAML" + why);
}

}  // namespace

Result<YAML::Node> ParseYaml(std::string_view text, std::string_view what) {
  ESC_ASSIGN_OR_RETURN(const std::vector<YamlDocument> documents, ParseYamlStream(text, what));
  if (documents.empty()) return YAML::Node(YAML::NodeType::Null);
  if (documents.size() > 1) {
    return InvalidArgument("read " + std::string(what) + ": more than one YAML document");
  }
  return documents.front().root;
}

Result<std::vector<YamlDocument>> ParseYamlStream(std::string_view text, std::string_view what) {
  if (!IsValidUtf8(text)) {
    return InvalidArgument("read " + std::string(what) + ": not valid UTF-8");
  }
  std::vector<YamlDocument> documents;
  std::optional<DocumentBuilder> builder;
  YamlEvents events(text.substr(ByteOrderMarkSize(text)));
  while (events.Next()) {
    const yaml_event_t& event = events.event();
    if (event.type == YAML_STREAM_END_EVENT) return documents;
    if (event.type == YAML_DOCUMENT_START_EVENT) builder.emplace();
    if (!builder) continue;
    if (const Status handled = builder->Handle(event); !handled) {
      return Invalid(what, handled.error().message);
    }
    if (event.type == YAML_DOCUMENT_END_EVENT) documents.push_back(builder->Take());
  }
  return Invalid(what, events.Problem());
}

}  // namespace escagent
