#pragma once

#include <chrono>
#include <string>

#include "base/result.h"

namespace escagent::csi {

// Dials the CSI socket at `socket_path` and calls Identity.Probe, as the liveness-probe sidecar
// would. OK when the driver says it is ready. Blocks for at most `timeout`.
Status SelfProbe(const std::string& socket_path, std::chrono::milliseconds timeout);

}  // namespace escagent::csi
