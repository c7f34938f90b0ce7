#include "kube/resource.h"

#include "base/strings.h"

namespace escagent::kube {

std::string Resource::ApiVersion() const { return group.empty() ? version : group + "/" + version; }

std::string Resource::Path(std::string_view namespace_name, std::string_view name) const {
  // The core group is older than the others and has a root of its own.
  std::string path = group.empty() ? "/api/" : "/apis/" + UrlEncode(group) + "/";
  path += UrlEncode(version);
  if (!namespace_name.empty()) path += "/namespaces/" + UrlEncode(namespace_name);
  path += "/" + UrlEncode(plural);
  if (!name.empty()) path += "/" + UrlEncode(name);
  return path;
}

Resource Secrets() { return {"", "v1", "secrets", "Secret"}; }
Resource ConfigMaps() { return {"", "v1", "configmaps", "ConfigMap"}; }
Resource Namespaces() { return {"", "v1", "namespaces", "Namespace", false}; }
Resource Events() { return {"", "v1", "events", "Event"}; }
Resource Leases() { return {"coordination.k8s.io", "v1", "leases", "Lease"}; }
Resource Deployments() { return {"apps", "v1", "deployments", "Deployment"}; }
Resource StatefulSets() { return {"apps", "v1", "statefulsets", "StatefulSet"}; }
Resource DaemonSets() { return {"apps", "v1", "daemonsets", "DaemonSet"}; }
Resource ServiceAccounts() { return {"", "v1", "serviceaccounts", "ServiceAccount"}; }
Resource TokenReviews() {
  return {"authentication.k8s.io", "v1", "tokenreviews", "TokenReview", false};
}
Resource SelfSubjectAccessReviews() {
  return {"authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview",
          false};
}
Resource CsiDrivers() { return {"storage.k8s.io", "v1", "csidrivers", "CSIDriver", false}; }
Resource CsiNodes() { return {"storage.k8s.io", "v1", "csinodes", "CSINode", false}; }

std::string ObjectKey::ToString() const {
  return namespace_name.empty() ? name : namespace_name + "/" + name;
}

}  // namespace escagent::kube
