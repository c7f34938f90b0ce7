#include "esc/eval/schema_checker.h"

#include <algorithm>
#include <utility>

namespace escagent::eval {
namespace {

// Schemas may refer to themselves.
constexpr std::size_t kMaxDepth = 200;

using Kind = esc::Value::Kind;

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

std::string_view TypeName(esc::Value::Kind kind) {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return "boolean";
    case Kind::kNumber:
      return "number";
    case Kind::kString:
      return "string";
    case Kind::kArray:
      return "array";
    case Kind::kObject:
      return "object";
  }
  return "value";
}

SchemaChecker::Place SchemaChecker::Place::Index(std::size_t index) const {
  const std::string step = "[" + std::to_string(index) + "]";
  if (cell->expression->kind == Expression::Kind::kArray && index < cell->children.size()) {
    return {.cell = &cell->children[index], .path = step};
  }
  return {.cell = cell, .path = path + step, .prefix = true};
}

SchemaChecker::Place SchemaChecker::Place::Property(const std::string& name) const {
  if (cell->expression->kind == Expression::Kind::kObject) {
    const std::size_t member = FindMember(*cell->expression, name);
    if (member != kNoMember) return {.cell = &cell->children[member], .path = JoinKey("", name)};
  }
  return {.cell = cell, .path = JoinKey(path, name), .prefix = true};
}

bool SchemaChecker::Check(const Schema& schema, const Schema& accept, const Cell& at) {
  return Check(schema, accept, Place{.cell = &at, .path = ""});
}

bool SchemaChecker::Fail(const Place& at, std::string why) {
  const Expression& expression = *at.cell->expression;
  AddError(diagnostics_, expression.range, expression.path,
           at.prefix ? at.path + ": " + why : std::move(why));
  return false;
}

// A keyword that is not there is like `true`.
bool SchemaChecker::CheckPtr(const SchemaPtr& schema, const SchemaPtr& accept, const Place& at) {
  if (!accept) return true;
  return Check(schema ? *schema : *AlwaysSchema(), *accept, at);
}

template <class CheckOne>
bool SchemaChecker::CheckAny(const std::vector<SchemaPtr>& alternatives, const Place& at,
                             const CheckOne& check) {
  if (alternatives.empty()) return true;
  Diagnostics all;
  bool matched = false;
  for (const SchemaPtr& alternative : alternatives) {
    SchemaChecker checker(budget_, all);
    checker.depth_ = depth_;
    matched |= check(checker, *alternative);
  }
  if (matched) return true;
  for (esc::Diagnostic& diagnostic : all) Append(diagnostics_, std::move(diagnostic));
  return Fail(at, "at least one subschema must match");
}

bool SchemaChecker::Check(const Schema& schema, const Schema& accept, const Place& at) {
  budget_.Spend(64);
  if (accept.always || budget_.IsSpent() || depth_ >= kMaxDepth) return true;
  if (accept.never) return false;
  if (schema.always) return true;
  if (schema.never) return false;
  ++depth_;
  bool ok = accept.target == nullptr || Check(schema, *accept.target, at);
  ok &= schema.target == nullptr || Check(*schema.target, accept, at);
  const auto accepted = [&](SchemaChecker& checker, const Schema& alternative) {
    return checker.Check(alternative, accept, at);
  };
  ok &= CheckAny(schema.any_of, at, accepted);
  ok &= CheckAny(schema.one_of, at, accepted);
  if (!schema.type.empty() && !accept.type.empty() && schema.type != accept.type) {
    ok = Fail(at, "expected " + accept.type + ", got " + schema.type);
  }
  const auto accepts = [&](SchemaChecker& checker, const Schema& alternative) {
    return checker.Check(schema, alternative, at);
  };
  ok &= CheckAny(accept.any_of, at, accepts);
  ok &= CheckAny(accept.one_of, at, accepts);
  if (schema.type == "array") ok &= CheckArray(schema, accept, at);
  if (schema.type == "object") ok &= CheckObject(schema, accept, at);
  --depth_;
  return ok;
}

bool SchemaChecker::CheckArray(const Schema& schema, const Schema& accept, const Place& at) {
  bool ok = true;
  const std::size_t size = std::max(schema.prefix_items.size(), accept.prefix_items.size());
  for (std::size_t i = 0; i < size; ++i) {
    const bool own = i < schema.prefix_items.size();
    const bool accepts = i < accept.prefix_items.size();
    ok &= CheckPtr(own ? schema.prefix_items[i] : schema.items,
                   accepts ? accept.prefix_items[i] : accept.items, at.Index(i));
  }
  if (schema.items && !schema.items->never) ok &= CheckPtr(schema.items, accept.items, at);
  return ok;
}

bool SchemaChecker::CheckObject(const Schema& schema, const Schema& accept, const Place& at) {
  bool ok = true;
  for (const auto& [name, property] : schema.properties) {
    const auto found = accept.properties.find(name);
    ok &= CheckPtr(property,
                   found != accept.properties.end() ? found->second : accept.additional_properties,
                   at.Property(name));
  }
  if (schema.additional_properties) {
    if (schema.additional_properties->never) return ok;
    return CheckPtr(schema.additional_properties, accept.additional_properties, at) && ok;
  }
  const auto require = [&](const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      if (!Contains(schema.required, name)) {
        ok = Fail(at.Property(name), "missing required property");
      }
    }
  };
  require(accept.required);
  for (const auto& [name, names] : accept.dependent_required) {
    if (Contains(schema.required, name)) require(names);
  }
  return ok;
}

}  // namespace escagent::eval
