#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "agent/mirror/external_secret_spec.h"
#include "agent/mirror/object_meta.h"
#include "base/result.h"

namespace escagent::mirror {

// Group and kind of the owner reference that a Secret gets, and of the objects served.
inline constexpr char kExternalSecretsGroup[] = "external-secrets.io";
inline constexpr char kExternalSecretKind[] = "ExternalSecret";
inline constexpr char kExternalSecretApiVersion[] = "external-secrets.io/v1";
inline constexpr char kReadyCondition[] = "Ready";

// One element of status.conditions. The time stays text: it is given back as it was.
struct Condition {
  std::string type = {};
  std::string status = {};  // "True", "False", "Unknown"
  std::string reason = {};
  std::string message = {};
  std::string last_transition_time = {};
};

struct ExternalSecretStatus {
  std::vector<Condition> conditions;
  std::optional<std::chrono::system_clock::time_point> refresh_time;
  std::string synced_resource_version;
  std::string binding_name;

  // The condition Ready, or null.
  const Condition* Ready() const;
};

// An ExternalSecret, read once from the API server's JSON. Move-only; immutable once shared.
struct ExternalSecret : ObjectMeta {
  ExternalSecretSpec spec;
  ExternalSecretStatus status;
  // What is wrong with the spec, each as "<field>: <what>". With any, the object gets a False
  // condition that lists them and `spec` is not to be acted on.
  std::vector<std::string> spec_problems;

  const std::string& target_name() const { return spec.target_name; }
};

// Reads an ExternalSecret of version v1 or v1beta1 (they differ in what is there, not in meaning).
// INVALID_ARGUMENT only when the object has no identity (kind, namespace, name, uid); everything
// else is in `spec_problems`. The rules are those of ESO's CRD and webhook, checked here again as
// objects may be older than a schema.
Result<ExternalSecret> ParseExternalSecret(const nlohmann::json& object);

}  // namespace escagent::mirror
