#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "csi/call_context.h"
#include "csi/proto/csi.pb.h"
#include "csi/rpc_record.h"
#include "csi/volume_service.h"

namespace escagent::csi {

namespace v1 = ::csi::v1;

// csi.v1.Identity: who this driver is and whether it works. Thread-safe.
class IdentityService {
 public:
  IdentityService(std::string driver_name, std::string version, VolumeService& volumes,
                  const RpcObserver& observer);

  grpc::Status GetPluginInfo(const CallContext& call, v1::GetPluginInfoRequest& request,
                             v1::GetPluginInfoResponse& response);
  // None: there is no controller service and no topology.
  grpc::Status GetPluginCapabilities(const CallContext& call,
                                     v1::GetPluginCapabilitiesRequest& request,
                                     v1::GetPluginCapabilitiesResponse& response);
  // FAILED_PRECONDITION, whatever the code of VolumeService::Healthy, as the specification wants.
  grpc::Status Probe(const CallContext& call, v1::ProbeRequest& request,
                     v1::ProbeResponse& response);

 private:
  const std::string driver_name_;
  const std::string version_;
  VolumeService& volumes_;
  const RpcObserver& observer_;
};

}  // namespace escagent::csi
