#pragma once

#include <stop_token>
#include <string>

#include "agent/mirror/secret_data.h"
#include "base/result.h"
#include "csi/volume_service.h"

namespace escagent::volume {

// The Kubernetes Secret that a volume's attribute `mirrorTo` asks for. Move-only.
struct MirroredSecret {
  std::string name;
  // An owner of the Secret; the Secret is in its namespace.
  csi::PodInfo pod;
  // What the data is made of (mirror_content.h): volumes share a Secret when this is equal.
  std::string source;
  mirror::SecretData data;

  // "podinfo/app", for messages.
  std::string FullName() const { return pod.namespace_name + "/" + name; }
};

// The seam for the Secrets of volumes. Calls block, each for a few seconds at most, until `stop`.
// Thread-safe. Errors name the Secret and never hold a value.
class SecretMirror {
 public:
  virtual ~SecretMirror() = default;

  // Makes the Secret what is wanted, with the pod among its owners; writes nothing when it is that
  // already. FAILED_PRECONDITION for a Secret that is not a volume's, or of a volume with another
  // source. `urgent`: a pod waits for it.
  virtual Status Write(const MirroredSecret& secret, bool urgent, const std::stop_token& stop) = 0;
  // Takes the pod off the owners, and deletes the Secret when it was the last. OK for a Secret that
  // is not there, or not this pod's.
  virtual Status Release(const std::string& name, const csi::PodInfo& pod,
                         const std::stop_token& stop) = 0;
};

}  // namespace escagent::volume
