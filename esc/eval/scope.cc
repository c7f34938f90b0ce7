#include "esc/eval/scope.h"

#include <algorithm>
#include <utility>

#include "esc/eval/builtin.h"
#include "esc/eval/call.h"

namespace escagent::eval {
namespace {

using Kind = esc::Value::Kind;

// How many values may lie below each other.
constexpr std::size_t kMaxOverrides = 2000;

// The alternative of a schema that says most of its parts, and whether all of it is only for
// rotation.
Accept Union(std::vector<Accept> alternatives) {
  std::erase_if(alternatives, [](const Accept& a) { return !a.schema || a.schema->never; });
  if (alternatives.empty()) return {.schema = NeverSchema()};
  if (alternatives.size() == 1) return alternatives.front();
  Accept all{.schema = nullptr, .rotate_only = true};
  std::vector<SchemaPtr> schemas;
  for (Accept& alternative : alternatives) {
    all.rotate_only &= alternative.rotate_only;
    schemas.push_back(std::move(alternative.schema));
  }
  all.schema = OneOfSchema(std::move(schemas));
  return all;
}

}  // namespace

Accept Accept::Item(std::size_t index) const {
  if (!schema || schema->always || schema->never) return {};
  return {.schema = ItemOf(*schema, index), .rotate_only = rotate_only};
}

Accept Accept::Property(const std::string& name) const {
  if (!schema || schema->always || schema->never) return {};
  std::vector<Accept> alternatives;
  for (const auto* list : {&schema->any_of, &schema->one_of}) {
    for (const SchemaPtr& part : *list) {
      alternatives.push_back(Accept{.schema = part, .rotate_only = rotate_only}.Property(name));
    }
  }
  if (schema->type == "object") {
    const auto at = schema->properties.find(name);
    const bool known = at != schema->properties.end();
    const bool listed =
        known && std::ranges::find(schema->rotate_only, name) != schema->rotate_only.end();
    alternatives.push_back({.schema = known ? at->second : schema->additional_properties,
                            .rotate_only = rotate_only || listed});
  }
  return Union(std::move(alternatives));
}

NodePtr Scope::Evaluate() {
  MakeContext();
  EvaluateImports();
  const Definition& definition = environment_.definition;
  for (const Expression::RefusedKey& reserved : definition.reserved) {
    AddError(session_.diagnostics(), reserved.range, reserved.path,
             "\"" + reserved.key + "\" is a reserved key");
  }
  ReportRepeatedKeys(definition.values);
  Expression& root = environment_.root_expression;
  root.kind = Expression::Kind::kObject;
  Cell& cell = environment_.root;
  cell.expression = &root;
  cell.base = base_;
  cell.children.resize(definition.values.members.size());
  for (std::size_t i = 0; i < cell.children.size(); ++i) {
    const Expression::Member& member = definition.values.members[i];
    Declare(member.value, MemberOf(base_, member.key, member.key_range, session_.evaluation()),
            cell.children[i]);
  }
  return Evaluate(cell, {});
}

void Scope::MakeContext() {
  Evaluation& evaluation = session_.evaluation();
  const Cell* cell = evaluation.AddCell({}, "");
  const auto object_of_name = [&](std::string_view name) {
    std::vector<Node::Member> members;
    members.push_back({.key = "name",
                       .node = FromValue(esc::Value::String(Secret(name)),
                                         /*secret=*/false, cell)});
    return MakeObject(std::move(members), cell);
  };
  const NodePtr given = FromValue(session_.context(), /*secret=*/false, cell);
  std::vector<Node::Member> members;
  for (const Node::Member& member : given->members) {
    if (member.key != "currentEnvironment" && member.key != "rootEnvironment") {
      members.push_back(member);
    }
  }
  members.push_back({.key = "currentEnvironment", .node = object_of_name(environment_name())});
  members.push_back({.key = "rootEnvironment", .node = object_of_name(session_.root_name())});
  context_ = MakeObject(std::move(members), cell);
}

void Scope::EvaluateImports() {
  std::vector<Node::Member> imports;
  for (const Import& import : environment_.definition.imports) {
    NodePtr value = session_.Import(import.name, import.range, import.path);
    if (!value) continue;
    if (import.merge && base_ && value->overrides + base_->overrides >= kMaxOverrides) {
      AddError(session_.diagnostics(), import.range, import.path,
               "more than " + std::to_string(kMaxOverrides) +
                   " values override each other here; import less");
    } else if (import.merge) {
      base_ = Merge(value, base_, session_.evaluation());
    }
    std::erase_if(imports, [&](const Node::Member& other) { return other.key == import.name; });
    imports.push_back({.key = import.name, .node = std::move(value)});
  }
  imports_ = MakeObject(std::move(imports), session_.evaluation().AddCell({}, ""));
}

void Scope::ReportRepeatedKeys(const Expression& object) {
  for (const Expression::RefusedKey& repeated : object.repeated) {
    AddError(session_.diagnostics(), repeated.range, repeated.path,
             "duplicate key \"" + repeated.key + "\"");
  }
}

void Scope::Declare(const Expression& expression, NodePtr base, Cell& cell) {
  cell.expression = &expression;
  cell.children.resize(expression.elements.size() + expression.members.size());
  if (expression.kind == Expression::Kind::kCall) {
    cell.schema = expression.call->builtin->result();
  }
  ReportRepeatedKeys(expression);
  for (std::size_t i = 0; i < expression.elements.size(); ++i) {
    Declare(expression.elements[i], nullptr, cell.children[i]);
  }
  for (std::size_t i = 0; i < expression.members.size(); ++i) {
    const Expression::Member& member = expression.members[i];
    Declare(member.value, MemberOf(base, member.key, member.key_range, session_.evaluation()),
            cell.children[expression.elements.size() + i]);
  }
  for (const InterpolationPart& part : expression.parts) {
    cell.targets.resize(cell.targets.size() + part.reference.size());
  }
  cell.base = std::move(base);
}

void Scope::Fail(const Expression& at, std::string why) {
  AddError(session_.diagnostics(), at.range, at.path, std::move(why));
}

bool Scope::rotating() const { return is_root_ && session_.options().mode == EvalMode::kRotate; }

bool Scope::ShouldRotate(std::string_view path) const {
  return rotating() && session_.IsRotated(path);
}

// What only rotation looks at is not evaluated when the root is opened, nor in an import: who
// imports something that rotates need not be allowed to open what it is rotated with. Whoever
// checks a definition must be allowed to, lest editing it gives what opening does not.
bool Scope::IsSkipped(const Accept& accept) const {
  return accept.rotate_only && (session_.options().mode == EvalMode::kOpen || !is_root_);
}

NodePtr Scope::Evaluate(Cell& cell, const Accept& accept) {
  const Expression& expression = *cell.expression;
  if (cell.state == Cell::State::kDone) return cell.value;
  if (cell.state == Cell::State::kEvaluating) {
    Fail(expression, "cyclic reference to " + std::string(expression.PropertyPath()));
    return MakeUnknown(&cell, AlwaysSchema());
  }
  if (IsSkipped(accept)) {
    Node skipped;
    skipped.unknown = true;
    skipped.rotate_only = true;
    skipped.definition = session_.evaluation().AddCell({}, "");
    skipped.schema = AlwaysSchema();
    cell.value = Seal(std::move(skipped));
    cell.state = Cell::State::kDone;
    return cell.value;
  }
  if (session_.depth() >= kMaxReferenceDepth) {
    Fail(expression,
         "references lead more than " + std::to_string(kMaxReferenceDepth) + " values deep");
    cell.value = MakeUnknown(&cell, AlwaysSchema());
  } else if (cell.base && cell.base->final) {
    AddDiagnostic(session_.diagnostics(), esc::Diagnostic::Severity::kWarning, expression.range,
                  expression.path, "cannot override final value");
    cell.value = cell.base;
  } else {
    cell.state = Cell::State::kEvaluating;
    ++session_.depth();
    cell.value = Bound(EvaluateExpression(cell, accept), cell);
    --session_.depth();
  }
  cell.state = Cell::State::kDone;
  cell.resolved = true;
  return cell.value;
}

NodePtr Scope::Bound(NodePtr value, const Cell& cell) {
  std::string why;
  if (session_.evaluation().budget.IsSpent()) {
    why = "the environment is too large to evaluate";
  } else if (value->weight > kMaxValueSize) {
    why = "the value is larger than 16 MiB";
  } else if (value->depth > kMaxNesting) {
    why = "the value is nested more than " + std::to_string(kMaxNesting) + " deep";
  } else if (value->overrides > kMaxOverrides) {
    why = "more than " + std::to_string(kMaxOverrides) + " values override each other here";
  } else {
    return value;
  }
  Fail(*cell.expression, std::move(why));
  Node unknown;
  unknown.unknown = true;
  unknown.secret = value->contains_secret;
  unknown.definition = &cell;
  unknown.schema = AlwaysSchema();
  return Seal(std::move(unknown));
}

NodePtr Scope::EvaluateExpression(Cell& cell, const Accept& accept) {
  const Expression& expression = *cell.expression;
  NodePtr value;
  switch (expression.kind) {
    case Expression::Kind::kNull:
      value = EvaluateLiteral(cell, Kind::kNull);
      break;
    case Expression::Kind::kBool:
      value = EvaluateLiteral(cell, Kind::kBool);
      break;
    case Expression::Kind::kNumber:
      value = EvaluateLiteral(cell, Kind::kNumber);
      break;
    case Expression::Kind::kString:
      value = EvaluateLiteral(cell, Kind::kString);
      break;
    case Expression::Kind::kInterpolation:
      value = EvaluateInterpolation(cell);
      break;
    case Expression::Kind::kSymbol:
      value = WithDefinition(Access(cell, expression.parts.front().reference, cell.targets, accept),
                             &cell, session_.evaluation());
      break;
    case Expression::Kind::kArray:
      value = EvaluateArray(cell, accept);
      break;
    case Expression::Kind::kObject:
      return EvaluateObject(cell, accept);
    case Expression::Kind::kCall: {
      Call call(*this, cell);
      value = expression.call->builtin->call(call);
      break;
    }
    case Expression::Kind::kMissing:
      value = MakeUnknown(&cell, AlwaysSchema());
      break;
  }
  if (accept.rotate_only && value->unknown) {
    Node marked = *value;
    marked.rotate_only = true;
    value = Seal(std::move(marked));
  }
  return Merge(value, cell.base, session_.evaluation());
}

NodePtr Scope::EvaluateLiteral(Cell& cell, Kind kind) {
  const Expression& expression = *cell.expression;
  Node node;
  node.kind = kind;
  node.boolean = expression.boolean;
  node.definition = &cell;
  if (kind == Kind::kNumber || kind == Kind::kString) {
    node.text = std::make_shared<const Secret>(std::string_view(expression.text));
  }
  return Seal(std::move(node));
}

NodePtr Scope::EvaluateArray(Cell& cell, const Accept& accept) {
  Node array;
  array.kind = Kind::kArray;
  array.definition = &cell;
  array.elements.reserve(cell.children.size());
  for (std::size_t i = 0; i < cell.children.size(); ++i) {
    array.elements.push_back(Evaluate(cell.children[i], accept.Item(i)));
  }
  return Seal(std::move(array));
}

NodePtr Scope::EvaluateObject(Cell& cell, const Accept& accept) {
  Node object;
  object.kind = Kind::kObject;
  object.definition = &cell;
  // The root is made of the members of another expression.
  const Expression& expression =
      &cell == &environment_.root ? environment_.definition.values : *cell.expression;
  object.members.reserve(cell.children.size());
  for (std::size_t i = 0; i < cell.children.size(); ++i) {
    const std::string& key = expression.members[i].key;
    object.members.push_back(
        {.key = key, .node = Evaluate(cell.children[i], accept.Property(key))});
  }
  // The members were merged with those of the base already: see Declare.
  object.base = cell.base;
  return Seal(std::move(object));
}

NodePtr Scope::EvaluateInterpolation(Cell& cell) {
  const Expression& expression = *cell.expression;
  SecretBuilder text;
  Node node;
  node.kind = Kind::kString;
  node.definition = &cell;
  node.schema = TypeSchema("string");
  Targets targets(cell.targets);
  for (const InterpolationPart& part : expression.parts) {
    text.Append(part.text);
    if (part.reference.empty()) continue;
    const NodePtr value = Access(cell, part.reference, targets.first(part.reference.size()), {});
    targets = targets.subspan(part.reference.size());
    const auto piece = ToText(*value, kMaxValueSize);
    if (!piece || text.Size() + piece->text.Size() > kMaxValueSize) {
      Fail(expression, "the string is longer than 16 MiB");
      node.unknown = true;
      continue;
    }
    node.secret |= piece->secret;
    node.unknown |= piece->unknown;
    if (!piece->unknown) text.Append(piece->text);
  }
  session_.evaluation().budget.Spend(text.Size());
  node.text = std::make_shared<const Secret>(node.unknown ? Secret(std::string_view("[unknown]"))
                                                          : text.Finish());
  return Seal(std::move(node));
}

}  // namespace escagent::eval
