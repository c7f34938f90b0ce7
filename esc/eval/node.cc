#include "esc/eval/node.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "esc/eval/evaluation.h"
#include "esc/eval/schema.h"

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
  node.overrides = std::max(node.overrides, child.overrides);
}

// What a copy of a node costs, without its text, which is shared.
std::size_t CostOf(const Node& node) {
  return sizeof(Node) + node.elements.size() * sizeof(NodePtr) + node.members.size() * 64;
}

// Puts the members of the base that are not overridden between the node's own ones.
void Inherit(Node& node) {
  if (!node.base || node.base->kind != Kind::kObject || node.base->unknown) return;
  std::vector<Node::Member> merged;
  merged.reserve(node.members.size() + node.base->members.size());
  auto own = node.members.begin();
  for (const Node::Member& below : node.base->members) {
    while (own != node.members.end() && own->key < below.key) merged.push_back(std::move(*own++));
    if (own != node.members.end() && own->key == below.key) continue;
    merged.push_back({.key = below.key, .node = below.node, .inherited = true});
  }
  std::move(own, node.members.end(), std::back_inserter(merged));
  node.members = std::move(merged);
}

// Whether both stand for the same value: a late access is made anew each time it is needed.
bool Same(const NodePtr& a, const NodePtr& b) {
  if (a == b) return true;
  if (!a || !b || !a->unknown || !b->unknown) return false;
  const Cell::LateAccess* left = a->definition->late.get();
  const Cell::LateAccess* right = b->definition->late.get();
  return left != nullptr && right != nullptr && left->key == right->key &&
         Same(left->receiver, right->receiver);
}

// A copy without its base and what it inherited from it.
Node OwnPart(const Node& node) {
  Node own = node;
  own.base = nullptr;
  std::erase_if(own.members, [](const Node::Member& member) { return member.inherited; });
  return own;
}

// `node`, which lay over `old_base`, over `new_base`, which is the same with something below it.
NodePtr Rebase(const NodePtr& node, const NodePtr& old_base, const NodePtr& new_base,
               Evaluation& evaluation) {
  if (!new_base || old_base == new_base) return node;
  if (Same(node, old_base)) return new_base;
  evaluation.budget.Spend(CostOf(*node) + CostOf(*new_base));
  if (evaluation.budget.IsSpent()) return node;
  Node copy = OwnPart(*node);
  copy.base = new_base;
  if (copy.kind == Kind::kObject) {
    for (Node::Member& member : copy.members) {
      const SourceRange& at = member.node->definition->expression->range;
      const NodePtr below = MemberOf(new_base, member.key, at, evaluation);
      const NodePtr old_below = MemberOf(old_base, member.key, at, evaluation);
      // A late access of the old base is not one of the new base: that one lies below it.
      const bool late = old_below && old_below->definition->late != nullptr;
      member.node = !late && Same(member.node->base, old_below)
                        ? Rebase(member.node, old_below, below, evaluation)
                        : Merge(member.node, below, evaluation);
    }
  }
  return Seal(std::move(copy));
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
      for (const Node::Member& member : node.members) {
        members.emplace_back(member.key, ToValue(*member.node));
      }
      return esc::Value::MakeObject(std::move(members));
    }
  }
  return esc::Value::Null();
}

}  // namespace

const Node::Member* Node::FindMember(std::string_view key) const {
  const auto at = std::ranges::lower_bound(
      members, key, {}, [](const Member& member) { return std::string_view(member.key); });
  return at == members.end() || at->key != key ? nullptr : &*at;
}

bool Node::MayBeObject() const {
  if (!unknown) return kind == Kind::kObject;
  const SchemaPtr of = SchemaOf(*this);
  return of->always || of->type == "object";
}

NodePtr Seal(Node node) {
  if (node.kind == Kind::kObject) {
    std::ranges::sort(node.members, {}, &Node::Member::key);
    Inherit(node);
  }
  node.contains_secret = node.secret;
  node.contains_unknown = node.unknown;
  node.weight = kNodeWeight + node.Text().size();
  node.depth = 1;
  node.overrides = node.base ? node.base->overrides + 1 : 0;
  for (const NodePtr& element : node.elements) Include(node, *element);
  for (const Node::Member& member : node.members) {
    node.weight = AddSaturating(node.weight, member.key.size());
    Include(node, *member.node);
  }
  return std::make_shared<const Node>(std::move(node));
}

NodePtr MakeUnknown(const Cell* definition, SchemaPtr schema) {
  Node node;
  node.unknown = true;
  node.definition = definition;
  node.schema = std::move(schema);
  return Seal(std::move(node));
}

NodePtr MakeString(Secret text, bool secret, const Cell* definition) {
  Node node;
  node.kind = Kind::kString;
  node.text = std::make_shared<const Secret>(std::move(text));
  node.secret = secret;
  node.definition = definition;
  return Seal(std::move(node));
}

NodePtr MakeObject(std::vector<Node::Member> members, const Cell* definition) {
  Node object;
  object.kind = Kind::kObject;
  object.definition = definition;
  object.members = std::move(members);
  return Seal(std::move(object));
}

NodePtr MemberOf(const NodePtr& below, std::string_view key, const SourceRange& at,
                 Evaluation& evaluation) {
  // What an unknown value holds is not known, but what it lies over shows in the traces.
  for (NodePtr node = below; node; node = node->base) {
    if (node->kind == Kind::kObject) {
      if (const Node::Member* member = node->FindMember(key)) return member->node;
      continue;
    }
    if (!node->unknown) return nullptr;
    evaluation.budget.Spend(sizeof(Node) + sizeof(Cell));
    Node late;
    late.unknown = true;
    late.schema = PropertyOf(*SchemaOf(*node), key);
    late.base = MemberOf(node->base, key, at, evaluation);
    late.definition = evaluation.AddLateAccess(at, node, key, late.base);
    return Seal(std::move(late));
  }
  return nullptr;
}

NodePtr Merge(const NodePtr& top, const NodePtr& base, Evaluation& evaluation) {
  // What is imported twice lies over itself in the traces, as ESC has it, but not without end: a
  // ladder of imports would double it with each step.
  constexpr std::size_t kMaxRepeated = 64;
  if (!base || (top == base && top->overrides >= kMaxRepeated)) return top;
  if (top != base && Same(top, base)) return top;
  if (!top->base) return Rebase(top, nullptr, base, evaluation);
  return Rebase(top, top->base, Merge(top->base, base, evaluation), evaluation);
}

NodePtr WithDefinition(const NodePtr& node, const Cell* definition, Evaluation& evaluation) {
  evaluation.budget.Spend(CostOf(*node));
  if (evaluation.budget.IsSpent()) return MakeUnknown(definition, AlwaysSchema());
  Node copy = OwnPart(*node);
  copy.base = node->base;
  copy.rotate_only = false;
  copy.definition = definition;
  return Seal(std::move(copy));
}

NodePtr FromValue(const esc::Value& value, bool secret, const Cell* definition) {
  Node node;
  node.kind = value.kind();
  node.boolean = value.AsBool();
  node.unknown = value.unknown();
  node.secret = secret || value.secret();
  node.definition = definition;
  if (node.kind == Kind::kNumber || node.kind == Kind::kString) {
    node.text = std::make_shared<const Secret>(value.text().Clone());
  }
  for (const esc::Value& element : value.elements()) {
    node.elements.push_back(FromValue(element, secret, definition));
  }
  for (const auto& [key, member] : value.members()) {
    node.members.push_back({.key = key, .node = FromValue(member, secret, definition)});
  }
  return Seal(std::move(node));
}

esc::Value ToValue(const Node& node) {
  esc::Value value = node.unknown ? esc::Value::Null() : ToUnmarkedValue(node);
  value.set_unknown(node.unknown);
  value.set_secret(node.secret);
  return value;
}

}  // namespace escagent::eval
