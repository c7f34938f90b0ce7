#include "esc/eval/scope.h"

#include <utility>

#include "esc/eval/builtin.h"
#include "esc/eval/call.h"

namespace escagent::eval {
namespace {

using Kind = esc::Value::Kind;

NodePtr MakeObject(std::vector<std::pair<std::string, NodePtr>> members,
                   const SourceRange& definition) {
  Node object;
  object.kind = Kind::kObject;
  object.definition = definition;
  for (auto& [key, node] : members) object.members[std::move(key)].node = std::move(node);
  return Seal(std::move(object));
}

NodePtr MakeLiteral(const Expression& expression, Kind kind) {
  Node node;
  node.kind = kind;
  node.boolean = expression.boolean;
  node.definition = expression.range;
  if (kind == Kind::kNumber || kind == Kind::kString) {
    node.text = std::make_shared<const Secret>(std::string_view(expression.text));
  }
  return Seal(std::move(node));
}

}  // namespace

NodePtr Scope::Evaluate() {
  MakeContext();
  EvaluateImports();
  root_ = Declare(definition_.values, base_);
  return Evaluate(root_);
}

void Scope::MakeContext() {
  const EvalOptions& options = session_.options();
  const SourceRange range{.environment = definition_.environment, .begin = {}, .end = {}};
  const auto text = [&](const std::string& value) {
    return MakeString(Secret(std::string_view(value)), /*secret=*/false, range);
  };
  const auto object = [&](std::vector<std::pair<std::string, NodePtr>> members) {
    return MakeObject(std::move(members), range);
  };
  const Identity& identity = options.identity;
  context_ = object(
      {{"pulumi", object({{"user", object({{"id", text(identity.user_id)},
                                           {"login", text(identity.user_login)}})},
                          {"organization", object({{"login", text(identity.organization)}})}})},
       {"currentEnvironment", object({{"name", text(*definition_.environment)}})},
       {"rootEnvironment", object({{"name", text(session_.root_name())}})}});
}

void Scope::EvaluateImports() {
  std::vector<std::pair<std::string, NodePtr>> imports;
  for (const Import& import : definition_.imports) {
    NodePtr value = session_.Import(import.name, import.range, import.path);
    if (!value) continue;
    if (import.merge) base_ = Merge(value, base_, session_.budget());
    imports.emplace_back(import.name, std::move(value));
  }
  imports_ = MakeObject(std::move(imports), definition_.values.range);
}

Cell Scope::Declare(const Expression& expression, const NodePtr& base) {
  Cell cell;
  cell.expression = &expression;
  cell.base = base;
  cell.children.reserve(expression.elements.size() + expression.members.size());
  for (const Expression& element : expression.elements) {
    cell.children.push_back(Declare(element, nullptr));
  }
  for (const Expression::Member& member : expression.members) {
    cell.children.push_back(Declare(member.value, MemberOf(base, member.key)));
  }
  return cell;
}

void Scope::Fail(const Expression& at, std::string why) {
  AddError(session_.diagnostics(), at.range, at.path, std::move(why));
}

NodePtr Scope::Evaluate(Cell& cell) {
  const Expression& expression = *cell.expression;
  if (cell.state == Cell::State::kDone) return cell.value;
  if (cell.state == Cell::State::kEvaluating) {
    Fail(expression, "cyclic reference to " + std::string(expression.PropertyPath()));
    return MakeUnknown(/*secret=*/false, expression.range);
  }
  if (session_.depth() >= kMaxReferenceDepth) {
    Fail(expression,
         "references lead more than " + std::to_string(kMaxReferenceDepth) + " values deep");
    cell.value = MakeUnknown(/*secret=*/false, expression.range);
  } else {
    cell.state = Cell::State::kEvaluating;
    ++session_.depth();
    cell.value = Bound(EvaluateExpression(cell), expression);
    --session_.depth();
  }
  cell.state = Cell::State::kDone;
  return cell.value;
}

NodePtr Scope::Bound(NodePtr value, const Expression& expression) {
  const char* why = nullptr;
  if (session_.budget().IsSpent()) {
    why = "the environment is too large to evaluate";
  } else if (value->weight > kMaxValueSize) {
    why = "the value is larger than 16 MiB";
  } else if (value->depth > kMaxNesting) {
    why = "the value is nested more than 200 deep";
  }
  if (why == nullptr) return value;
  Fail(expression, why);
  return MakeUnknown(value->contains_secret, expression.range);
}

NodePtr Scope::EvaluateExpression(Cell& cell) {
  const Expression& expression = *cell.expression;
  NodePtr value;
  switch (expression.kind) {
    case Expression::Kind::kNull:
      value = MakeNull(expression.range);
      break;
    case Expression::Kind::kBool:
      value = MakeLiteral(expression, Kind::kBool);
      break;
    case Expression::Kind::kNumber:
      value = MakeLiteral(expression, Kind::kNumber);
      break;
    case Expression::Kind::kString:
      value = MakeLiteral(expression, Kind::kString);
      break;
    case Expression::Kind::kInterpolation:
      value = EvaluateInterpolation(expression);
      break;
    case Expression::Kind::kSymbol:
      value = WithDefinition(Access(expression, expression.parts.front().reference),
                             expression.range, session_.budget());
      break;
    case Expression::Kind::kArray:
      value = EvaluateArray(cell);
      break;
    case Expression::Kind::kObject:
      return EvaluateObject(cell);
    case Expression::Kind::kCall: {
      Call call(*this, expression, cell.children.front());
      value = expression.builtin->call(call);
      break;
    }
    case Expression::Kind::kInvalid:
      value = MakeUnknown(/*secret=*/false, expression.range);
      break;
  }
  return Merge(value, cell.base, session_.budget());
}

NodePtr Scope::EvaluateArray(Cell& cell) {
  Node array;
  array.kind = Kind::kArray;
  array.definition = cell.expression->range;
  array.elements.reserve(cell.children.size());
  for (Cell& element : cell.children) array.elements.push_back(Evaluate(element));
  return Seal(std::move(array));
}

NodePtr Scope::EvaluateObject(Cell& cell) {
  Node object;
  object.kind = Kind::kObject;
  object.definition = cell.expression->range;
  for (std::size_t i = 0; i < cell.children.size(); ++i) {
    object.members[cell.expression->members[i].key].node = Evaluate(cell.children[i]);
  }
  // The members merged with theirs already: see Declare.
  Inherit(object, cell.base);
  return Seal(std::move(object));
}

NodePtr Scope::EvaluateInterpolation(const Expression& expression) {
  SecretBuilder text;
  bool secret = false;
  bool unknown = false;
  for (const InterpolationPart& part : expression.parts) {
    text.Append(part.text);
    if (part.reference.empty()) continue;
    const NodePtr value = Access(expression, part.reference);
    secret |= value->contains_secret;
    unknown |= value->contains_unknown;
    if (unknown) continue;
    const auto piece = ToText(*value, kMaxValueSize);
    if (!piece || text.Size() + piece->Size() > kMaxValueSize) {
      Fail(expression, "the string is longer than 16 MiB");
      unknown = true;
      continue;
    }
    text.Append(*piece);
  }
  if (unknown) return MakeUnknown(secret, expression.range);
  session_.budget().Spend(text.Size());
  return MakeString(text.Finish(), secret, expression.range);
}

NodePtr Scope::Access(const Expression& at, Path path) {
  if (const std::string* name = path.front().Name(); name != nullptr) {
    if (*name == "imports") return AccessNode(at, imports_, path.subspan(1));
    if (*name == "context") return AccessNode(at, context_, path.subspan(1));
    if (*name == "environments") return AccessEnvironment(at, path);
  }
  // Objects and arrays on the way are walked, not evaluated, so that their other members may refer
  // to what lies further down.
  Cell* cell = &root_;
  for (; !path.empty(); path = path.subspan(1)) {
    const Expression& receiver = *cell->expression;
    const Accessor& accessor = path.front();
    if (receiver.kind == Expression::Kind::kArray) {
      if (!CheckIndex(at, accessor, cell->children.size())) {
        return MakeUnknown(/*secret=*/false, at.range);
      }
      cell = &cell->children[static_cast<std::size_t>(*accessor.Index())];
    } else if (receiver.kind == Expression::Kind::kObject) {
      if (!CheckName(at, accessor)) return MakeUnknown(/*secret=*/false, at.range);
      const std::size_t member = FindMember(receiver, *accessor.Name());
      if (member == kNoMember) {
        // Asked of the merged object only when its own members do not have it.
        if (cell->base && (cell->base->kind == Kind::kObject || cell->base->unknown)) {
          return AccessNode(at, cell->base, path);
        }
        std::vector<std::string_view> names;
        for (const Expression::Member& other : receiver.members) names.push_back(other.key);
        return FailAccess(
            at, accessor,
            "unknown property \"" + *accessor.Name() + "\"" + DidYouMean(*accessor.Name(), names));
      }
      cell = &cell->children[member];
    } else {
      return AccessNode(at, Evaluate(*cell), path);
    }
  }
  return Evaluate(*cell);
}

NodePtr Scope::AccessNode(const Expression& at, NodePtr node, Path path) {
  for (const Accessor& accessor : path) {
    if (node->unknown) return MakeUnknown(node->secret, at.range);
    if (node->kind == Kind::kArray) {
      if (!CheckIndex(at, accessor, node->elements.size())) {
        return MakeUnknown(/*secret=*/false, at.range);
      }
      node = NodePtr(node->elements[static_cast<std::size_t>(*accessor.Index())]);
    } else if (node->kind == Kind::kObject) {
      if (!CheckName(at, accessor)) return MakeUnknown(/*secret=*/false, at.range);
      NodePtr member = MemberOf(node, *accessor.Name());
      if (!member) {
        std::vector<std::string_view> names;
        for (const auto& [key, other] : node->members) names.push_back(key);
        return FailAccess(
            at, accessor,
            "unknown property \"" + *accessor.Name() + "\"" + DidYouMean(*accessor.Name(), names));
      }
      node = std::move(member);
    } else {
      return FailAccess(at, accessor, "receiver must be an array or an object");
    }
  }
  return node;
}

// ${environments.PROJECT.ENV...} reads another environment without merging it.
NodePtr Scope::AccessEnvironment(const Expression& at, Path path) {
  if (path.size() < 3) {
    return FailAccess(at, path.back(),
                      "a reference to an environment needs its project and its name: "
                      "${environments.project.environment}");
  }
  if (!CheckName(at, path[1]) || !CheckName(at, path[2])) {
    return MakeUnknown(/*secret=*/false, at.range);
  }
  const NodePtr value = session_.Import(*path[1].Name() + "/" + *path[2].Name(), at.range, at.path);
  if (!value) return MakeUnknown(/*secret=*/false, at.range);
  return AccessNode(at, value, path.subspan(3));
}

NodePtr Scope::FailAccess(const Expression& at, const Accessor& accessor, std::string why) {
  AddError(session_.diagnostics(), accessor.range, at.path, std::move(why));
  return MakeUnknown(/*secret=*/false, at.range);
}

bool Scope::CheckIndex(const Expression& at, const Accessor& accessor, std::size_t size) {
  if (accessor.Index() == nullptr) {
    FailAccess(at, accessor, "cannot access an array element using a property name");
  } else if (*accessor.Index() < 0) {
    FailAccess(at, accessor, "array indices must not be negative");
  } else if (std::cmp_greater_equal(*accessor.Index(), size)) {
    FailAccess(at, accessor,
               "array index " + std::to_string(*accessor.Index()) +
                   " out-of-bounds for array of length " + std::to_string(size));
  } else {
    return true;
  }
  return false;
}

bool Scope::CheckName(const Expression& at, const Accessor& accessor) {
  if (accessor.Name() != nullptr) return true;
  FailAccess(at, accessor, "cannot access an object property using an integer index");
  return false;
}

}  // namespace escagent::eval
