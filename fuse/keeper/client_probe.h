#pragma once

#include <chrono>
#include <string>

#include "base/result.h"

namespace escagent::keeper {

enum class ProbedKeeper {
  kSameProtocol,   // it understands what this program sends
  kOtherProtocol,  // it does not: it is of another version
  kAnswers,        // not said to root, for whom finding out would be a takeover
};

// Finds out whether a keeper answers at `socket_path`, without becoming its agent: the agent that
// is connected notices nothing. UNAVAILABLE when nobody listens or answers in time,
// PERMISSION_DENIED when the socket, or the keeper, is for another user.
Result<ProbedKeeper> ProbeKeeper(const std::string& socket_path, std::chrono::milliseconds timeout);

}  // namespace escagent::keeper
