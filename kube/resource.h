#pragma once

#include <compare>
#include <string>
#include <string_view>

namespace escagent::kube {

// A kind of object as the API's paths name it (Kubernetes API concepts, "Resource URIs"), with the
// kind that its objects carry.
struct Resource {
  std::string group;    // empty for the core group
  std::string version;  // "v1"
  std::string plural;   // "secrets"
  std::string kind;     // "Secret"
  bool namespaced = true;

  // "v1" or "external-secrets.io/v1".
  std::string ApiVersion() const;
  // "/api/v1/namespaces/podinfo/secrets/app", without the parts that are empty.
  std::string Path(std::string_view namespace_name, std::string_view name) const;

  auto operator<=>(const Resource&) const = default;
};

// The built-in kinds that this project uses.
Resource Secrets();
Resource ConfigMaps();
Resource Namespaces();
Resource Events();
Resource Leases();
Resource Deployments();
Resource StatefulSets();
Resource DaemonSets();
Resource ServiceAccounts();
Resource TokenReviews();
Resource SelfSubjectAccessReviews();
Resource CsiDrivers();
Resource CsiNodes();

// Which object of a kind. `namespace_name` is empty for cluster-wide kinds.
struct ObjectKey {
  std::string namespace_name;
  std::string name;

  // "podinfo/app", or "app".
  std::string ToString() const;
  auto operator<=>(const ObjectKey&) const = default;
};

}  // namespace escagent::kube
