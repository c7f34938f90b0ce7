#include <algorithm>
#include <string>

#include "agent/template/deep.h"
#include "agent/template/function.h"

// sprig's functions on values of any type: defaults, types, flow.
namespace escagent::gotemplate {
namespace {

// Empty is what is not true.
Result<Value> Default(Call& call) { return call.Size() > 1 && call[1].Truth() ? call[1] : call[0]; }

Result<Value> Empty(Call& call) { return Value::Bool(!call[0].Truth()); }

Result<Value> Coalesce(Call& call) {
  const auto found = std::ranges::find_if(call.args, &Value::Truth);
  return found == call.args.end() ? Value() : *found;
}

Result<Value> All(Call& call) { return Value::Bool(std::ranges::all_of(call.args, &Value::Truth)); }
Result<Value> Any(Call& call) { return Value::Bool(std::ranges::any_of(call.args, &Value::Truth)); }

Result<Value> Ternary(Call& call) { return call[2].boolean() ? call[0] : call[1]; }

Result<Value> Fail(Call& call) {
  if (call[0].IsLiteral()) return InvalidArgument(std::string(call.Text(0)));
  return InvalidArgument("its message is not shown, as it is made from values");
}

Result<Value> TypeOf(Call& call) {
  return Value::Text(call[0].IsNil() ? "<nil>" : call[0].TypeName());
}
Result<Value> TypeIs(Call& call) {
  return Value::Bool(call.Text(0) == (call[1].IsNil() ? "<nil>" : call[1].TypeName()));
}
Result<Value> KindOf(Call& call) { return Value::Text(call[0].KindName()); }
Result<Value> KindIs(Call& call) { return Value::Bool(call.Text(0) == call[1].KindName()); }

Result<Value> IsDeepEqual(Call& call) {
  return Value::Bool(DeepEqual(call[0], call[1], call.heap));
}
Result<Value> Copy(Call& call) { return DeepCopy(call[0], call.heap); }

constexpr Function kDefaultFunctions[] = {
    {"all", "a*", All},
    {"any", "a*", Any},
    {"coalesce", "a*", Coalesce},
    {"deepCopy", "a", Copy},
    {"deepEqual", "aa", IsDeepEqual},
    {"default", "aa*", Default},
    {"empty", "a", Empty},
    {"fail", "s", Fail},
    {"kindIs", "sa", KindIs},
    {"kindOf", "a", KindOf},
    {"mustDeepCopy", "a", Copy},
    {"ternary", "aab", Ternary},
    {"typeIs", "sa", TypeIs},
    {"typeIsLike", "sa", TypeIs},
    {"typeOf", "a", TypeOf},
};

}  // namespace

std::span<const Function> DefaultFunctions() { return kDefaultFunctions; }

}  // namespace escagent::gotemplate
