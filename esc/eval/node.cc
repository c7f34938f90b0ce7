#include "esc/eval/node.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "esc/eval/go_quote.h"

namespace escagent::eval {
namespace {

using Kind = esc::Value::Kind;

// What a node costs beside its text.
constexpr std::size_t kNodeWeight = 16;

std::size_t AddSaturating(std::size_t a, std::size_t b) {
  return a > std::numeric_limits<std::size_t>::max() - b ? std::numeric_limits<std::size_t>::max()
                                                         : a + b;
}

void Include(Node& node, const Node& child) {
  node.contains_secret |= child.contains_secret;
  node.contains_unknown |= child.contains_unknown;
  node.weight = AddSaturating(node.weight, child.weight);
  node.depth = std::max(node.depth, child.depth + 1);
}

// All but the sums over the tree, which Seal() makes.
Node ShallowCopy(const Node& node) {
  Node copy;
  copy.kind = node.kind;
  copy.boolean = node.boolean;
  copy.secret = node.secret;
  copy.unknown = node.unknown;
  copy.sealed = node.sealed;
  copy.over_unknown = node.over_unknown;
  copy.text = node.text;
  copy.elements = node.elements;
  copy.members = node.members;
  copy.definition = node.definition;
  return copy;
}

bool AppendText(const Node& node, std::size_t limit, SecretBuilder& out);

bool AppendQuotedText(const Node& node, std::size_t limit, SecretBuilder& out) {
  const auto text = ToText(node, limit);
  if (!text) return false;
  AppendGoQuoted(text->Reveal(), out);
  return out.Size() <= limit;
}

bool AppendMembersText(const Node& node, std::size_t limit, SecretBuilder& out) {
  bool first = true;
  for (const auto& [key, member] : node.members) {
    if (member.inherited) continue;
    if (!std::exchange(first, false)) out.Append(',');
    AppendGoQuoted(key, out);
    out.Append('=');
    if (!AppendQuotedText(*member.node, limit, out)) return false;
  }
  return true;
}

bool AppendText(const Node& node, std::size_t limit, SecretBuilder& out) {
  switch (node.kind) {
    case Kind::kNull:
      return true;
    case Kind::kBool:
      out.Append(node.boolean ? "true" : "false");
      return true;
    case Kind::kNumber:
    case Kind::kString:
      out.Append(node.Text());
      return out.Size() <= limit;
    case Kind::kArray:
      for (std::size_t i = 0; i < node.elements.size(); ++i) {
        if (i > 0) out.Append(',');
        if (!AppendQuotedText(*node.elements[i], limit, out)) return false;
      }
      return true;
    case Kind::kObject:
      return AppendMembersText(node, limit, out);
  }
  return true;
}

esc::Value ToUnmarkedValue(const Node& node) {
  switch (node.kind) {
    case Kind::kNull:
      return esc::Value::Null();
    case Kind::kBool:
      return esc::Value::Bool(node.boolean);
    case Kind::kNumber:
      return esc::Value::Number(node.text->Clone());
    case Kind::kString:
      return esc::Value::String(node.text->Clone());
    case Kind::kArray: {
      esc::Value::Array elements;
      elements.reserve(node.elements.size());
      for (const NodePtr& element : node.elements) elements.push_back(ToValue(*element));
      return esc::Value::MakeArray(std::move(elements));
    }
    case Kind::kObject: {
      esc::Value::Object members;
      members.reserve(node.members.size());
      for (const auto& [key, member] : node.members) {
        members.emplace_back(key, ToValue(*member.node));
      }
      return esc::Value::MakeObject(std::move(members));
    }
  }
  return esc::Value::Null();
}

// What a copy of a node costs, without its text, which is shared.
std::size_t CostOf(const Node& node) {
  return sizeof(Node) + node.elements.size() * sizeof(NodePtr) + node.members.size() * 96;
}

}  // namespace

NodePtr Seal(Node node) {
  node.contains_secret = node.secret;
  node.contains_unknown = node.unknown;
  node.weight = kNodeWeight + node.Text().size();
  node.depth = 1;
  for (const NodePtr& element : node.elements) Include(node, *element);
  for (const auto& [key, member] : node.members) {
    node.weight = AddSaturating(node.weight, key.size());
    Include(node, *member.node);
  }
  return std::make_shared<const Node>(std::move(node));
}

NodePtr MakeNull(const SourceRange& definition) {
  Node node;
  node.definition = definition;
  return Seal(std::move(node));
}

NodePtr MakeUnknown(bool secret, const SourceRange& definition) {
  Node node;
  node.unknown = true;
  node.secret = secret;
  node.definition = definition;
  return Seal(std::move(node));
}

NodePtr MakeString(Secret text, bool secret, const SourceRange& definition) {
  Node node;
  node.kind = Kind::kString;
  node.text = std::make_shared<const Secret>(std::move(text));
  node.secret = secret;
  node.definition = definition;
  return Seal(std::move(node));
}

NodePtr MemberOf(const NodePtr& below, std::string_view key) {
  if (!below) return nullptr;
  if (below->unknown) return MakeUnknown(below->secret, below->definition);
  const auto at = below->members.find(key);
  if (at != below->members.end()) return at->second.node;
  return below->over_unknown ? MakeUnknown(below->secret, below->definition) : nullptr;
}

void Inherit(Node& object, const NodePtr& base) {
  if (!base || object.sealed) return;
  object.sealed = base->kind != Kind::kObject || base->sealed;
  object.over_unknown = base->unknown || base->over_unknown;
  for (const auto& [key, below] : base->members) {
    object.members.try_emplace(key, Node::Member{.node = below.node, .inherited = true});
  }
}

NodePtr Merge(const NodePtr& top, const NodePtr& base, Budget& budget) {
  if (!base || top == base || top->kind != Kind::kObject || top->sealed) return top;
  budget.Spend(CostOf(*top) + CostOf(*base));
  if (budget.IsSpent()) return top;
  Node merged = ShallowCopy(*top);
  for (auto& [key, member] : merged.members) {
    member.node = Merge(member.node, MemberOf(base, key), budget);
  }
  Inherit(merged, base);
  return Seal(std::move(merged));
}

NodePtr WithDefinition(const NodePtr& node, const SourceRange& definition, Budget& budget) {
  budget.Spend(CostOf(*node));
  if (budget.IsSpent()) return MakeUnknown(node->contains_secret, definition);
  Node copy = ShallowCopy(*node);
  copy.definition = definition;
  return Seal(std::move(copy));
}

esc::Value ToValue(const Node& node) {
  esc::Value value = ToUnmarkedValue(node);
  value.set_unknown(node.unknown);
  value.set_secret(node.secret);
  return value;
}

std::optional<Secret> ToText(const Node& node, std::size_t limit) {
  SecretBuilder out;
  if (!AppendText(node, limit, out)) return std::nullopt;
  return out.Finish();
}

}  // namespace escagent::eval
