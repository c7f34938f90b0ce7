#pragma once

#include <grpcpp/support/status.h>

#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "csi/call_context.h"
#include "csi/proto/pluginregistration.pb.h"
#include "csi/rpc_record.h"

namespace escagent::csi {

// How far kubelet has got with registering this driver.
struct RegistrationState {
  // kubelet's last word: true after NotifyRegistrationStatus(plugin_registered = true).
  bool registered = false;
  // Why kubelet refused; empty when it did not.
  std::string error;
  std::optional<Clock::WallTime> last_get_info;
};

// pluginregistration.Registration, in place of the node-driver-registrar sidecar. Thread-safe.
class RegistrationService {
 public:
  // Called when kubelet could not register the driver, with its reason. It asks for nothing more
  // of a driver until its socket appears again, so the process should end with exit code 1. On an
  // RPC thread: must not block.
  using OnRejected = std::function<void(const std::string& reason)>;

  // `endpoint`: the host path of the CSI socket. `registered`: what State() says until kubelet
  // calls.
  RegistrationService(std::string driver_name, std::string endpoint, Clock& clock,
                      OnRejected on_rejected, const RpcObserver& observer, bool registered);

  // kubelet allows one second for this.
  grpc::Status GetInfo(const CallContext& call, pluginregistration::InfoRequest& request,
                       pluginregistration::PluginInfo& response);
  grpc::Status NotifyRegistrationStatus(const CallContext& call,
                                        pluginregistration::RegistrationStatus& request,
                                        pluginregistration::RegistrationStatusResponse& response);

  RegistrationState State() const;

 private:
  const std::string driver_name_;
  const std::string endpoint_;
  Clock& clock_;
  const OnRejected on_rejected_;
  const RpcObserver& observer_;

  mutable Mutex mutex_;
  RegistrationState state_ GUARDED_BY(mutex_);
};

}  // namespace escagent::csi
