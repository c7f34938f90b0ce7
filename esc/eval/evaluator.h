#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "esc/eval/source.h"
#include "esc/property_path.h"
#include "esc/value.h"

// The evaluator for Pulumi ESC's environment definition language (reference/esc-api.md (c)), for
// the offline server and `esc-agent eval`. In production Pulumi's service evaluates, never we.
//
//   syntax       YAML with positions          definition  imports and values
//   scalar       what a plain scalar means    expression  literals, references, calls
//   builtin      the table of functions; builtins_*.cc implement them, a file per group
//   node         evaluated values and how they merge
//   scope        evaluates one definition     session     one evaluation with all its imports
namespace escagent::eval {

struct Node;

// Finds the definitions of imported environments.
class EnvironmentLoader {
 public:
  virtual ~EnvironmentLoader() = default;
  // `name` as it stands in "imports": "project/env" or "project/env@version"; without a slash the
  // project is "default" by ESC's rules. An error becomes a diagnostic at the import.
  virtual Result<Secret> Load(std::string_view name) = 0;
};

// Opens the ciphertext of static secrets (fn::secret: {ciphertext: ...}).
class Decrypter {
 public:
  virtual ~Decrypter() = default;
  virtual Result<Secret> Decrypt(std::string_view ciphertext) = 0;
};

// Who evaluates: ${context.pulumi.user.id} and so on.
struct Identity {
  std::string user_id = "00000000-0000-0000-0000-000000000000";
  std::string user_login = "developer";
  std::string organization;
};

// The name of a definition that has none.
inline constexpr std::string_view kAnonymousEnvironment = "<yaml>";

struct EvalOptions {
  // ${context.currentEnvironment.name}, and the environment in positions. An import of this name
  // is cyclic.
  std::string environment = std::string(kAnonymousEnvironment);
  Identity identity;
  // Borrowed for the call. Without a loader every import is an error.
  EnvironmentLoader* loader = nullptr;
  // Borrowed for the call. Without one, ciphertext is an error.
  Decrypter* decrypter = nullptr;
};

// The outcome of an evaluation. What failed, and whatever uses it, is unknown in `properties`.
struct EvalResult {
  esc::Value properties;  // an object
  Diagnostics diagnostics;
  // Every other environment that was read, however deep in the closure, by the name it was
  // imported by, each once.
  std::vector<std::string> imported;

  bool ok() const { return !HasErrors(diagnostics); }
  // The expression that made the value at a path of `properties`.
  std::optional<SourceRange> RangeOf(const esc::PropertyPath& path) const;

  std::shared_ptr<const Node> root;
};

// Evaluates a definition. Thread-safe as long as the loader is. Always ends: nesting, references,
// imports and the sizes of values are bounded, and each bound is a diagnostic.
EvalResult Evaluate(std::string_view definition, const EvalOptions& options);

}  // namespace escagent::eval
