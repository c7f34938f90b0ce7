#pragma once

#include <stop_token>
#include <string>
#include <utility>

#include "agent/volume/secret_mirror.h"
#include "base/clock.h"
#include "base/result.h"
#include "kube/api.h"
#include "kube/namespace_scope.h"

namespace escagent::controller {

// Marks of a Secret that volumes with `mirrorTo` made. Without both labels it is somebody else's
// and is never touched.
inline constexpr char kManagedByLabel[] = "app.kubernetes.io/managed-by";
inline constexpr char kManagedBy[] = "esc-agent";
inline constexpr char kMirrorOfLabel[] = "esc-agent.io/mirror-of";
inline constexpr char kMirrorOfVolume[] = "volume";
// mirror::DataHash of the data.
inline constexpr char kVolumeDataHashAnnotation[] = "esc-agent.io/data-hash";
// volume::MirroredSecret::source.
inline constexpr char kVolumeSourceAnnotation[] = "esc-agent.io/volume";

// The Secrets of volumes, over Kubernetes' API. Each pod is an owner, so that Kubernetes' garbage
// collector removes the Secret after the last of them, whatever becomes of the agents.
//
// Agents of several nodes write the same Secret: every write names the resourceVersion that it is
// made from, and is made anew after a conflict, so no pod's ownership is lost. Thread-safe; borrows
// what it is given.
class VolumeSecretWriter final : public volume::SecretMirror {
 public:
  VolumeSecretWriter(kube::NamespaceScope scope, kube::Api& api, Clock& clock)
      : scope_(std::move(scope)), api_(api), clock_(clock) {}

  // Beside the errors of the seam: the API server's. ABORTED when others write it all the time, or
  // when it is being deleted: try again. FAILED_PRECONDITION, without asking the API server, when
  // the namespace is out of scope.
  Status Write(const volume::MirroredSecret& secret, bool urgent,
               const std::stop_token& stop) override;
  // Out of scope there is nothing to release: OK.
  Status Release(const std::string& name, const csi::PodInfo& pod,
                 const std::stop_token& stop) override;

 private:
  Status TryWrite(const volume::MirroredSecret& secret, const kube::CallOptions& options);
  Status TryRelease(const kube::ObjectKey& key, const std::string& pod_uid,
                    const kube::CallOptions& options);
  // Calls it again while it is ABORTED, a few times, with random pauses.
  template <class Attempt>
  Status AfterConflicts(const std::string& seed, const std::stop_token& stop, Attempt attempt);

  const kube::NamespaceScope scope_;
  kube::Api& api_;
  Clock& clock_;
};

}  // namespace escagent::controller
