#include "csi/registration_service.h"

#include <utility>

namespace escagent::csi {

RegistrationService::RegistrationService(std::string driver_name, std::string endpoint,
                                         Clock& clock, OnRejected on_rejected,
                                         const RpcObserver& observer, bool registered)
    : driver_name_(std::move(driver_name)),
      endpoint_(std::move(endpoint)),
      clock_(clock),
      on_rejected_(std::move(on_rejected)),
      observer_(observer) {
  state_.registered = registered;
}

grpc::Status RegistrationService::GetInfo(const CallContext& /*call*/,
                                          pluginregistration::InfoRequest& /*request*/,
                                          pluginregistration::PluginInfo& response) {
  const RpcRecord rpc("GetInfo", observer_);
  response.set_type("CSIPlugin");
  response.set_name(driver_name_);
  response.set_endpoint(endpoint_);
  // kubelet's plugin API, not the version of the CSI specification.
  response.add_supported_versions("1.0.0");
  {
    MutexLock lock(mutex_);
    state_.last_get_info = clock_.WallNow();
  }
  return rpc.Finish({}, LogLevel::kDebug);
}

grpc::Status RegistrationService::NotifyRegistrationStatus(
    const CallContext& /*call*/, pluginregistration::RegistrationStatus& request,
    pluginregistration::RegistrationStatusResponse& /*response*/) {
  const RpcRecord rpc("NotifyRegistrationStatus", observer_);
  {
    MutexLock lock(mutex_);
    state_.registered = request.plugin_registered();
    state_.error = request.plugin_registered() ? "" : request.error();
  }
  if (request.plugin_registered()) {
    LogInfo("kubelet registered the driver", {{log_key::kDriver, driver_name_}});
  } else {
    LogError("kubelet refused to register the driver",
             {{log_key::kDriver, driver_name_}, {log_key::kError, request.error()}});
    if (on_rejected_) on_rejected_(request.error());
  }
  return rpc.Finish({}, LogLevel::kDebug);
}

RegistrationState RegistrationService::State() const {
  MutexLock lock(mutex_);
  return state_;
}

}  // namespace escagent::csi
