#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "esc/eval/evaluator.h"
#include "esc/eval/node.h"
#include "esc/eval/source.h"

namespace escagent::eval {

// How deep references may lead through each other, so that the stack is enough.
inline constexpr std::size_t kMaxReferenceDepth = 400;
inline constexpr std::size_t kMaxImportDepth = 50;
inline constexpr std::size_t kMaxImports = 1000;
// One value, and everything that an evaluation makes on its way.
inline constexpr std::size_t kMaxValueSize = std::size_t{16} << 20;
inline constexpr std::size_t kMaxTotalSize = std::size_t{512} << 20;

// One evaluation: what a definition shares with the definitions it imports.
class Session {
 public:
  explicit Session(const EvalOptions& options) : options_(options), budget_(kMaxTotalSize) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Evaluates the root definition.
  NodePtr EvaluateRoot(std::string_view text);

  // The value of another environment, which is evaluated when it is first asked for. Null, with
  // errors reported, when there is none. `at` and `path` are the place that refers to it.
  NodePtr Import(const std::string& name, const SourceRange& at, std::string_view path);

  const EvalOptions& options() const { return options_; }
  Diagnostics& diagnostics() { return diagnostics_; }
  Budget& budget() { return budget_; }
  // The number of values whose evaluation is under way.
  std::size_t& depth() { return depth_; }
  std::vector<std::string> TakeImported() { return std::move(imported_); }

  // The name of ${context.rootEnvironment.name}: the outermost environment that has a name.
  const std::string& root_name() const { return root_name_; }

 private:
  struct Environment {
    bool evaluating = false;
    NodePtr value;  // null while evaluating, and when it failed
  };

  NodePtr EvaluateText(const std::string& name, std::string_view text, bool is_root);

  const EvalOptions& options_;
  std::string root_name_;
  Diagnostics diagnostics_;
  Budget budget_;
  std::size_t depth_ = 0;
  std::size_t import_depth_ = 0;
  std::map<std::string, Environment> environments_;
  std::vector<std::string> imported_;
};

}  // namespace escagent::eval
