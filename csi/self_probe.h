#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace escagent::csi {

// Dials the CSI socket at `socket_path` and calls Identity.Probe, as the liveness-probe sidecar
// would. OK when the driver says it is ready. Blocks for at most `timeout`.
//
// An agent that is not root may not dial the keeper's socket. It then makes a connection without
// one, whose other end `serve` gives to whoever accepts.
Status SelfProbe(const std::string& socket_path, std::chrono::milliseconds timeout,
                 const std::function<void(UniqueFd)>& serve);

}  // namespace escagent::csi
