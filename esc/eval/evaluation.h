#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "esc/eval/definition.h"
#include "esc/eval/expression.h"
#include "esc/eval/node.h"
#include "esc/eval/schema.h"
#include "esc/property_path.h"

namespace escagent::eval {

// One value, and everything that an evaluation makes on its way.
inline constexpr std::size_t kMaxValueSize = std::size_t{16} << 20;
inline constexpr std::size_t kMaxTotalSize = std::size_t{512} << 20;

// An expression in the course of its evaluation.
struct Cell {
  enum class State { kWaiting, kEvaluating, kDone };

  // What a part of an unknown value is: `.key` of it, once it is known.
  struct LateAccess {
    NodePtr receiver;
    std::string key;
  };

  const Expression* expression = nullptr;
  NodePtr base;  // what it overrides; null for nothing
  State state = State::kWaiting;
  // Evaluated, or overruled by a final value; not so for what only rotation evaluates, which has a
  // value but keeps the schema it was declared with.
  bool resolved = false;
  NodePtr value;
  SchemaPtr schema;                  // known before it is evaluated; null for what the literal says
  std::vector<Cell> children;        // as the expression's elements or members
  std::vector<const Cell*> targets;  // of references: what each accessor led to; may be null
  std::unique_ptr<LateAccess> late;
  // Of fn::open and fn::rotate.
  SchemaPtr input_schema;
  SchemaPtr state_schema;
};

// What is known of a cell's value so far.
SchemaPtr SchemaOf(const Cell& cell);

// One environment of an evaluation.
struct EvaluatedEnvironment {
  Definition definition;
  Expression root_expression;  // stands for the whole, which has no place in the text
  Cell root;                   // its children are the values
};

// Everything that the values of an evaluation stand on: the expressions they were made by.
struct Evaluation {
  Evaluation() : budget(kMaxTotalSize) {}
  Evaluation(const Evaluation&) = delete;
  Evaluation& operator=(const Evaluation&) = delete;

  // A cell for an expression that is not in the text.
  const Cell* AddLateAccess(const SourceRange& at, NodePtr receiver, std::string_view key,
                            NodePtr base);
  Cell* AddCell(SourceRange range, std::string path);

  Budget budget;
  std::deque<EvaluatedEnvironment> environments;  // the first one is the root
  NodePtr root;
  NodePtr context;  // of the root
  std::deque<Cell> cells;
  std::deque<Expression> expressions;
  // Roots of schemas whose parts are in use.
  std::vector<SchemaPtr> schemas;
};

// The value at a path below the root, or null.
NodePtr NodeAt(const Evaluation& evaluation, const esc::PropertyPath& path);

}  // namespace escagent::eval
