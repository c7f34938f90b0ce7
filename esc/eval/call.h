#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "esc/eval/evaluation.h"
#include "esc/eval/expression.h"
#include "esc/eval/node.h"
#include "esc/eval/scope.h"

namespace escagent::eval {

// One call of a built-in function under way: what the function sees of the evaluator.
class Call {
 public:
  Call(Scope& scope, Cell& cell) : scope_(scope), cell_(cell) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  const Expression& expression() const { return *cell_.expression; }
  const Expression::CallSyntax& syntax() const { return *cell_.expression->call; }
  // An argument as it was written, by its place in the elements.
  const Expression& Written(std::size_t index) const { return cell_.expression->elements[index]; }
  Cell& cell() { return cell_; }
  Scope& scope() { return scope_; }
  Session& session() { return scope_.session(); }
  const EvalOptions& options() const { return scope_.session().options(); }
  Budget& budget() { return scope_.session().evaluation().budget; }

  // The value of an argument.
  NodePtr Argument(std::size_t index) { return scope_.Evaluate(cell_.children[index], {}); }
  // The same when it fits a schema, which is reported otherwise. What is unknown may fit.
  struct Typed {
    NodePtr value;
    bool fits = false;
  };
  Typed Argument(std::size_t index, const SchemaPtr& schema);

  // The results.
  NodePtr String(Secret text, bool secret);
  NodePtr Unknown(bool secret = false) const;
  // A copy of a value that was handed through, made by this call.
  NodePtr PassOn(const NodePtr& value, bool final);
  // Reports an error at the call; unknown.
  NodePtr Fail(std::string why);

 private:
  Scope& scope_;
  Cell& cell_;
};

}  // namespace escagent::eval
