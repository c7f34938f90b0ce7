#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <functional>
#include <utility>

namespace escagent::csi {

// What a handler knows of its call besides the request.
struct CallContext {
  std::chrono::system_clock::time_point deadline;
  // The caller has hung up.
  bool cancelled = false;
  // The server is about to stop: who asks for another turn now gets it at once, and no better.
  bool stopping = false;

  // Whether the caller has given up already (the call waited too long for its turn).
  bool Expired() const { return cancelled || std::chrono::system_clock::now() >= deadline; }

  // Whether an answer that is found out after `pause` still reaches the caller.
  bool CanWait(std::chrono::milliseconds pause) const {
    return !cancelled && !stopping && std::chrono::system_clock::now() + pause < deadline;
  }
};

// What a handler makes of a call: its status, or "not yet".
struct Answer {
  using Turn = std::function<Answer(const CallContext&)>;

  Answer(grpc::Status final_status) : status(std::move(final_status)) {}  // NOLINT: meant
  Answer(std::chrono::milliseconds wait, Turn next) : pause(wait), again(std::move(next)) {}

  grpc::Status status;
  std::chrono::milliseconds pause{0};
  // When set there is no status yet: called after `pause`, or sooner when the caller hangs up or
  // the server stops. Until then the call costs no thread. Always called before the call ends, so
  // that it can clear up.
  Turn again;
};

}  // namespace escagent::csi
