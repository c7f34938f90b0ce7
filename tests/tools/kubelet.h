#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "csi/proto/csi.pb.h"

namespace escagent::testing {

// What kubelet learns about a driver from its registration socket.
struct RegisteredDriver {
  std::string name;
  std::string endpoint;
  std::vector<std::string> supported_versions;
  std::string registration_socket;
  std::string node_id;
};

// A pod with one CSI ephemeral inline volume.
struct InlineVolume {
  std::string name;
  std::string pod_name;
  std::string pod_namespace;
  std::string pod_uid;
  std::string service_account = "default";
  std::map<std::string, std::string> attributes;
  // spec.securityContext.fsGroup, decimal; empty: none.
  std::string fs_group;
  bool read_only = true;
  // {"<audience>":{"token":...,"expirationTimestamp":...}}; empty: no tokenRequests.
  std::string service_account_tokens;
  // CSIDriver.spec.serviceAccountTokenInSecrets.
  bool tokens_in_secrets = true;
  // nodePublishSecretRef's data.
  std::map<std::string, std::string> secrets;
};

// Stands in for kubelet 1.36 towards a CSI driver: the same calls with the same contents and
// deadlines in the same order, and the same handling of the folders around the volume. No pods, no
// API server. Dials anew for each call, as kubelet does. Thread-safe.
class Kubelet {
 public:
  struct Options {
    // kubelet's root; volumes are under pods/<uid>/volumes/kubernetes.io~csi/.
    std::string root;
    std::string driver_name = "csi.esc-agent.io";
    std::string node_name = "fake-node";
    // Told what is done, in plain words, before it is done.
    std::function<void(const std::string&)> say;
  };

  explicit Kubelet(Options options);

  // Waits until a *-reg.sock is in `registry_folder` (kubelet's plugins_registry) and registers the
  // driver behind it: GetInfo, NodeGetInfo on the announced endpoint, NotifyRegistrationStatus.
  // A driver that fails is told so. `endpoint_override` stands for the announced endpoint where
  // that is a path of another mount namespace; may be empty.
  Result<RegisteredDriver> Register(const std::string& registry_folder,
                                    std::chrono::milliseconds timeout,
                                    const std::string& endpoint_override = {});

  // `endpoint`: a path or unix:///path. Errors have the driver's code and message unchanged.
  // Publish makes the folder that the target goes into and returns the target. After a final error
  // it clears up as kubelet does.
  Result<std::string> Publish(const std::string& endpoint, const InlineVolume& volume);
  // Also removes what kubelet itself put around the volume.
  Status Unpublish(const std::string& endpoint, const InlineVolume& volume);
  Result<::csi::v1::NodeGetVolumeStatsResponse> Stats(const std::string& endpoint,
                                                      const InlineVolume& volume);
  Status Probe(const std::string& endpoint);

  // "csi-" and the hex SHA-256 of pod uid and volume name.
  static std::string VolumeId(const InlineVolume& volume);
  std::string TargetPath(const InlineVolume& volume) const;
  // The request of Publish; `mount_group`: whether the driver has VOLUME_MOUNT_GROUP.
  ::csi::v1::NodePublishVolumeRequest PublishRequest(const InlineVolume& volume,
                                                     bool mount_group) const;

 private:
  void Say(const std::string& text) const;
  Result<RegisteredDriver> CallDriver(const std::string& socket,
                                      const std::string& endpoint_override);
  Result<bool> HasMountGroup(const std::string& endpoint);
  std::string VolumeFolder(const InlineVolume& volume) const;
  Status PrepareFolder(const InlineVolume& volume) const;
  void RemoveFolder(const InlineVolume& volume) const;

  const Options options_;
};

}  // namespace escagent::testing
