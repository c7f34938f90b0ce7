#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "esc/eval/evaluation.h"
#include "esc/eval/evaluator.h"

namespace escagent::eval {

// How deep references may lead through each other, so that the stack is enough.
inline constexpr std::size_t kMaxReferenceDepth = 400;
inline constexpr std::size_t kMaxImportDepth = 50;
inline constexpr std::size_t kMaxImports = 1000;

// One evaluation: what a definition shares with the definitions it imports.
class Session {
 public:
  // Borrows both.
  Session(const EvalOptions& options, Evaluation& evaluation);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Evaluates the root definition into the evaluation.
  void EvaluateRoot(std::string_view text);

  // The value of another environment, which is evaluated when it is first asked for. Null, with
  // errors reported, when there is none. `at` and `path` are the place that refers to it.
  NodePtr Import(const std::string& name, const SourceRange& at, std::string_view path);

  const EvalOptions& options() const { return options_; }
  Evaluation& evaluation() { return evaluation_; }
  Diagnostics& diagnostics() { return diagnostics_; }
  std::vector<Rotation>& rotations() { return rotations_; }
  // The number of values whose evaluation is under way.
  std::size_t& depth() { return depth_; }
  std::vector<std::string> TakeImported() { return std::move(imported_); }

  // The name of ${context.rootEnvironment.name}: the outermost environment that has a name.
  const std::string& root_name() const { return root_name_; }
  // ${context} without the names of environments.
  const esc::Value& context() const;
  // Whether options().rotate_paths has the path of a call in the document.
  bool IsRotated(std::string_view path) const;

 private:
  struct Environment {
    bool evaluating = false;
    NodePtr value;         // null while evaluating, and when it failed
    std::string failure;   // why it could not be loaded
    Diagnostics findings;  // why it could not be read
  };

  NodePtr EvaluateText(const std::string& name, std::string_view text, bool is_root,
                       Diagnostics& fatal);

  const EvalOptions& options_;
  Evaluation& evaluation_;
  esc::Value identity_context_;
  std::set<std::string, std::less<>> rotate_paths_;
  std::string root_name_;
  Diagnostics diagnostics_;
  std::vector<Rotation> rotations_;
  std::size_t depth_ = 0;
  std::size_t import_depth_ = 0;
  std::map<std::string, Environment> environments_;
  std::vector<std::string> imported_;
};

}  // namespace escagent::eval
