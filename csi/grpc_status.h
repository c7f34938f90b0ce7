#pragma once

#include <grpcpp/support/status.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace escagent::csi {

// Longer messages are cut (at a character): gRPC carries them in a header of limited size, and an
// over-long one would replace the whole status by a transport error.
inline constexpr std::size_t kMaxStatusMessage = 2000;

// The status that goes to kubelet, which shows its message verbatim in the pod's FailedMount event.
// Never empty, as the CSI specification demands, and never with details.
inline grpc::Status ToGrpcStatus(const Error& error) {
  std::string message = error.message.empty()
                            ? "failed with " + std::string(CodeName(error.code)) +
                                  "; the log of the esc-agent on this node may say more"
                            : error.message;
  if (message.size() > kMaxStatusMessage) {
    std::size_t end = kMaxStatusMessage - 3;
    while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0U) == 0x80U) --end;
    message.resize(end);
    message += "...";
  }
  const Code code = error.code == Code::kOk ? Code::kInternal : error.code;
  return {static_cast<grpc::StatusCode>(code), std::move(message)};
}

inline grpc::Status ToGrpcStatus(const Status& status) {
  return status ? grpc::Status::OK : ToGrpcStatus(status.error());
}

}  // namespace escagent::csi
