#pragma once

#include "kube/resource.h"

namespace escagent::controller {

// The kinds of external-secrets.io that are reconciled (manifests/crds).
inline kube::Resource ExternalSecrets() {
  return {"external-secrets.io", "v1", "externalsecrets", "ExternalSecret"};
}
inline kube::Resource ClusterExternalSecrets() {
  return {"external-secrets.io", "v1", "clusterexternalsecrets", "ClusterExternalSecret", false};
}
inline kube::Resource PushSecrets() {
  return {"external-secrets.io", "v1alpha1", "pushsecrets", "PushSecret"};
}

}  // namespace escagent::controller
