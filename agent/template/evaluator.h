#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "agent/template/function.h"
#include "agent/template/heap.h"
#include "agent/template/node.h"
#include "agent/template/value.h"
#include "base/result.h"

namespace escagent::gotemplate {

// Evaluates pipelines: fields, variables, and calls of functions with Go's checks of their
// arguments. Remembers where it is for the text of an error, in the order of Go's executor.
class Evaluator {
 public:
  // All of them outlive the evaluator. `source` is the text of the whole template.
  Evaluator(std::string_view name, std::string_view source, Heap& heap)
      : name_(name), source_(source), template_name_(name), heap_(heap) {}
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  // What an error is at.
  using Place =
      std::variant<std::monostate, const Operand*, const Command*, const Pipe*, const Statement*>;
  void At(Place place) { place_ = place; }
  // "template: NAME:LINE:COLUMN: executing "NAME" at <...>: CAUSE"
  std::unexpected<Error> Fail(std::string_view cause, Code code = Code::kInvalidArgument) const;
  // Counts a step, and fails once a limit of the heap was hit.
  Status Step(std::size_t steps = 1);

  // The value of the pipeline, which also goes to the variables that it declares or assigns to.
  Result<Value> EvalPipeline(const Value& dot, const Pipe& pipe);

  // Variables live from their declaration to the end of their block.
  struct Variable {
    std::string_view name;
    Value value;
  };
  std::size_t Mark() const { return variables_.size(); }
  void Release(std::size_t mark) { variables_.resize(mark); }
  // The nth of those declared last, from 1.
  void SetTop(std::size_t n, const Value& value);
  Status Set(std::string_view name, const Value& value);

  // A template sees the variable $ alone, which is what it was given. Swap back with the result.
  struct Frame {
    std::string_view template_name;
    std::vector<Variable> variables;
  };
  Frame Swap(Frame frame);

  // Evaluations inside each other are bounded, for the sake of the stack.
  Status Enter();
  void Leave() { --depth_; }

 private:
  // The value that a pipeline hands to its next command.
  using Final = std::optional<Value>;

  std::string Location(std::size_t position) const;

  Result<Value> EvalCommand(const Value& dot, const Command& command, const Final& final);
  Result<Value> EvalOperandFields(const Value& dot, const Operand& operand, bool has_arguments);
  Result<Value> EvalFields(Value receiver, std::span<const std::string> names, bool has_arguments);
  Result<Value> EvalField(const Value& receiver, std::string_view type, const std::string& name,
                          bool has_arguments);
  Result<Value> Constant(const Operand& operand);

  Result<Value> EvalFunction(const Value& dot, const Operand& operand, Place call,
                             std::span<const Operand> arguments, const Final& final);
  Status CheckCount(const Function& function, std::size_t arguments, bool has_final) const;
  Result<Value> ShortCircuit(const Value& dot, bool stop_at, std::span<const Operand> arguments,
                             const Final& final);
  Result<Value> EvalArgument(const Value& dot, char parameter, const Operand& operand);
  Result<Value> EvalLiteral(char parameter, const Operand& operand);
  Result<Value> Validate(const Value& value, char parameter) const;
  Status NotAFunction(const Operand& first, bool has_arguments) const;
  Result<Value> Lookup(std::string_view name) const;

  const std::string_view name_;
  const std::string_view source_;
  std::string_view template_name_;
  Heap& heap_;
  Place place_;
  std::vector<Variable> variables_;
  std::size_t depth_ = 0;
};

}  // namespace escagent::gotemplate
