#include "csi/rpc_record.h"

#include "csi/grpc_status.h"

namespace escagent::csi {
namespace {

void LogSuccess(const RpcRecord& rpc, LogLevel level, std::chrono::milliseconds duration) {
  if (rpc.volume_id.empty()) {
    Log(level, "CSI call answered",
        {{log_key::kMethod, rpc.method}, {log_key::kDuration, duration}});
    return;
  }
  Log(level, "CSI call answered",
      {{log_key::kMethod, rpc.method},
       {log_key::kVolume, rpc.volume_id},
       {log_key::kPath, rpc.path},
       {log_key::kNamespace, rpc.pod_namespace},
       {log_key::kPod, rpc.pod_name},
       {log_key::kDuration, duration}});
}

void LogFailure(const RpcRecord& rpc, const Error& error, std::chrono::milliseconds duration) {
  LogWarning("CSI call failed", {{log_key::kMethod, rpc.method},
                                 {log_key::kVolume, rpc.volume_id},
                                 {log_key::kPath, rpc.path},
                                 {log_key::kNamespace, rpc.pod_namespace},
                                 {log_key::kPod, rpc.pod_name},
                                 {log_key::kCode, CodeName(error.code)},
                                 {log_key::kError, error.message},
                                 {log_key::kDuration, duration}});
}

}  // namespace

grpc::Status RpcRecord::Finish(const Status& status, LogLevel success_level) const {
  const auto duration = std::chrono::steady_clock::now() - start;
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(duration);
  if (status) {
    LogSuccess(*this, success_level, milliseconds);
  } else {
    LogFailure(*this, status.error(), milliseconds);
  }
  if (observer) observer(method, status ? Code::kOk : status.error().code, duration);
  return ToGrpcStatus(status);
}

}  // namespace escagent::csi
