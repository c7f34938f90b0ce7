#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace escagent::csi {

// Who the volume is for, from kubelet's csi.storage.k8s.io/* keys (CSIDriver.podInfoOnMount).
struct PodInfo {
  std::string name;
  std::string namespace_name;
  std::string uid;
  std::string service_account;
};

// How long after its arrival a publish may be tried again; the rest of the 10 s is for the try.
inline constexpr std::chrono::milliseconds kPublishPatience{9500};

// NodePublishVolumeRequest after validation, in our own terms.
struct PublishRequest {
  // When the call came; the same for each repetition of it (VolumeService::Publish).
  std::chrono::steady_clock::time_point received_at;
  std::string volume_id;
  std::string target_path;
  PodInfo pod;
  // The pod author's volumeAttributes: volume_context without kubelet's csi.storage.k8s.io/ keys.
  std::map<std::string, std::string> attributes;
  // mount.volume_mount_group: the pod's fsGroup, a decimal gid; empty when it has none.
  std::string volume_mount_group;
  std::vector<std::string> mount_flags;
  // csi.storage.k8s.io/serviceAccount.tokens, from `secrets` or volume_context; JSON.
  Secret service_account_tokens;
  // nodePublishSecretRef's data.
  std::map<std::string, Secret> secrets;
};

struct VolumeStats {
  std::int64_t used_bytes = 0;
  std::int64_t total_bytes = 0;
  std::int64_t used_inodes = 0;
  std::int64_t total_inodes = 0;
  bool abnormal = false;
  // Why it is abnormal, or "mounted"; shown by kubelet.
  std::string condition;
};

// What the CSI node service needs from the rest of the agent. The services of csi/ do the protocol
// (required fields, types, redaction, logging, status codes); this does volumes. Thread-safe;
// calls for one volume id may come concurrently.
class VolumeService {
 public:
  virtual ~VolumeService() = default;

  // Idempotent. A request for a volume that is mounted already answers OK, whatever ESC says,
  // unless target or attributes differ (ALREADY_EXISTS; a different target FAILED_PRECONDITION).
  // Creates the target folder; undoes everything on failure.
  //
  // Must not wait for ESC: there are few threads for all publishes of the node. UNAVAILABLE with a
  // retry_after means "not yet". The caller then has the same request published again after that
  // time, if that is within kPublishPatience of `received_at` and before kubelet's deadline, and
  // takes the error for the answer otherwise. So each publish is answered within 10 s.
  virtual Status Publish(const PublishRequest& request) = 0;
  // Idempotent: unmounts, removes the target folder, forgets the volume. OK when unknown.
  virtual Status Unpublish(const std::string& volume_id, const std::string& target_path) = 0;
  // NOT_FOUND when this volume is not published at this path.
  virtual Result<VolumeStats> Stats(const std::string& volume_id,
                                    const std::string& volume_path) = 0;
  // FAILED_PRECONDITION with the cause when volumes cannot be served (no /dev/fuse).
  virtual Status Healthy() = 0;
};

}  // namespace escagent::csi
