#pragma once

#include <span>
#include <string>
#include <string_view>

#include "esc/eval/evaluation.h"
#include "esc/eval/session.h"

namespace escagent::eval {

// What the place that asks for a value does with it. Null: anything.
struct Accept {
  SchemaPtr schema = nullptr;
  // Only rotation looks at it.
  bool rotate_only = false;

  Accept Item(std::size_t index) const;
  Accept Property(const std::string& name) const;
};

// Evaluates one definition. Values are evaluated when they are first needed, so their order in the
// text does not matter, and a value that needs itself is found.
class Scope {
 public:
  // Borrows both.
  Scope(Session& session, EvaluatedEnvironment& environment, bool is_root)
      : session_(session), environment_(environment), is_root_(is_root) {}
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  NodePtr Evaluate();

  // The value of a cell, evaluated at most once.
  NodePtr Evaluate(Cell& cell, const Accept& accept);

  void Fail(const Expression& at, std::string why);
  Session& session() { return session_; }
  const NodePtr& context() const { return context_; }
  std::string_view environment_name() const { return *environment_.definition.environment; }
  // Whether rotators rotate here: in the root only.
  bool rotating() const;
  // Whether the one at this path of the document does.
  bool ShouldRotate(std::string_view path) const;

 private:
  using Path = std::span<const Accessor>;
  // Where to note what each accessor of a path leads to.
  using Targets = std::span<const Cell*>;

  void EvaluateImports();
  void MakeContext();
  void Declare(const Expression& expression, NodePtr base, Cell& cell);
  void ReportRepeatedKeys(const Expression& object);
  void Prepare(Cell& cell);

  NodePtr EvaluateExpression(Cell& cell, const Accept& accept);
  NodePtr EvaluateLiteral(Cell& cell, esc::Value::Kind kind);
  NodePtr EvaluateArray(Cell& cell, const Accept& accept);
  NodePtr EvaluateObject(Cell& cell, const Accept& accept);
  NodePtr EvaluateInterpolation(Cell& cell);
  // Gives an unknown instead of a value that is too large or too deep.
  NodePtr Bound(NodePtr value, const Cell& cell);
  bool IsSkipped(const Accept& accept) const;

  // Follows a reference, in scope_access.cc.
  NodePtr Access(Cell& at, Path path, Targets targets, const Accept& accept);
  NodePtr AccessCells(Cell& at, Path path, Targets targets, const Accept& accept);
  NodePtr AccessNode(const Cell& at, NodePtr node, Path path, Targets targets);
  NodePtr AccessUnknown(const Cell& at, SchemaPtr schema, Path path, Targets targets);
  NodePtr AccessEnvironment(const Cell& at, Path path, Targets targets);
  bool CheckIndex(const Cell& at, const Accessor& accessor, std::size_t size, bool open_ended);
  bool CheckName(const Cell& at, const Accessor& accessor);
  void FailAccess(const Cell& at, const Accessor& accessor, std::string why);
  // Unknown, with every accessor leading nowhere.
  NodePtr Nothing(const Cell& at, Targets targets);

  Session& session_;
  EvaluatedEnvironment& environment_;
  const bool is_root_;
  NodePtr base_;
  NodePtr imports_;
  NodePtr context_;
};

}  // namespace escagent::eval
