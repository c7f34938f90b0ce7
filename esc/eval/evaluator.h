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
//   schema       what is known of a value       provider    what fn::open and fn::rotate call
//   scope        evaluates one definition     session     one evaluation with all its imports
//   environment_json   the outcome as ESC's API writes it
namespace escagent::eval {

class ProviderRegistry;
struct Evaluation;

// Finds the definitions of imported environments.
class EnvironmentLoader {
 public:
  virtual ~EnvironmentLoader() = default;
  // `name` as it stands in "imports": "project/env" or "project/env@version"; without a slash the
  // project is "default" by ESC's rules. An error becomes a diagnostic at the import.
  virtual Result<Secret> Load(std::string_view name) = 0;
};

// Opens the ciphertext of static secrets (fn::secret: {ciphertext: ...}), which the evaluator took
// out of its envelope (envelope.h). Not called in check mode without show_secrets.
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

enum class EvalMode {
  kOpen,    // providers are opened
  kCheck,   // nothing is opened: what providers would bring is unknown
  kRotate,  // the rotators of the root environment rotate, then everything is opened
};

struct EvalOptions {
  // ${context.currentEnvironment.name}, and the environment in positions. An import of this name
  // is cyclic.
  std::string environment = std::string(kAnonymousEnvironment);
  Identity identity;
  // Borrowed for the call. An object that is ${context} instead of what `identity` says; the names
  // of the environments are added.
  const esc::Value* context = nullptr;
  EvalMode mode = EvalMode::kOpen;
  // kCheck: static secrets are decrypted. Without it, those that are ciphertext are unknown.
  bool show_secrets = false;
  // Borrowed for the call. Without one, every provider is unknown.
  const ProviderRegistry* providers = nullptr;
  // kRotate: the paths of the values to rotate ("db.password"). Empty: all.
  std::vector<esc::PropertyPath> rotate_paths;
  // Borrowed for the call. Without a loader every import is an error.
  EnvironmentLoader* loader = nullptr;
  // Borrowed for the call. Without one, ciphertext is an error.
  Decrypter* decrypter = nullptr;
};

// What became of one fn::rotate of the root environment.
struct Rotation {
  enum class Status { kSucceeded, kFailed, kNotEvaluated };
  Status status = Status::kNotEvaluated;
  std::string path;     // of the call, in the document: values.db.password
  std::string message;  // kFailed: why
  // kSucceeded: what to write into the definition, and where ("values.db.password["fn::rotate"]
  // .state").
  std::string patch_path;
  esc::Value state;
};

// A value as a definition spells it: what is secret becomes {"fn::secret": text}, with
// fn::fromJSON around it where it is no string. These texts are to be taken literally, as ESC does
// when it encrypts them before it evaluates; in others each "$" is doubled.
esc::Value ToDefinition(const esc::Value& value);

// The outcome of an evaluation. What failed, and whatever uses it, is unknown in `properties`.
struct EvalResult {
  esc::Value properties;  // an object
  Diagnostics diagnostics;
  // Every other environment that was read, however deep in the closure, by the name it was
  // imported by, each once.
  std::vector<std::string> imported;
  // kRotate: in the order of the calls' evaluation.
  std::vector<Rotation> rotations;

  bool ok() const { return !HasErrors(diagnostics); }
  // The expression that made the value at a path of `properties`.
  std::optional<SourceRange> RangeOf(const esc::PropertyPath& path) const;

  // Everything that the values stand on (evaluation.h).
  std::shared_ptr<const Evaluation> evaluation;
};

// Evaluates a definition. Thread-safe as long as the loader is. Always ends: nesting, references,
// imports and the sizes of values are bounded, and each bound is a diagnostic.
EvalResult Evaluate(std::string_view definition, const EvalOptions& options);

}  // namespace escagent::eval
