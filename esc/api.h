#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "esc/diagnostic.h"
#include "esc/environment_ref.h"
#include "esc/value.h"

namespace escagent::esc {

struct OpenSession {
  std::string id;
  std::vector<Diagnostic> warnings;
};

// What HEAD tells of an environment's definition without opening it.
struct EnvironmentHead {
  std::string etag;
  std::string revision;

  bool operator==(const EnvironmentHead&) const = default;
};

struct Definition {
  Secret yaml;  // secrets in it are ciphertext, but a definition may hold plain values
  std::string etag;
  std::string revision;
};

// What saving a definition gave.
struct DefinitionUpdate {
  std::string etag;
  std::string revision;
  std::vector<Diagnostic> warnings;
};

struct CheckResult {
  Value properties;
  std::vector<Diagnostic> diagnostics;
};

// The seam for Pulumi ESC: the operations of its REST API that the agent uses, for one identity
// (one access token). Errors carry ESC's message, its diagnostics and the environment's name, never
// a value: NOT_FOUND (404), UNAUTHENTICATED (401), PERMISSION_DENIED (403), RESOURCE_EXHAUSTED
// (429, with retry_after), UNAVAILABLE (5xx, no connection), DEADLINE_EXCEEDED,
// INVALID_ARGUMENT (400). Thread-safe; calls block, until `stop` at the latest.
class Api {
 public:
  virtual ~Api() = default;

  // POST .../open?duration=. The session can be read until `duration` has passed.
  virtual Result<OpenSession> Open(const EnvironmentRef& ref, std::chrono::seconds duration,
                                   std::stop_token stop) = 0;
  // GET .../open/{id}: all properties, as one object. ABORTED when the session is unknown or has
  // expired (404): open again.
  virtual Result<Value> ReadSession(const EnvironmentRef& ref, std::string_view session_id,
                                    std::stop_token stop) = 0;
  // GET .../open/{id}?property=. NOT_FOUND when there is no such property or session.
  virtual Result<Value> ReadProperty(const EnvironmentRef& ref, std::string_view session_id,
                                     std::string_view property_path, std::stop_token stop) = 0;
  // GET .../open/{id} once more, for the environments that its values come from: explicit imports
  // only, as the traces name them, without versions; none where the server leaves traces out.
  // Sorted, each once, without `ref` itself. Errors as ReadSession.
  virtual Result<std::vector<EnvironmentRef>> ReadContributors(const EnvironmentRef& ref,
                                                               std::string_view session_id,
                                                               std::stop_token stop) = 0;
  // What identifies the definition that Open(ref) would evaluate now: different when `etag` or
  // `revision` is. UNIMPLEMENTED when the server does not know the method (405, 501).
  virtual Result<EnvironmentHead> Head(const EnvironmentRef& ref, std::stop_token stop) = 0;
  // GET: the definition's YAML.
  virtual Result<Definition> GetDefinition(const EnvironmentRef& ref, std::stop_token stop) = 0;
  // GET .../decrypt: the same with the plaintext of static secrets; its ETag is the definition's.
  // ESC writes "Decrypted" to its audit log: ask only to compare.
  virtual Result<Definition> GetDecryptedDefinition(const EnvironmentRef& ref,
                                                    std::stop_token stop) = 0;
  // PATCH: `yaml` becomes the newest revision, its static secrets are encrypted. Only if `etag`
  // still is the newest revision's; ABORTED (409) if not: read the definition again.
  // INVALID_ARGUMENT (400) with the diagnostics when ESC does not take the definition, and for a
  // ref with a version.
  virtual Result<DefinitionUpdate> UpdateDefinition(const EnvironmentRef& ref, const Secret& yaml,
                                                    std::string_view etag,
                                                    std::stop_token stop) = 0;
  // POST /environments/{org}/yaml/check. What the evaluator finds wrong with the definition is in
  // the diagnostics, not an error.
  virtual Result<CheckResult> CheckYaml(std::string_view organization, const Secret& yaml,
                                        std::stop_token stop) = 0;
};

}  // namespace escagent::esc
