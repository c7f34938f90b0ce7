#pragma once

#include <string>
#include <vector>

#include "agent/doctor/finding.h"
#include "kube/access_review.h"
#include "kube/api.h"
#include "kube/namespace_scope.h"

namespace escagent::doctor {

// What an agent needs rights for.
enum class Use {
  kVolumes,  // stores and their tokens
  kWrites,   // of Secrets: the mirror, and volumes with mirrorTo
  kMirror,
  kSharing,   // of what agents know of ESC; each asks by itself without
  kEvents,    // told in kubectl describe; nothing fails without
  kRestarts,  // restart-on-change; nothing else fails without
};

// Where it must hold.
enum class Place {
  kServed,  // in the namespaces that the agent serves
  kAll,     // not needed by who serves some namespaces only
  kOwn,     // in the namespace of the leases
};

// One verb on one resource.
struct Right {
  kube::AccessQuestion question;  // without a namespace
  Use use = Use::kVolumes;
  Place place = Place::kServed;
};

// All that manifests/rbac gives.
std::vector<Right> AllRights();

struct Agent {
  bool mirror = true;
  kube::NamespaceScope scope;
  std::string own_namespace;
};

// Asks the API server about each right that such an agent needs (SelfSubjectAccessReview), and
// tells those that lack, a finding for each resource.
Findings CheckRights(kube::Api& api, const Agent& agent, const kube::CallOptions& options);

}  // namespace escagent::doctor
