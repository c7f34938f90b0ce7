#pragma once

#include <yaml-cpp/yaml.h>

#include <chrono>
#include <compare>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/store/label_selector.h"
#include "esc/environment_ref.h"

namespace re2 {
class RE2;
}

namespace escagent::store {

// ESC's API when a store names none (eso-compat.md 1.1).
inline constexpr char kDefaultApiUrl[] = "https://api.pulumi.com/api/esc";

enum class StoreKind { kSecretStore, kClusterSecretStore };

// Which store. `namespace_name` is empty for a ClusterSecretStore.
struct StoreId {
  StoreKind kind = StoreKind::kSecretStore;
  std::string namespace_name;
  std::string name;

  // "SecretStore default/app" or "ClusterSecretStore app".
  std::string ToString() const;
  auto operator<=>(const StoreId&) const = default;
};

// Where an access token is: a key of a Kubernetes Secret, or, with a name like file:PATH or
// env:NAME, what TokenReader makes of it. Such a reference may also be written shorter:
//   accessToken: file:PATH      accessToken: {file: PATH}      accessToken: {secretRef: {file:
//   PATH}}
// and the same with env and NAME, or stand in secretRef.key.
struct SecretKeyRef {
  std::string name;
  std::string key;
  std::string namespace_name;

  auto operator<=>(const SecretKeyRef&) const = default;
};

// auth.oidcConfig: an identity whose tokens are exchanged for access tokens.
struct OidcConfig {
  // Whose access tokens.
  std::string organization;
  // Of a store of the API server: the service account, and audiences of its tokens beside the
  // organization's own.
  std::string namespace_name;
  std::string service_account;
  std::vector<std::string> audiences;
  // Of a store in a file: where a service account's token is.
  std::string token_file;
  // How long tokens live: what is asked for.
  std::chrono::seconds lifetime{600};
};

// One element of a ClusterSecretStore's spec.conditions. It admits a namespace when any of its
// parts does.
struct StoreCondition {
  std::vector<std::string> namespaces;
  // RE2, unanchored.
  std::vector<std::shared_ptr<const re2::RE2>> namespace_regexes;
  std::optional<LabelSelector> namespace_selector;
};

// A (Cluster)SecretStore with provider pulumi, as far as the agent uses it.
struct SecretStoreSpec {
  StoreId id;
  // spec.controller: the class of controller that this store is for; empty: any.
  std::string controller;
  std::string api_url;  // empty: the default
  esc::EnvironmentRef ref;
  // Without `oidc`.
  SecretKeyRef token;
  std::optional<OidcConfig> oidc;
  std::vector<StoreCondition> conditions;

  // Whether the conditions admit a namespace with these labels. Without conditions all are.
  bool Admits(std::string_view namespace_name, const Labels& labels) const;
};

struct ParsedStore {
  // As far as it could be read: with problems only `id` is of use, and only if it has a name.
  SecretStoreSpec spec;
  // Everything that is wrong, each as "<field>: <what>"; empty: the spec is good.
  std::vector<std::string> problems;
};

// Reads one object of apiVersion external-secrets.io/v1 or v1beta1 and kind SecretStore or
// ClusterSecretStore (reference: eso-compat.md 1.1). Pure: the object may come from a file or from
// the API server. A SecretStore without a namespace is of namespace "default", as for kubectl.
// spec.refreshInterval, spec.retrySettings and a SecretStore's conditions are accepted and have no
// effect; other fields that are not known under spec are a problem.
ParsedStore ParseSecretStore(const YAML::Node& object);

}  // namespace escagent::store
