#include <optional>
#include <string>

#include "agent/template/function.h"

// eq, ne, lt, le, gt and ge of text/template: numbers of one sort, texts and truth values compare
// with their like; nothing else is ordered, and only with nil are lists and maps compared.
namespace escagent::gotemplate {
namespace {

enum class Basic { kNone, kBool, kInteger, kFloat, kText };

Basic BasicKind(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kBool:
      return Basic::kBool;
    case Value::Kind::kInt:
    case Value::Kind::kInt64:
    case Value::Kind::kUint8:
      return Basic::kInteger;
    case Value::Kind::kFloat64:
      return Basic::kFloat;
    case Value::Kind::kString:
      return Basic::kText;
    default:
      return Basic::kNone;
  }
}

std::unexpected<Error> Incompatible(const Value& a, const Value& b) {
  return InvalidArgument("incompatible types for comparison: " + std::string(a.TypeName()) +
                         " and " + std::string(b.TypeName()));
}

Result<bool> Equal(const Value& a, const Value& b) {
  const Basic kind = BasicKind(a);
  if (kind != BasicKind(b)) {
    if (a.IsNil() || b.IsNil()) return false;
    return Incompatible(a, b);
  }
  switch (kind) {
    case Basic::kBool:
    case Basic::kInteger:
      return a.integer() == b.integer();
    case Basic::kFloat:
      return a.number() == b.number();
    case Basic::kText:
      return a.text() == b.text();
    case Basic::kNone:
      break;
  }
  if (a.IsNil() || b.IsNil()) return a.IsNil() == b.IsNil();
  if (a.kind() != b.kind()) {
    return InvalidArgument("non-comparable types " + std::string(a.TypeName()) + ", " +
                           std::string(b.TypeName()));
  }
  return InvalidArgument("non-comparable type " + std::string(b.TypeName()));
}

Result<bool> Less(const Value& a, const Value& b) {
  const Basic kind = BasicKind(a);
  const Basic other = BasicKind(b);
  if (kind == Basic::kNone || other == Basic::kNone) {
    return InvalidArgument("invalid type for comparison");
  }
  if (kind != other) return Incompatible(a, b);
  switch (kind) {
    case Basic::kInteger:
      return a.integer() < b.integer();
    case Basic::kFloat:
      return a.number() < b.number();
    case Basic::kText:
      return a.text() < b.text();
    default:
      return InvalidArgument("invalid type for comparison");
  }
}

Result<bool> LessOrEqual(const Value& a, const Value& b) {
  ESC_ASSIGN_OR_RETURN(const bool less, Less(a, b));
  if (less) return true;
  return Equal(a, b);
}

Result<Value> Eq(Call& call) {
  if (call.Size() < 2) return InvalidArgument("missing argument for comparison");
  for (const Value& other : call.args.subspan(1)) {
    ESC_ASSIGN_OR_RETURN(const bool equal, Equal(call[0], other));
    if (equal) return Value::Bool(true);
  }
  return Value::Bool(false);
}

Result<Value> Ne(Call& call) {
  ESC_ASSIGN_OR_RETURN(const bool equal, Equal(call[0], call[1]));
  return Value::Bool(!equal);
}

Result<Value> Lt(Call& call) {
  ESC_ASSIGN_OR_RETURN(const bool less, Less(call[0], call[1]));
  return Value::Bool(less);
}

Result<Value> Le(Call& call) {
  ESC_ASSIGN_OR_RETURN(const bool less_or_equal, LessOrEqual(call[0], call[1]));
  return Value::Bool(less_or_equal);
}

Result<Value> Gt(Call& call) {
  ESC_ASSIGN_OR_RETURN(const bool less_or_equal, LessOrEqual(call[0], call[1]));
  return Value::Bool(!less_or_equal);
}

Result<Value> Ge(Call& call) {
  ESC_ASSIGN_OR_RETURN(const bool less, Less(call[0], call[1]));
  return Value::Bool(!less);
}

constexpr Function kComparisonFunctions[] = {
    {"eq", "vv*", Eq}, {"ge", "vv", Ge}, {"gt", "vv", Gt},
    {"le", "vv", Le},  {"lt", "vv", Lt}, {"ne", "vv", Ne},
};

}  // namespace

std::span<const Function> ComparisonFunctions() { return kComparisonFunctions; }

}  // namespace escagent::gotemplate
