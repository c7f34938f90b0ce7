#include "agent/template/evaluator.h"

#include <algorithm>
#include <ranges>

#include "agent/template/quote.h"

namespace escagent::gotemplate {
namespace {

using Kind = Operand::Kind;

std::size_t PositionOf(const Evaluator::Place& place) {
  return std::visit(
      [](const auto& node) -> std::size_t {
        if constexpr (std::is_same_v<std::decay_t<decltype(node)>, std::monostate>) {
          return 0;
        } else {
          return node->position;
        }
      },
      place);
}

std::string DescribePlace(const Evaluator::Place& place) {
  return std::visit(
      [](const auto& node) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(node)>, std::monostate>) {
          return {};
        } else {
          return Describe(*node);
        }
      },
      place);
}

}  // namespace

std::string Evaluator::Location(std::size_t position) const {
  const std::string_view before = source_.substr(0, position);
  const std::size_t line = 1 + static_cast<std::size_t>(std::ranges::count(before, '\n'));
  const std::size_t line_end = before.rfind('\n');
  const std::size_t column =
      line_end == std::string_view::npos ? position : position - line_end - 1;
  return std::string(name_) + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::unexpected<Error> Evaluator::Fail(std::string_view cause, Code code) const {
  return MakeError(code, "template: " + Location(PositionOf(place_)) + ": executing " +
                             GoQuote(template_name_) + " at <" + DescribePlace(place_) +
                             ">: " + std::string(cause));
}

Status Evaluator::Step(std::size_t steps) {
  heap_.Spend(steps);
  if (const Status status = heap_.Check(); !status) {
    return Fail(status.error().message, status.error().code);
  }
  return {};
}

Status Evaluator::Enter() {
  if (depth_ >= heap_.limits().max_recursion) {
    return Fail(
        "exceeded maximum template depth (" + std::to_string(heap_.limits().max_recursion) + ")",
        Code::kResourceExhausted);
  }
  ++depth_;
  return {};
}

void Evaluator::SetTop(std::size_t n, const Value& value) {
  variables_[variables_.size() - n].value = value;
}

Status Evaluator::Set(std::string_view name, const Value& value) {
  for (Variable& variable : variables_ | std::views::reverse) {
    if (variable.name == name) {
      variable.value = value;
      return {};
    }
  }
  return Fail("undefined variable: " + std::string(name));
}

Result<Value> Evaluator::Lookup(std::string_view name) const {
  for (const Variable& variable : variables_ | std::views::reverse) {
    if (variable.name == name) return variable.value;
  }
  return Fail("undefined variable: " + std::string(name));
}

Evaluator::Frame Evaluator::Swap(Frame frame) {
  std::swap(frame.template_name, template_name_);
  std::swap(frame.variables, variables_);
  return frame;
}

Result<Value> Evaluator::EvalPipeline(const Value& dot, const Pipe& pipe) {
  At(&pipe);
  ESC_RETURN_IF_ERROR(Enter());
  Final value;
  for (const Command& command : pipe.commands) {
    ESC_RETURN_IF_ERROR(Step());
    ESC_ASSIGN_OR_RETURN(value, EvalCommand(dot, command, value));
    if (value->IsNil()) value = Value();
  }
  Leave();
  for (const std::string& variable : pipe.variables) {
    if (pipe.assigns) {
      ESC_RETURN_IF_ERROR(Set(variable, *value));
    } else {
      variables_.push_back({.name = variable, .value = *value});
    }
  }
  return *value;
}

Result<Value> Evaluator::EvalCommand(const Value& dot, const Command& command, const Final& final) {
  const Operand& first = command.operands[0];
  const bool has_arguments = command.operands.size() > 1 || final;
  switch (first.kind) {
    case Kind::kField:
    case Kind::kChain:
    case Kind::kVariable:
      return EvalOperandFields(dot, first, has_arguments);
    case Kind::kIdentifier:
      return EvalFunction(dot, first, &command, std::span(command.operands).subspan(1), final);
    case Kind::kPipe:
      ESC_RETURN_IF_ERROR(NotAFunction(first, has_arguments));
      return EvalPipeline(dot, *first.pipe);
    default:
      break;
  }
  At(&first);
  ESC_RETURN_IF_ERROR(NotAFunction(first, has_arguments));
  if (first.kind == Kind::kDot) return dot;
  if (first.kind == Kind::kNil) return Fail("nil is not a command");
  return Constant(first);
}

Status Evaluator::NotAFunction(const Operand& first, bool has_arguments) const {
  if (has_arguments) return Fail("can't give argument to non-function " + Describe(first));
  return {};
}

Result<Value> Evaluator::Constant(const Operand& operand) {
  At(&operand);
  switch (operand.kind) {
    case Kind::kBool:
      return Value::Bool(operand.source == "true");
    case Kind::kString:
      return Value::Literal(operand.text);
    default:
      break;
  }
  if (operand.number.is_float) return Value::Float64(*operand.number.floating);
  return Value::Int(*operand.number.integer);
}

// A field, a chain or a variable.
Result<Value> Evaluator::EvalOperandFields(const Value& dot, const Operand& operand,
                                           bool has_arguments) {
  At(&operand);
  const std::span<const std::string> names = operand.names;
  if (operand.kind == Kind::kField) return EvalFields(dot, names, has_arguments);
  if (operand.kind == Kind::kVariable) {
    ESC_ASSIGN_OR_RETURN(const Value value, Lookup(names[0]));
    if (names.size() > 1) return EvalFields(value, names.subspan(1), has_arguments);
    ESC_RETURN_IF_ERROR(NotAFunction(operand, has_arguments));
    return value;
  }
  if (operand.base->kind == Kind::kNil) {
    return Fail("indirection through explicit nil in " + Describe(operand));
  }
  ESC_ASSIGN_OR_RETURN(const Value base, EvalArgument(dot, 'v', *operand.base));
  return EvalFields(base, names, has_arguments);
}

Result<Value> Evaluator::EvalFields(Value receiver, std::span<const std::string> names,
                                    bool has_arguments) {
  std::string_view type = receiver.TypeName();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool last = i + 1 == names.size();
    const bool dynamic = receiver.IsMap() && receiver.map().element == Element::kAny;
    ESC_ASSIGN_OR_RETURN(receiver, EvalField(receiver, type, names[i], has_arguments && last));
    type = dynamic ? "interface {}" : receiver.TypeName();
  }
  return receiver;
}

// `type` is the static type of the receiver.
Result<Value> Evaluator::EvalField(const Value& receiver, std::string_view type,
                                   const std::string& name, bool has_arguments) {
  switch (receiver.kind()) {
    case Value::Kind::kNil:
      return Fail("nil data; no entry for key " + GoQuote(name));
    case Value::Kind::kNilInterface:
      return Fail("nil pointer evaluating interface {}." + name);
    case Value::Kind::kMap: {
      if (has_arguments) return Fail(name + " is not a method but has arguments");
      const auto& items = receiver.map().items;
      const auto found = items.find(name);
      if (found == items.end()) return Fail("map has no entry for key " + GoQuote(name));
      return found->second.IsNil() ? Value::NilInterface() : found->second;
    }
    default:
      return Fail("can't evaluate field " + name + " in type " + std::string(type));
  }
}

}  // namespace escagent::gotemplate
