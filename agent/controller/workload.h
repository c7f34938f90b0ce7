#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "agent/mirror/string_map.h"
#include "kube/object.h"
#include "kube/resource.h"

namespace escagent::controller {

// Deployments, StatefulSets and DaemonSets: what can be restarted by a change of its pod template.
std::array<kube::Resource, 3> WorkloadKinds();

// A workload that asks to be restarted when a Secret changes (kRestartOnChangeAnnotation): of the
// object only what decides about that.
struct Workload {
  kube::Resource resource;
  kube::ObjectKey key;
  std::string uid;
  std::string resource_version;
  // The Secrets that its containers, initContainers included, take env from (secretKeyRef and
  // secretRef). Mounted ones do not count: kubelet updates them in place.
  std::set<std::string, std::less<>> secrets;
  mirror::StringMap template_annotations;

  // Whether its pods were last restarted for another content of the Secret than the one with this
  // RestartedForValue, or for none.
  bool IsBehind(std::string_view secret, std::string_view value) const;
};

// Nothing when the workload does not ask for restarts, or is being deleted.
std::optional<Workload> ReadWorkload(const kube::Resource& resource, const kube::Object& object);

// The key of the pod template's annotation for a Secret. Names too long for a key (63 characters)
// are hashed.
std::string RestartedForAnnotation(std::string_view secret);

// Its value for the content with this hash of the Secret with this uid. Not the hash itself: more
// people may read workloads than Secrets, and they could try out short values against it.
std::string RestartedForValue(std::string_view secret_uid, std::string_view hash);

// The merge patch that restarts the workload for these Secrets (name -> RestartedForValue), unless
// it has changed meanwhile.
kube::Object RestartPatch(const Workload& workload,
                          const std::map<std::string, std::string>& values);

}  // namespace escagent::controller
