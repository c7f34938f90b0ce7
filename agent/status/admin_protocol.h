#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace escagent::status {

// The admin socket's protocol: a unix stream socket; the client writes one line
//   status
//   refresh [ORG/PROJECT/ENV]
// and reads one JSON document until the end of the stream. {"error": "..."} tells of a failure.

// Asks the agent at `socket_path`. UNAVAILABLE when nobody listens there.
Result<std::string> AskAgent(const std::string& socket_path, std::string_view request,
                             std::chrono::milliseconds timeout);

}  // namespace escagent::status
