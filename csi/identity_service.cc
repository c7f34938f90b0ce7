#include "csi/identity_service.h"

#include <utility>

namespace escagent::csi {

IdentityService::IdentityService(std::string driver_name, std::string version,
                                 VolumeService& volumes, const RpcObserver& observer)
    : driver_name_(std::move(driver_name)),
      version_(std::move(version)),
      volumes_(volumes),
      observer_(observer) {}

grpc::Status IdentityService::GetPluginInfo(const CallContext& /*call*/,
                                            v1::GetPluginInfoRequest& /*request*/,
                                            v1::GetPluginInfoResponse& response) {
  const RpcRecord rpc("GetPluginInfo", observer_);
  response.set_name(driver_name_);
  response.set_vendor_version(version_);
  return rpc.Finish({}, LogLevel::kDebug);
}

grpc::Status IdentityService::GetPluginCapabilities(
    const CallContext& /*call*/, v1::GetPluginCapabilitiesRequest& /*request*/,
    v1::GetPluginCapabilitiesResponse& /*response*/) {
  return RpcRecord("GetPluginCapabilities", observer_).Finish({}, LogLevel::kDebug);
}

grpc::Status IdentityService::Probe(const CallContext& /*call*/, v1::ProbeRequest& /*request*/,
                                    v1::ProbeResponse& response) {
  const RpcRecord rpc("Probe", observer_);
  Status health = volumes_.Healthy();
  if (!health) {
    return rpc.Finish(FailedPrecondition(std::move(health).error().message), LogLevel::kDebug);
  }
  response.mutable_ready()->set_value(true);
  return rpc.Finish({}, LogLevel::kDebug);
}

}  // namespace escagent::csi
