#include "esc/eval/expression.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/strings.h"
#include "esc/eval/builtin.h"

namespace escagent::eval {
namespace {

constexpr std::string_view kCallPrefix = "fn::";

// ESC reserves the prefix in any case.
bool HasCallPrefix(std::string_view key) {
  return EqualsIgnoreCase(key.substr(0, kCallPrefix.size()), kCallPrefix);
}

Expression Start(const SyntaxNode& node, Expression::Kind kind) {
  Expression expression;
  expression.kind = kind;
  expression.range = node.range;
  expression.path = node.path;
  return expression;
}

Expression ParseString(const SyntaxNode& node, Diagnostics& diagnostics) {
  auto parts = ParseInterpolation(node, diagnostics);
  if (!parts) return Start(node, Expression::Kind::kInvalid);
  Expression expression = Start(node, Expression::Kind::kString);
  if (parts->empty()) return expression;
  if (parts->size() > 1 || !parts->front().reference.empty()) {
    const bool symbol = parts->size() == 1 && parts->front().text.empty();
    expression.kind = symbol ? Expression::Kind::kSymbol : Expression::Kind::kInterpolation;
    expression.parts = *std::move(parts);
  } else {
    expression.text = std::move(parts->front().text);
  }
  return expression;
}

Expression ParseCall(const SyntaxNode& node, Diagnostics& diagnostics) {
  const SyntaxNode& key = node.entries.front().key;
  const Builtin* builtin = FindBuiltin(key.text);
  if (builtin == nullptr) {
    AddError(diagnostics, key.range, key.path, DescribeUnsupported(key.text));
    return Start(node, Expression::Kind::kInvalid);
  }
  Expression call = Start(node, Expression::Kind::kCall);
  call.builtin = builtin;
  call.elements.push_back(ParseExpression(node.entries.front().value, diagnostics));
  const Expression& argument = call.elements.front();
  if (argument.kind == Expression::Kind::kInvalid) return Start(node, Expression::Kind::kInvalid);
  if (const auto fault = builtin->check(argument)) {
    AddError(diagnostics, argument.range, argument.path, *fault);
    return Start(node, Expression::Kind::kInvalid);
  }
  return call;
}

// The key of an entry with its "$$" replaced; nothing when it holds a reference.
std::optional<std::string> ParseKey(const SyntaxNode& key, Diagnostics& diagnostics) {
  Expression expression = ParseString(key, diagnostics);
  if (expression.kind == Expression::Kind::kString) return std::move(expression.text);
  if (expression.kind != Expression::Kind::kInvalid) {
    AddError(diagnostics, key.range, key.path, "object keys must be strings without references");
  }
  return std::nullopt;
}

Expression ParseObject(const SyntaxNode& node, Diagnostics& diagnostics) {
  if (node.entries.size() == 1 && HasCallPrefix(node.entries.front().key.text)) {
    return ParseCall(node, diagnostics);
  }
  Expression object = Start(node, Expression::Kind::kObject);
  std::unordered_set<std::string> keys;
  for (const SyntaxNode::Entry& entry : node.entries) {
    if (HasCallPrefix(entry.key.text)) {
      AddError(diagnostics, entry.key.range, entry.key.path,
               "illegal call to built-in function: \"" + entry.key.text +
                   "\" must be the only key of its object");
      object.kind = Expression::Kind::kInvalid;
      continue;
    }
    auto key = ParseKey(entry.key, diagnostics);
    Expression value = ParseExpression(entry.value, diagnostics);
    if (!key) continue;
    if (!keys.insert(*key).second) {
      AddError(diagnostics, entry.key.range, entry.key.path, "duplicate key \"" + *key + "\"");
    } else {
      object.members.push_back({.key = *std::move(key), .value = std::move(value)});
    }
  }
  SortMembers(object);
  return object;
}

}  // namespace

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

Expression ParseExpression(const SyntaxNode& node, Diagnostics& diagnostics) {
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
      expression.text = node.text;
      return expression;
    }
    case SyntaxNode::Kind::kString:
      return ParseString(node, diagnostics);
    case SyntaxNode::Kind::kArray: {
      Expression expression = Start(node, Expression::Kind::kArray);
      for (const SyntaxNode& element : node.elements) {
        expression.elements.push_back(ParseExpression(element, diagnostics));
      }
      return expression;
    }
    case SyntaxNode::Kind::kObject:
      return ParseObject(node, diagnostics);
  }
  return Start(node, Expression::Kind::kNull);
}

}  // namespace escagent::eval
