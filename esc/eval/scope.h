#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "esc/eval/definition.h"
#include "esc/eval/expression.h"
#include "esc/eval/node.h"
#include "esc/eval/session.h"

namespace escagent::eval {

// An expression in the course of its evaluation.
struct Cell {
  enum class State { kWaiting, kEvaluating, kDone };

  const Expression* expression = nullptr;
  NodePtr base;  // what it overrides; null for nothing
  State state = State::kWaiting;
  NodePtr value;
  std::vector<Cell> children;  // as the expression's elements or members
};

// Evaluates one definition. Values are evaluated when they are first needed, so their order in the
// text does not matter, and a value that needs itself is found.
class Scope {
 public:
  // Borrows both.
  Scope(Session& session, const Definition& definition)
      : session_(session), definition_(definition) {}
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  NodePtr Evaluate();

  // The value of a cell, evaluated at most once.
  NodePtr Evaluate(Cell& cell);

  void Fail(const Expression& at, std::string why);
  Session& session() { return session_; }

 private:
  using Path = std::span<const Accessor>;

  void EvaluateImports();
  void MakeContext();
  Cell Declare(const Expression& expression, const NodePtr& base);

  NodePtr EvaluateExpression(Cell& cell);
  NodePtr EvaluateArray(Cell& cell);
  NodePtr EvaluateObject(Cell& cell);
  NodePtr EvaluateInterpolation(const Expression& expression);
  // Gives an unknown instead of a value that is too large or too deep.
  NodePtr Bound(NodePtr value, const Expression& expression);

  // Follows a reference.
  NodePtr Access(const Expression& at, Path path);
  NodePtr AccessNode(const Expression& at, NodePtr node, Path path);
  NodePtr AccessEnvironment(const Expression& at, Path path);
  bool CheckIndex(const Expression& at, const Accessor& accessor, std::size_t size);
  bool CheckName(const Expression& at, const Accessor& accessor);
  NodePtr FailAccess(const Expression& at, const Accessor& accessor, std::string why);

  Session& session_;
  const Definition& definition_;
  NodePtr base_;
  NodePtr imports_;
  NodePtr context_;
  Cell root_;
};

}  // namespace escagent::eval
