#include "csi/node_service.h"

#include <algorithm>
#include <utility>

#include "csi/publish_request.h"
#include "csi/request_checks.h"

namespace escagent::csi {
namespace {

std::string ContextValue(const v1::NodePublishVolumeRequest& request, const char* key) {
  const auto it = request.volume_context().find(key);
  return it == request.volume_context().end() ? std::string() : it->second;
}

void AddUsage(v1::NodeGetVolumeStatsResponse& response, v1::VolumeUsage::Unit unit,
              std::int64_t used, std::int64_t total) {
  v1::VolumeUsage& usage = *response.add_usage();
  usage.set_unit(unit);
  usage.set_used(used);
  usage.set_total(total);
  usage.set_available(std::max<std::int64_t>(0, total - used));
}

// kubelet asks again; a mount nobody waits for would only be in the way.
std::unexpected<Error> GivenUp(const CallContext& call, const std::string& volume_id) {
  const std::string what = "publish volume " + volume_id + ": the caller";
  if (call.cancelled) return MakeError(Code::kCancelled, what + " hung up");
  return MakeError(Code::kDeadlineExceeded,
                   what + "'s deadline passed before its turn came; the node is busy");
}

}  // namespace

struct NodeService::PendingPublish {
  RpcRecord rpc;
  PublishRequest request;
};

NodeService::NodeService(std::string node_name, std::chrono::milliseconds publish_patience,
                         VolumeService& volumes, const RpcObserver& observer)
    : node_name_(std::move(node_name)),
      publish_patience_(publish_patience),
      volumes_(volumes),
      observer_(observer) {}

Answer NodeService::NodePublishVolume(const CallContext& call,
                                      v1::NodePublishVolumeRequest& request,
                                      v1::NodePublishVolumeResponse& /*response*/) {
  RpcRecord rpc("NodePublishVolume", observer_);
  rpc.volume_id = request.volume_id();
  rpc.path = request.target_path();
  rpc.pod_namespace = ContextValue(request, "csi.storage.k8s.io/pod.namespace");
  rpc.pod_name = ContextValue(request, "csi.storage.k8s.io/pod.name");
  Result<PublishRequest> parsed = ParsePublishRequest(request);
  if (!parsed) return rpc.Finish(std::unexpected(parsed.error()), LogLevel::kInfo);
  parsed->received_at = rpc.start;
  return Publish(call, std::make_shared<PendingPublish>(std::move(rpc), *std::move(parsed)));
}

Answer NodeService::Publish(const CallContext& call,
                            const std::shared_ptr<PendingPublish>& pending) {
  const RpcRecord& rpc = pending->rpc;
  const Status status =
      call.Expired() ? GivenUp(call, rpc.volume_id) : volumes_.Publish(pending->request);
  if (status) return rpc.Finish(status, PublishedLevel(rpc.volume_id));
  const std::chrono::milliseconds pause = status.error().retry_after;
  const bool not_yet = status.error().code == Code::kUnavailable && pause.count() > 0;
  const bool in_time = std::chrono::steady_clock::now() + pause < rpc.start + publish_patience_;
  if (!not_yet || !in_time || !call.CanWait(pause)) return rpc.Finish(status, LogLevel::kInfo);
  return {pause, [this, pending](const CallContext& next) { return Publish(next, pending); }};
}

grpc::Status NodeService::NodeUnpublishVolume(const CallContext& /*call*/,
                                              v1::NodeUnpublishVolumeRequest& request,
                                              v1::NodeUnpublishVolumeResponse& /*response*/) {
  RpcRecord rpc("NodeUnpublishVolume", observer_);
  rpc.volume_id = request.volume_id();
  rpc.path = request.target_path();
  const Status status = Unpublish(request);
  return rpc.Finish(status, status ? UnpublishedLevel(rpc.volume_id) : LogLevel::kInfo);
}

grpc::Status NodeService::NodeGetVolumeStats(const CallContext& /*call*/,
                                             v1::NodeGetVolumeStatsRequest& request,
                                             v1::NodeGetVolumeStatsResponse& response) {
  RpcRecord rpc("NodeGetVolumeStats", observer_);
  rpc.volume_id = request.volume_id();
  rpc.path = request.volume_path();
  return rpc.Finish(Stats(request, response), LogLevel::kDebug);
}

grpc::Status NodeService::NodeGetCapabilities(const CallContext& /*call*/,
                                              v1::NodeGetCapabilitiesRequest& /*request*/,
                                              v1::NodeGetCapabilitiesResponse& response) {
  using Rpc = v1::NodeServiceCapability::RPC;
  for (const auto type : {Rpc::GET_VOLUME_STATS, Rpc::VOLUME_CONDITION, Rpc::VOLUME_MOUNT_GROUP}) {
    response.add_capabilities()->mutable_rpc()->set_type(type);
  }
  return RpcRecord("NodeGetCapabilities", observer_).Finish({}, LogLevel::kDebug);
}

grpc::Status NodeService::NodeGetInfo(const CallContext& /*call*/,
                                      v1::NodeGetInfoRequest& /*request*/,
                                      v1::NodeGetInfoResponse& response) {
  response.set_node_id(node_name_);
  return RpcRecord("NodeGetInfo", observer_).Finish({}, LogLevel::kDebug);
}

Status NodeService::Unpublish(const v1::NodeUnpublishVolumeRequest& request) {
  ESC_RETURN_IF_ERROR(CheckVolumeId(request.volume_id()));
  ESC_RETURN_IF_ERROR(CheckPath(request.target_path(), "target_path"));
  return volumes_.Unpublish(request.volume_id(), request.target_path());
}

Status NodeService::Stats(const v1::NodeGetVolumeStatsRequest& request,
                          v1::NodeGetVolumeStatsResponse& response) {
  ESC_RETURN_IF_ERROR(CheckVolumeId(request.volume_id()));
  if (request.volume_path().empty()) return InvalidArgument("volume_path is missing");
  if (!CheckPath(request.volume_path(), "volume_path")) {
    // The specification has no INVALID_ARGUMENT for a path where no volume can be.
    return NotFound("volume " + request.volume_id() + " is not published at " +
                    request.volume_path());
  }
  ESC_ASSIGN_OR_RETURN(const VolumeStats stats,
                       volumes_.Stats(request.volume_id(), request.volume_path()));
  AddUsage(response, v1::VolumeUsage::BYTES, stats.used_bytes, stats.total_bytes);
  AddUsage(response, v1::VolumeUsage::INODES, stats.used_inodes, stats.total_inodes);
  response.mutable_volume_condition()->set_abnormal(stats.abnormal);
  response.mutable_volume_condition()->set_message(stats.condition);
  return {};
}

LogLevel NodeService::PublishedLevel(const std::string& volume_id) {
  MutexLock lock(mutex_);
  return published_.insert(volume_id).second ? LogLevel::kInfo : LogLevel::kDebug;
}

LogLevel NodeService::UnpublishedLevel(const std::string& volume_id) {
  MutexLock lock(mutex_);
  return published_.erase(volume_id) > 0 ? LogLevel::kInfo : LogLevel::kDebug;
}

}  // namespace escagent::csi
