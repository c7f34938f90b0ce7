#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "esc/eval/expression.h"
#include "esc/eval/node.h"
#include "esc/eval/scope.h"

namespace escagent::eval {

// One call of a built-in function under way: what the function sees of the evaluator.
class Call {
 public:
  Call(Scope& scope, const Expression& expression, Cell& argument)
      : scope_(scope), expression_(expression), argument_(argument) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // The argument as it was written.
  const Expression& syntax() const { return *argument_.expression; }
  // The argument's value.
  NodePtr Argument() { return scope_.Evaluate(argument_); }
  // The value of an element of the argument, which the function's check found to be an array.
  NodePtr Element(std::size_t index) { return scope_.Evaluate(argument_.children[index]); }
  Decrypter* decrypter() const { return scope_.session().options().decrypter; }
  const SourceRange& range() const { return expression_.range; }
  Budget& budget() { return scope_.session().budget(); }

  // Whether the value can be used as a string. Unknown ones can: the result is unknown too.
  // Otherwise reports what it is instead.
  bool RequireString(const Node& value, const Expression& at) {
    return Require(value, esc::Value::Kind::kString, at);
  }
  bool RequireArray(const Node& value, const Expression& at) {
    return Require(value, esc::Value::Kind::kArray, at);
  }

  // The results: a string, an unknown value, an unknown value after an error.
  NodePtr String(Secret text, bool secret);
  NodePtr Unknown(bool secret) const { return MakeUnknown(secret, expression_.range); }
  NodePtr Fail(std::string why);

 private:
  bool Require(const Node& value, esc::Value::Kind kind, const Expression& at);

  Scope& scope_;
  const Expression& expression_;
  Cell& argument_;
};

}  // namespace escagent::eval
