#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/result.h"
#include "csi/registration_service.h"
#include "csi/rpc_record.h"
#include "csi/volume_service.h"

namespace escagent::csi {

struct ServerOptions {
  std::string driver_name;
  // GetPluginInfo's vendor_version.
  std::string version;
  // NodeGetInfo's node_id.
  std::string node_name;
  // "unix:///absolute/path.sock": where kubelet's volume calls arrive. The folder must exist.
  std::string csi_endpoint;
  // Where kubelet looks for plugins (<kubelet root>/plugins_registry/<driver>-reg.sock), as this
  // process sees it. Empty: no registration.
  std::string registration_socket;
  // The CSI socket as kubelet sees it on the host, announced by GetInfo.
  std::string kubelet_registration_path;
  // A registration socket that kubelet has not called for this long is made again.
  std::chrono::milliseconds registration_patience{30000};
  // How long a publish waits for what VolumeService calls "not yet".
  std::chrono::milliseconds publish_patience = kPublishPatience;
  RegistrationService::OnRejected on_rejected;
  RpcObserver observer;
};

// Checks names and paths; INVALID_ARGUMENT lists everything that is wrong, in the names of the
// flags, separated by "; ".
Status Validate(const ServerOptions& options);

// "/run/csi.sock" of "unix:///run/csi.sock"; the endpoint must have been validated.
std::string SocketPath(const std::string& csi_endpoint);

}  // namespace escagent::csi
