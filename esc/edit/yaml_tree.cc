#include "esc/edit/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/mark.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/yaml.h"
#include "esc/edit/node_locator.h"

namespace escagent::edit {
namespace {

constexpr std::string_view kWhat = "environment definition";

// Builds the tree, with the begin of each node as yaml-cpp tells it; the rest is the locator's.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, std::size_t offset) : text_(text), offset_(offset) {}

  // FAILED_PRECONDITION when something was met that cannot be edited.
  Result<YamlNode> Take() {
    if (fault_) return FailedPrecondition("read " + std::string(kWhat) + ": " + *fault_);
    std::size_t index = 0;
    if (!begins_.empty()) MarkEmpty(root_, index);
    return std::move(root_);
  }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Add(Start(mark, "", anchor, YamlNode::Kind::kNull));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Refuse(mark, "YAML aliases (*name) are not supported; write the value itself");
    Add(YamlNode());
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node = Start(mark, tag, anchor, YamlNode::Kind::kScalar);
    node.plain = tag == "?";
    node.text = Secret(std::string_view(value));
    Add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    Open(Start(mark, tag, anchor, YamlNode::Kind::kSequence), mark, style);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    Open(Start(mark, tag, anchor, YamlNode::Kind::kMap), mark, style);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapEnd() override { Close(); }

 private:
  // A container that is not complete yet.
  struct Frame {
    YamlNode node;
    std::optional<YamlNode> key;  // of a map: the entry whose value is still missing
  };

  YamlNode Start(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                 YamlNode::Kind kind) {
    if (anchor != 0) {
      Refuse(mark, "YAML anchors (&name) are not supported; remove the anchor");
    }
    YamlNode node;
    node.kind = kind;
    node.begin = offset_ + static_cast<std::size_t>(std::max(mark.pos, 0));
    // yaml-cpp's tags where none is written: "?" plain, "!" quoted or block.
    if (tag != "?" && tag != "!") node.tag = tag;
    begins_.push_back(node.begin);
    return node;
  }

  void Refuse(const YAML::Mark& mark, std::string_view why) {
    if (fault_) return;
    fault_ = "line " + std::to_string(mark.line + 1) + ", column " +
             std::to_string(mark.column + 1) + ": " + std::string(why);
  }

  void Open(YamlNode node, const YAML::Mark& mark, YAML::EmitterStyle::value style) {
    node.flow = style == YAML::EmitterStyle::Flow;
    if (frames_.size() >= kMaxNesting) {
      Refuse(mark, "nested more than " + std::to_string(kMaxNesting) + " deep");
    }
    frames_.push_back({std::move(node), std::nullopt});
  }

  void Close() {
    YamlNode node = std::move(frames_.back().node);
    frames_.pop_back();
    Add(std::move(node));
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

  // yaml-cpp gives a null that is not written the place of whatever comes next. If that is a node,
  // it has the same begin; if not, no such word stands there. `index` is the node's place in the
  // order of the text, which is the order of the events.
  void MarkEmpty(YamlNode& node, std::size_t& index) const {
    ++index;
    if (node.kind == YamlNode::Kind::kNull) {
      const bool word =
          node.begin < text_.size() && std::string_view("~nN").contains(text_[node.begin]);
      const bool shared = index < begins_.size() && begins_[index] == node.begin;
      if (!word || shared) node.kind = YamlNode::Kind::kEmpty;
    }
    for (YamlNode& element : node.elements) MarkEmpty(element, index);
    for (YamlNode::Entry& entry : node.entries) {
      MarkEmpty(entry.key, index);
      MarkEmpty(entry.value, index);
    }
  }

  std::string_view text_;
  const std::size_t offset_;  // of what yaml-cpp reads in the text
  std::vector<Frame> frames_;
  std::vector<std::size_t> begins_;  // of all nodes, in the order of the text
  std::optional<std::string> fault_;
  YamlNode root_;
};

// Characters that YAML 1.1, which ESC reads, takes for line breaks or drops, and yaml-cpp does not.
struct Disputed {
  std::string_view bytes;  // in UTF-8
  std::string_view name;
};
constexpr std::array<Disputed, 4> kDisputed = {{{"\xC2\x85", "\\u0085"},
                                                {"\xE2\x80\xA8", "\\u2028"},
                                                {"\xE2\x80\xA9", "\\u2029"},
                                                {"\xEF\xBB\xBF", "\\uFEFF"}}};

Status CheckDisputed(std::string_view text) {
  for (const auto& [bytes, name] : kDisputed) {
    const std::size_t at = text.find(bytes, ByteOrderMarkSize(text));
    if (at == std::string_view::npos) continue;
    return FailedPrecondition("read " + std::string(kWhat) + ": line " +
                              std::to_string(1 + std::ranges::count(text.substr(0, at), '\n')) +
                              " has a character that readers of YAML understand differently; "
                              "write it as " +
                              std::string(name) + " in double quotes");
  }
  return {};
}

// What yaml-cpp would read as the end of the text or as another encoding, and line ends that it
// does not count.
Status CheckCharacters(std::string_view text) {
  const std::string reading = "read " + std::string(kWhat) + ": ";
  if (text.size() > kMaxTextSize) {
    return FailedPrecondition(reading + "longer than " +
                              std::to_string(kMaxTextSize / (std::size_t{1} << 20)) + " MiB");
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) {
      return FailedPrecondition(reading + "a carriage return without a line feed");
    }
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F) {
      return InvalidArgument(reading + "control characters are not allowed");
    }
  }
  return CheckDisputed(text);
}

}  // namespace

bool YamlNode::IsScalar(std::string_view expected) const {
  return kind == Kind::kScalar && text.Equals(expected);
}

Result<YamlNode> ReadYamlTree(std::string_view text) {
  ESC_RETURN_IF_ERROR(CheckCharacters(text));
  const std::size_t offset = ByteOrderMarkSize(text);
  TreeBuilder builder(text, offset);
  ESC_RETURN_IF_ERROR(ParseYamlEvents(text.substr(offset), kWhat, builder));
  ESC_ASSIGN_OR_RETURN(YamlNode root, builder.Take());
  ESC_RETURN_IF_ERROR(LocateNodes(text, root));
  return root;
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
