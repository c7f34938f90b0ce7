#include <optional>
#include <utility>

#include "esc/eval/go_quote.h"
#include "esc/eval/node.h"

namespace escagent::eval {
namespace {

using Kind = esc::Value::Kind;

class TextWriter {
 public:
  explicit TextWriter(std::size_t limit) : limit_(limit) {}

  bool secret = false;
  bool unknown = false;

  // False when it is too long.
  bool Append(const Node& node, SecretBuilder& out) {
    secret |= node.secret;
    if (node.unknown) {
      unknown = true;
      out.Append("[unknown]");
      return true;
    }
    switch (node.kind) {
      case Kind::kNull:
        return true;
      case Kind::kBool:
        out.Append(node.boolean ? "true" : "false");
        return true;
      case Kind::kNumber:
      case Kind::kString:
        out.Append(node.Text());
        return out.Size() <= limit_;
      case Kind::kArray:
        return AppendElements(node, out);
      case Kind::kObject:
        return AppendMembers(node, out);
    }
    return true;
  }

 private:
  bool AppendQuoted(const Node& node, SecretBuilder& out) {
    SecretBuilder text;
    if (!Append(node, text)) return false;
    AppendGoQuoted(text.Reveal(), out);
    return out.Size() <= limit_;
  }

  bool AppendElements(const Node& node, SecretBuilder& out) {
    for (std::size_t i = 0; i < node.elements.size(); ++i) {
      if (i > 0) out.Append(',');
      if (!AppendQuoted(*node.elements[i], out)) return false;
    }
    return true;
  }

  bool AppendMembers(const Node& node, SecretBuilder& out) {
    bool first = true;
    for (const Node::Member& member : node.members) {
      if (member.inherited) continue;
      if (!std::exchange(first, false)) out.Append(',');
      AppendGoQuoted(member.key, out);
      out.Append('=');
      if (!AppendQuoted(*member.node, out)) return false;
    }
    return true;
  }

  std::size_t limit_;
};

}  // namespace

std::optional<NodeText> ToText(const Node& node, std::size_t limit) {
  TextWriter writer(limit);
  SecretBuilder out;
  if (!writer.Append(node, out)) return std::nullopt;
  return NodeText{.text = out.Finish(), .secret = writer.secret, .unknown = writer.unknown};
}

}  // namespace escagent::eval
