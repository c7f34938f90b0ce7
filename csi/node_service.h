#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <memory>
#include <string>
#include <unordered_set>

#include "base/mutex.h"
#include "csi/call_context.h"
#include "csi/proto/csi.pb.h"
#include "csi/rpc_record.h"
#include "csi/volume_service.h"

namespace escagent::csi {

namespace v1 = ::csi::v1;

// csi.v1.Node: checks requests, hands them to the VolumeService and logs the outcome. Stage,
// unstage and expand are not offered. Thread-safe.
class NodeService {
 public:
  // `publish_patience`: how long a publish may wait for what is "not yet" there.
  NodeService(std::string node_name, std::chrono::milliseconds publish_patience,
              VolumeService& volumes, const RpcObserver& observer);

  // Wipes the secrets in `request`.
  Answer NodePublishVolume(const CallContext& call, v1::NodePublishVolumeRequest& request,
                           v1::NodePublishVolumeResponse& response);
  grpc::Status NodeUnpublishVolume(const CallContext& call, v1::NodeUnpublishVolumeRequest& request,
                                   v1::NodeUnpublishVolumeResponse& response);
  grpc::Status NodeGetVolumeStats(const CallContext& call, v1::NodeGetVolumeStatsRequest& request,
                                  v1::NodeGetVolumeStatsResponse& response);
  grpc::Status NodeGetCapabilities(const CallContext& call, v1::NodeGetCapabilitiesRequest& request,
                                   v1::NodeGetCapabilitiesResponse& response);
  grpc::Status NodeGetInfo(const CallContext& call, v1::NodeGetInfoRequest& request,
                           v1::NodeGetInfoResponse& response);

 private:
  // A publish that may need several turns.
  struct PendingPublish;

  Answer Publish(const CallContext& call, const std::shared_ptr<PendingPublish>& pending);
  Status Unpublish(const v1::NodeUnpublishVolumeRequest& request);
  Status Stats(const v1::NodeGetVolumeStatsRequest& request,
               v1::NodeGetVolumeStatsResponse& response);
  LogLevel PublishedLevel(const std::string& volume_id);
  LogLevel UnpublishedLevel(const std::string& volume_id);

  const std::string node_name_;
  const std::chrono::milliseconds publish_patience_;
  VolumeService& volumes_;
  const RpcObserver& observer_;

  Mutex mutex_;
  // Volumes whose publish has been logged: kubelet publishes each again every minute or so, which
  // is news to nobody.
  std::unordered_set<std::string> published_ GUARDED_BY(mutex_);
};

}  // namespace escagent::csi
