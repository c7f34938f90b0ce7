#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "agent/doctor/finding.h"
#include "base/result.h"

namespace escagent::doctor {

// What the agent that runs on this node says of itself.
struct RunningAgent {
  std::string version;
  std::string node;
  bool registered = false;               // kubelet acknowledged the driver
  std::optional<bool> keeper_connected;  // nothing: it runs without a keeper
  std::optional<long> unlocked_bytes;    // of its memory for secrets; nothing: it does not say
};

// Asks the agent at its admin socket.
Result<RunningAgent> AskRunningAgent(const std::string& admin_socket,
                                     std::chrono::milliseconds timeout);

// Whether an agent runs, and is of this program's version and well.
Findings CheckAgent(const Result<RunningAgent>& agent);

// Whether esc-keeper answers, and speaks what this program does. `keeper_socket` empty: there is
// none to be.
Finding CheckKeeper(const std::string& keeper_socket, const Result<RunningAgent>& agent,
                    std::chrono::milliseconds timeout);

// Whether kubelet knows the driver on this node: what the agent heard, and the two sockets, where
// this container sees them. `registration_socket` empty: the driver does not register.
Findings CheckRegistration(const Result<RunningAgent>& agent, const std::string& csi_socket,
                           const std::string& registration_socket);

}  // namespace escagent::doctor
