#include <utility>

#include "esc/eval/scope.h"

namespace escagent::eval {
namespace {

using Kind = esc::Value::Kind;

std::string UnknownProperty(const std::string& name, const std::vector<std::string_view>& names) {
  return "unknown property \"" + name + "\"" + DidYouMean(name, names);
}

}  // namespace

NodePtr Scope::Access(Cell& at, Path path, Targets targets, const Accept& accept) {
  if (const std::string* name = path.front().Name(); name != nullptr) {
    const NodePtr* named = *name == "imports"   ? &imports_
                           : *name == "context" ? &context_
                                                : nullptr;
    if (named != nullptr) {
      targets.front() = (*named)->definition;
      return AccessNode(at, *named, path.subspan(1), targets.subspan(1));
    }
    if (*name == "environments") return AccessEnvironment(at, path, targets);
  }
  return AccessCells(at, path, targets, accept);
}

// Objects and arrays on the way are walked, not evaluated, so that their other members may refer to
// what lies further down.
NodePtr Scope::AccessCells(Cell& at, Path path, Targets targets, const Accept& accept) {
  Cell* cell = &environment_.root;
  for (; !path.empty(); path = path.subspan(1), targets = targets.subspan(1)) {
    const bool is_root = cell == &environment_.root;
    const Expression& receiver = is_root ? environment_.definition.values : *cell->expression;
    const Accessor& accessor = path.front();
    if (receiver.kind == Expression::Kind::kArray) {
      if (!CheckIndex(at, accessor, cell->children.size(), false)) return Nothing(at, targets);
      cell = &cell->children[static_cast<std::size_t>(*accessor.Index())];
    } else if (receiver.kind == Expression::Kind::kObject) {
      if (!CheckName(at, accessor)) return Nothing(at, targets);
      const std::size_t member = FindMember(receiver, *accessor.Name());
      if (member == kNoMember) {
        // Asked of what lies below only when its own members do not have it.
        if (cell->base && cell->base->MayBeObject()) {
          return AccessNode(at, cell->base, path, targets);
        }
        std::vector<std::string_view> names;
        for (const Expression::Member& other : receiver.members) names.push_back(other.key);
        FailAccess(at, accessor, UnknownProperty(*accessor.Name(), names));
        return Nothing(at, targets);
      }
      cell = &cell->children[member];
    } else {
      return AccessNode(at, Evaluate(*cell, accept), path, targets);
    }
    targets.front() = cell;
  }
  return Evaluate(*cell, {});
}

NodePtr Scope::AccessNode(const Cell& at, NodePtr node, Path path, Targets targets) {
  for (; !path.empty(); path = path.subspan(1), targets = targets.subspan(1)) {
    const Accessor& accessor = path.front();
    if (node->unknown) return AccessUnknown(at, SchemaOf(*node), path, targets);
    if (node->kind == Kind::kArray) {
      if (!CheckIndex(at, accessor, node->elements.size(), false)) return Nothing(at, targets);
      node = NodePtr(node->elements[static_cast<std::size_t>(*accessor.Index())]);
    } else if (node->kind == Kind::kObject) {
      if (!CheckName(at, accessor)) return Nothing(at, targets);
      const Node::Member* member = node->FindMember(*accessor.Name());
      if (member == nullptr) {
        if (node->base && node->base->MayBeObject()) {
          return AccessNode(at, node->base, path, targets);
        }
        std::vector<std::string_view> names;
        for (const Node::Member& other : node->members) {
          if (!other.inherited) names.push_back(other.key);
        }
        FailAccess(at, accessor, UnknownProperty(*accessor.Name(), names));
        return Nothing(at, targets);
      }
      node = NodePtr(member->node);
    } else {
      FailAccess(at, accessor, "receiver must be an array or an object");
      return Nothing(at, targets);
    }
    targets.front() = node->definition;
  }
  return node;
}

// Of an unknown value only the schema can tell what is there.
NodePtr Scope::AccessUnknown(const Cell& at, SchemaPtr schema, Path path, Targets targets) {
  for (; !path.empty(); path = path.subspan(1), targets = targets.subspan(1)) {
    const Accessor& accessor = path.front();
    if (!schema->always) {
      if (schema->type == "array") {
        const bool open_ended = !schema->items || !schema->items->never;
        if (!CheckIndex(at, accessor, schema->prefix_items.size(), open_ended)) {
          return Nothing(at, targets);
        }
        schema = ItemOf(*schema, static_cast<std::size_t>(*accessor.Index()));
      } else if (schema->type == "object") {
        if (!CheckName(at, accessor)) return Nothing(at, targets);
        schema = PropertyOf(*schema, *accessor.Name());
      } else {
        FailAccess(at, accessor, "receiver must be an array or an object");
        return Nothing(at, targets);
      }
    }
    targets.front() = &at;
  }
  return MakeUnknown(&at, std::move(schema));
}

// ${environments.PROJECT.ENV...} reads another environment without merging it.
NodePtr Scope::AccessEnvironment(const Cell& at, Path path, Targets targets) {
  constexpr std::size_t kNameLength = 3;
  // ESC has no word for a reference that names no environment: its value is unknown.
  if (path.size() < kNameLength) return Nothing(at, targets);
  if (!CheckName(at, path[1]) || !CheckName(at, path[2])) return Nothing(at, targets);
  NodePtr value = session_.Import(*path[1].Name() + "/" + *path[2].Name(), at.expression->range,
                                  at.expression->path);
  if (!value) value = MakeUnknown(session_.evaluation().AddCell({}, ""), AlwaysSchema());
  for (std::size_t i = 0; i + 1 < kNameLength; ++i) targets[i] = &at;
  targets[kNameLength - 1] = value->definition;
  return AccessNode(at, value, path.subspan(kNameLength), targets.subspan(kNameLength));
}

void Scope::FailAccess(const Cell& at, const Accessor& accessor, std::string why) {
  const Expression& expression = *at.expression;
  AddError(session_.diagnostics(), accessor.range.environment ? accessor.range : expression.range,
           expression.path, std::move(why));
}

NodePtr Scope::Nothing(const Cell& at, Targets targets) {
  for (const Cell*& target : targets) target = &at;
  return MakeUnknown(&at, AlwaysSchema());
}

bool Scope::CheckIndex(const Cell& at, const Accessor& accessor, std::size_t size,
                       bool open_ended) {
  if (accessor.Index() == nullptr) {
    FailAccess(at, accessor, "cannot access an array element using a property name");
  } else if (*accessor.Index() < 0) {
    FailAccess(at, accessor, "array indices must not be negative");
  } else if (!open_ended && std::cmp_greater_equal(*accessor.Index(), size)) {
    FailAccess(at, accessor,
               "array index " + std::to_string(*accessor.Index()) +
                   " out-of-bounds for array of length " + std::to_string(size));
  } else {
    return true;
  }
  return false;
}

bool Scope::CheckName(const Cell& at, const Accessor& accessor) {
  if (accessor.Name() != nullptr) return true;
  FailAccess(at, accessor, "cannot access an object property using an integer index");
  return false;
}

}  // namespace escagent::eval
