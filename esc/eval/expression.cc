#include "esc/eval/expression.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "esc/eval/builtin.h"

namespace escagent::eval {
namespace {

constexpr std::string_view kCallPrefix = "fn::";

// Takes the node's place.
Expression Start(SyntaxNode& node, Expression::Kind kind) {
  Expression expression;
  expression.kind = kind;
  expression.range = std::move(node.range);
  expression.path = std::move(node.path);
  return expression;
}

Expression ParseString(SyntaxNode node, Diagnostics& diagnostics) {
  if (!node.text.contains('$')) {
    Expression expression = Start(node, Expression::Kind::kString);
    expression.text = std::move(node.text);
    return expression;
  }
  std::vector<InterpolationPart> parts = ParseInterpolation(node, diagnostics);
  Expression expression = Start(node, Expression::Kind::kString);
  if (parts.empty()) return expression;
  if (parts.size() > 1 || !parts.front().reference.empty()) {
    const bool symbol = parts.size() == 1 && parts.front().text.empty();
    expression.kind = symbol ? Expression::Kind::kSymbol : Expression::Kind::kInterpolation;
    expression.parts = std::move(parts);
  } else {
    expression.text = std::move(parts.front().text);
  }
  return expression;
}

Expression ParseCall(SyntaxNode node, const Builtin& builtin, Diagnostics& diagnostics) {
  SyntaxNode::Entry& entry = node.entries.front();
  Expression call = Start(node, Expression::Kind::kCall);
  call.call = std::make_unique<Expression::CallSyntax>();
  call.call->builtin = &builtin;
  call.call->name = std::move(entry.key.text);
  call.call->name_range = std::move(entry.key.range);
  Expression argument = ParseExpression(std::move(entry.value), diagnostics);
  call.call->argument_range = argument.range;
  builtin.parse(call, std::move(argument), diagnostics);
  return call;
}

// The function that an object calls, or null when it is an object and no more.
const Builtin* CallOf(const SyntaxNode& node, Diagnostics& diagnostics) {
  if (node.entries.size() != 1) {
    for (const SyntaxNode::Entry& entry : node.entries) {
      if (!entry.key.text.starts_with(kCallPrefix)) continue;
      AddError(diagnostics, node.range, node.path,
               "illegal call to builtin function: \"" + entry.key.text +
                   "\" must be the only key within its containing object");
    }
    return nullptr;
  }
  const SyntaxNode& key = node.entries.front().key;
  const Builtin* builtin = FindBuiltin(key.text);
  if (builtin == nullptr &&
      EqualsIgnoreCase(std::string_view(key.text).substr(0, kCallPrefix.size()), kCallPrefix)) {
    AddError(diagnostics, key.range, node.path, "'fn::' is a reserved prefix");
  }
  return builtin;
}

// The key of an entry with its "$$" replaced; nothing when it holds a reference.
std::optional<std::string> ParseKey(const SyntaxNode& key, Diagnostics& diagnostics) {
  if (!key.text.contains('$')) return key.text;
  Expression expression = ParseString(key, diagnostics);
  if (expression.kind == Expression::Kind::kString) return std::move(expression.text);
  AddError(diagnostics, key.range, key.path, "object keys must be strings");
  return std::nullopt;
}

Expression ParseObject(SyntaxNode node, Diagnostics& diagnostics) {
  if (const Builtin* builtin = CallOf(node, diagnostics)) {
    return ParseCall(std::move(node), *builtin, diagnostics);
  }
  Expression object = Start(node, Expression::Kind::kObject);
  object.members.reserve(node.entries.size());
  std::unordered_map<std::string, std::size_t> seen;
  for (SyntaxNode::Entry& entry : node.entries) {
    auto key = ParseKey(entry.key, diagnostics);
    Expression value = ParseExpression(std::move(entry.value), diagnostics);
    if (key) AddMember(object, *std::move(key), std::move(value), entry.key, seen);
  }
  SortMembers(object);
  return object;
}

}  // namespace

Expression::Expression() = default;
Expression::Expression(Expression&&) noexcept = default;
Expression& Expression::operator=(Expression&&) noexcept = default;
Expression::~Expression() = default;

void AddMember(Expression& object, std::string key, Expression value, const SyntaxNode& key_node,
               std::unordered_map<std::string, std::size_t>& seen) {
  const auto [at, added] = seen.emplace(key, object.members.size());
  if (added) {
    object.members.push_back(
        {.key = std::move(key), .value = std::move(value), .key_range = key_node.range});
    return;
  }
  object.members[at->second].key_range = key_node.range;
  object.repeated.push_back(
      {.key = std::move(key), .range = key_node.range, .path = key_node.path});
}

std::string_view Expression::PropertyPath() const {
  std::string_view property = path;
  constexpr std::string_view kRoot = "values";
  if (property.starts_with(kRoot)) property.remove_prefix(kRoot.size());
  if (property.starts_with('.')) property.remove_prefix(1);
  return property;
}

void SortMembers(Expression& object) {
  std::ranges::sort(object.members, {}, &Expression::Member::key);
}

std::size_t FindMember(const Expression& object, std::string_view key) {
  const auto at = std::ranges::lower_bound(
      object.members, key, {}, [](const Expression::Member& m) { return std::string_view(m.key); });
  if (at == object.members.end() || at->key != key) return kNoMember;
  return static_cast<std::size_t>(at - object.members.begin());
}

Expression ParseExpression(SyntaxNode node, Diagnostics& diagnostics) {
  switch (node.kind) {
    case SyntaxNode::Kind::kNull:
      break;
    case SyntaxNode::Kind::kBool: {
      Expression expression = Start(node, Expression::Kind::kBool);
      expression.boolean = node.boolean;
      return expression;
    }
    case SyntaxNode::Kind::kNumber: {
      Expression expression = Start(node, Expression::Kind::kNumber);
      expression.text = std::move(node.text);
      return expression;
    }
    case SyntaxNode::Kind::kString:
      return ParseString(std::move(node), diagnostics);
    case SyntaxNode::Kind::kArray: {
      Expression expression = Start(node, Expression::Kind::kArray);
      expression.elements.reserve(node.elements.size());
      for (SyntaxNode& element : node.elements) {
        expression.elements.push_back(ParseExpression(std::move(element), diagnostics));
      }
      return expression;
    }
    case SyntaxNode::Kind::kObject:
      return ParseObject(std::move(node), diagnostics);
  }
  return Start(node, Expression::Kind::kNull);
}

}  // namespace escagent::eval
