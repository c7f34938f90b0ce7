#include <algorithm>
#include <string>

#include "agent/template/evaluator.h"

namespace escagent::gotemplate {
namespace {

using Kind = Operand::Kind;

// How many bytes of text are one step.
constexpr std::size_t kBytesPerStep = 64;

bool IsVariadic(const Function& function) { return function.parameters.ends_with('*'); }

// Without the one that is repeated.
std::size_t FixedParameters(const Function& function) {
  return function.parameters.size() - (IsVariadic(function) ? 2 : 0);
}

char ParameterAt(const Function& function, std::size_t index) {
  const std::string_view letters =
      function.parameters.substr(0, FixedParameters(function) + (IsVariadic(function) ? 1 : 0));
  return letters[std::min(index, letters.size() - 1)];
}

bool CanBeNil(char parameter) { return parameter == 'a' || parameter == 'v' || parameter == 'm'; }

// What a call costs: functions take time in proportion to the texts that they are given.
std::size_t CostOf(std::span<const Value> values) {
  std::size_t bytes = 0;
  for (const Value& value : values) bytes += value.IsText() ? value.text().size() : 0;
  return 1 + bytes / kBytesPerStep;
}

}  // namespace

Status Evaluator::CheckCount(const Function& function, std::size_t arguments,
                             bool has_final) const {
  const std::size_t given = arguments + (has_final ? 1 : 0);
  const std::size_t fixed = FixedParameters(function);
  const std::string what = "wrong number of args for " + std::string(function.name) + ": want ";
  if (IsVariadic(function)) {
    if (given >= fixed) return {};
    return Fail(what + "at least " + std::to_string(fixed) + " got " + std::to_string(arguments));
  }
  if (given == fixed) return {};
  return Fail(what + std::to_string(fixed) + " got " + std::to_string(given));
}

Result<Value> Evaluator::EvalFunction(const Value& dot, const Operand& operand, Place call,
                                      std::span<const Operand> arguments, const Final& final) {
  At(&operand);
  const Function* function = FindFunction(operand.source);
  if (function == nullptr) return Fail("\"" + operand.source + "\" is not a defined function");
  ESC_RETURN_IF_ERROR(CheckCount(*function, arguments.size(), final.has_value()));
  // The two whose arguments are evaluated only as far as needed have no body.
  if (function->body == nullptr) {
    return ShortCircuit(dot, function->name == "or", arguments, final);
  }
  std::vector<Value> values;
  for (const Operand& argument : arguments) {
    const char parameter = ParameterAt(*function, values.size());
    ESC_ASSIGN_OR_RETURN(const Value value, EvalArgument(dot, parameter, argument));
    values.push_back(value);
  }
  if (final) {
    ESC_ASSIGN_OR_RETURN(const Value value,
                         Validate(*final, ParameterAt(*function, values.size())));
    values.push_back(value);
  }
  ESC_RETURN_IF_ERROR(Step(CostOf(values)));
  Call context{.args = values, .heap = heap_};
  const Result<Value> result = function->body(context);
  if (!result) {
    At(call);
    return Fail("error calling " + operand.source + ": " + result.error().message,
                result.error().code);
  }
  ESC_RETURN_IF_ERROR(Step());
  return *result;
}

Result<Value> Evaluator::ShortCircuit(const Value& dot, bool stop_at,
                                      std::span<const Operand> arguments, const Final& final) {
  Value value;
  for (const Operand& argument : arguments) {
    ESC_ASSIGN_OR_RETURN(value, EvalArgument(dot, 'v', argument));
    if (value.Truth() == stop_at) return value;
  }
  return final.value_or(value);
}

Result<Value> Evaluator::EvalArgument(const Value& dot, char parameter, const Operand& operand) {
  At(&operand);
  Result<Value> value = dot;
  switch (operand.kind) {
    case Kind::kDot:
      break;
    case Kind::kNil:
      if (CanBeNil(parameter)) return Value();
      return Fail("cannot assign nil to " + std::string(ParameterType(parameter)));
    case Kind::kField:
    case Kind::kVariable:
    case Kind::kChain:
      value = EvalOperandFields(dot, operand, false);
      break;
    case Kind::kPipe:
      value = EvalPipeline(dot, *operand.pipe);
      break;
    case Kind::kIdentifier:
      value = EvalFunction(dot, operand, &operand, {}, std::nullopt);
      break;
    default:
      return EvalLiteral(parameter, operand);
  }
  if (!value) return value;
  return Validate(*value, parameter);
}

// A literal takes the type that the parameter wants, if it can.
Result<Value> Evaluator::EvalLiteral(char parameter, const Operand& operand) {
  std::string_view wanted;
  switch (parameter) {
    case 'b':
      if (operand.kind == Kind::kBool) return Constant(operand);
      wanted = "bool";
      break;
    case 's':
      if (operand.kind == Kind::kString) return Constant(operand);
      wanted = "string";
      break;
    case 'i':
      if (operand.number.integer) return Value::Int(*operand.number.integer);
      wanted = "integer";
      break;
    case 'f':
      if (operand.number.floating) return Value::Float64(*operand.number.floating);
      wanted = "float";
      break;
    case 'm':
      return Fail("can't handle " + Describe(operand) + " for arg of type " +
                  std::string(ParameterType(parameter)));
    default:
      return Constant(operand);
  }
  return Fail("expected " + std::string(wanted) + "; found " + Describe(operand));
}

Result<Value> Evaluator::Validate(const Value& value, char parameter) const {
  if (CanBeNil(parameter) && (value.IsNil() || parameter != 'm')) return value;
  const std::string type(ParameterType(parameter));
  if (value.kind() == Value::Kind::kNil) return Fail("invalid value; expected " + type);
  if (value.TypeName() == type) return value;
  return Fail("wrong type for value; expected " + type + "; got " + std::string(value.TypeName()));
}

}  // namespace escagent::gotemplate
