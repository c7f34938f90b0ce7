#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/mirror/external_secret.h"
#include "agent/mirror/string_map.h"
#include "agent/store/label_selector.h"
#include "base/result.h"
#include "kube/object.h"

namespace escagent::mirror {

inline constexpr char kClusterExternalSecretKind[] = "ClusterExternalSecret";
// ESO puts it on every ClusterExternalSecret.
inline constexpr char kClusterExternalSecretFinalizer[] =
    "externalsecrets.external-secrets.io/clusterexternalsecret-cleanup";
// Copied to the ExternalSecrets, which a new value makes refresh.
inline constexpr char kForceSyncAnnotation[] = "external-secrets.io/force-sync";

// A namespace that could not get its ExternalSecret, and why.
struct NamespaceFailure {
  std::string namespace_name;
  std::string reason;

  bool operator==(const NamespaceFailure&) const = default;
};

struct ClusterExternalSecretStatus {
  std::vector<Condition> conditions;
  std::string external_secret_name;
  std::vector<std::string> provisioned_namespaces;
  std::vector<NamespaceFailure> failed_namespaces;
};

// A ClusterExternalSecret (reference: eso-compat.md 1.6), read once from the API server's JSON: an
// ExternalSecret that is wanted in each of the namespaces it selects. Immutable once shared.
struct ClusterExternalSecret : ObjectMeta {
  // Of the ExternalSecrets.
  std::string external_secret_name;
  StringMap external_secret_labels;
  StringMap external_secret_annotations;
  nlohmann::json external_secret_spec;

  std::vector<std::string> namespaces;
  std::vector<store::LabelSelector> selectors;
  // How often everything is looked at again: spec.refreshTime.
  std::chrono::milliseconds refresh_interval = std::chrono::hours(1);
  ClusterExternalSecretStatus status;
  // What is wrong with the spec, each as "<field>: <what>". With any, nothing is to be changed.
  // What is wrong with external_secret_spec is reported by the ExternalSecrets themselves.
  std::vector<std::string> spec_problems;

  // Whether the namespace, which has these labels, is one of its own: any name or selector will do.
  bool Selects(std::string_view candidate, const store::Labels& candidate_labels) const;
};

// Reads a ClusterExternalSecret of version v1 or v1beta1. INVALID_ARGUMENT only when the object has
// no identity (kind, name, uid); everything else is in `spec_problems`.
Result<ClusterExternalSecret> ParseClusterExternalSecret(const nlohmann::json& object);

// The ClusterExternalSecret that controls an object. Whose it is goes by the name, as with ESO: one
// that was deleted and made again has another uid.
struct ClusterOwner {
  std::string name;  // empty: there is none
  std::string uid;
};
ClusterOwner ClusterOwnerOf(const nlohmann::json& metadata);

// What to do about the ExternalSecret of one namespace. Move-only.
struct ExternalSecretAction {
  enum class Kind {
    kNone,      // as wanted already
    kCreate,    // POST body
    kReplace,   // PUT body, with the resourceVersion it was compared with
    kConflict,  // it is there, and somebody else's
  };
  Kind kind = Kind::kNone;
  kube::Object body;
};

// Compares an ExternalSecret (null: there is none) with the wanted one. As with ESO its spec,
// labels and annotations become exactly what the ClusterExternalSecret says; finalizers and other
// owners stay.
ExternalSecretAction DecideExternalSecret(const ClusterExternalSecret& wanted,
                                          const std::string& namespace_name,
                                          const kube::Object* existing);

// How one pass over all namespaces ended.
struct ProvisionOutcome {
  std::vector<std::string> provisioned;  // in any order
  std::vector<NamespaceFailure> failed;
};

// The merge patch (RFC 7386) of the status subresource that brings an object to this outcome, or
// nothing when the status says so already. Lists are sorted by namespace. With spec_problems the
// condition lists them, and the lists stay as they are.
std::optional<nlohmann::json> ClusterStatusPatch(const ClusterExternalSecret& object,
                                                 const ProvisionOutcome& outcome,
                                                 std::chrono::system_clock::time_point now);

}  // namespace escagent::mirror
