#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/result.h"

namespace escagent::csi {

// Called once for each RPC that was answered, on the RPC's thread; for metrics.
using RpcObserver =
    std::function<void(std::string_view method, Code code, std::chrono::nanoseconds duration)>;

// What may be told of one RPC, and the one place where its outcome is logged: a failure as a
// warning, a success at the level the caller gives. It knows no more of the request than the
// fields below, so that neither volume_context nor secrets can get into a log.
struct RpcRecord {
  RpcRecord(std::string_view method_name, const RpcObserver& rpc_observer)
      : method(method_name), observer(rpc_observer) {}

  // Logs, tells the observer, and translates.
  grpc::Status Finish(const Status& status, LogLevel success_level) const;

  std::string_view method;
  const RpcObserver& observer;
  const std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  std::string volume_id;
  std::string path;
  std::string pod_namespace;
  std::string pod_name;
};

}  // namespace escagent::csi
