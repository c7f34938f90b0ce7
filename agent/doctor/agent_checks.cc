#include "agent/doctor/agent_checks.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <utility>

#include "agent/status/admin_protocol.h"
#include "base/json.h"
#include "base/json_fields.h"
#include "base/version.h"
#include "fuse/keeper/client_probe.h"

namespace escagent::doctor {
namespace {

constexpr char kAgentLog[] =
    "look at the agent's log: kubectl -n esc-agent logs, of its pod on this node";

// Whether the file is a socket; what is wrong otherwise. `hidden`: this process cannot tell.
std::string SocketProblem(const std::string& path, bool& hidden) {
  struct stat found = {};
  const std::string folder = std::filesystem::path(path).parent_path().string();
  hidden = stat(folder.c_str(), &found) != 0 || access(folder.c_str(), X_OK) != 0;
  if (hidden) return folder + " is not to be seen from here";
  if (stat(path.c_str(), &found) != 0) {
    return path + ": " + std::error_code(errno, std::generic_category()).message();
  }
  return S_ISSOCK(found.st_mode) ? "" : path + " is no socket";
}

Finding CheckSocket(const std::string& check, const std::string& path, const std::string& advice) {
  bool hidden = false;
  const std::string problem = SocketProblem(path, hidden);
  if (hidden) return Skipped(check, problem);
  return problem.empty() ? Ok(check, path) : Failed(check, problem, advice);
}

}  // namespace

Result<RunningAgent> AskRunningAgent(const std::string& admin_socket,
                                     std::chrono::milliseconds timeout) {
  ESC_ASSIGN_OR_RETURN(const std::string text, status::AskAgent(admin_socket, "status", timeout));
  ESC_ASSIGN_OR_RETURN(const nlohmann::json report, ParseJson(text, "the agent's answer"));
  const nlohmann::json& agent = Member(report, "agent");
  if (!agent.is_object()) return Internal("the agent's answer has no member \"agent\"");
  RunningAgent running{.version = StringMember(agent, "version"),
                       .node = StringMember(agent, "node"),
                       .registered = BoolMember(agent, "registered"),
                       .keeper_connected = std::nullopt,
                       .unlocked_bytes = std::nullopt};
  if (agent.contains("keeperConnected")) {
    running.keeper_connected = BoolMember(agent, "keeperConnected");
  }
  const nlohmann::json& memory = Member(agent, "secretMemory");
  if (memory.is_object()) {
    running.unlocked_bytes = IntegerMember(memory, "unlockedBytes");
  }
  return running;
}

Findings CheckAgent(const Result<RunningAgent>& agent) {
  const std::string check = "agent";
  if (!agent && agent.error().code == Code::kPermissionDenied) {
    return {Skipped(check, agent.error().message, "run doctor as root, or as the agent's user")};
  }
  if (!agent) {
    return {Failed(check, agent.error().message,
                   "start the agent (esc-agent run), or set --admin-socket to its own; " +
                       std::string(kAgentLog))};
  }
  Findings findings;
  if (agent->version == kVersion) {
    findings.push_back(Ok(check, "version " + agent->version + " on node " + agent->node));
  } else {
    findings.push_back(Warning(
        check, "version " + agent->version + " runs, and this program is " + std::string(kVersion),
        "run the doctor of the agent's own image: kubectl -n esc-agent exec ds/esc-agent "
        "-- esc-agent doctor"));
  }
  if (agent->unlocked_bytes && *agent->unlocked_bytes > 0) {
    findings.push_back(Warning("agent's locked memory",
                               std::to_string(*agent->unlocked_bytes >> 10) +
                                   " KiB of its memory for secrets can be swapped",
                               "as for the limit of locked memory, above"));
  }
  return findings;
}

Finding CheckKeeper(const std::string& keeper_socket, const Result<RunningAgent>& agent,
                    std::chrono::milliseconds timeout) {
  const std::string check = "keeper";
  if (keeper_socket.empty()) {
    return Skipped(check, "no --keeper-socket: the agent mounts by itself");
  }
  const Result<keeper::ProbedKeeper> probed = keeper::ProbeKeeper(keeper_socket, timeout);
  if (!probed && probed.error().code == Code::kPermissionDenied) {
    return Failed(check, probed.error().message,
                  "run this as root, or as the user of the keeper's --agent-uid (65532 in the "
                  "chart), which must be the agent's");
  }
  if (!probed) {
    return Failed(check, probed.error().message,
                  "start esc-keeper: its DaemonSet has a pod on this node (kubectl get pods -o "
                  "wide); both pods mount the same host folder for the socket");
  }
  const bool connected = agent && agent->keeper_connected.value_or(false);
  if (*probed == keeper::ProbedKeeper::kOtherProtocol) {
    return Failed(check, "it does not understand this program: their versions do not fit",
                  "delete the keeper's pod on this node, so that a new one takes over");
  }
  if (agent && !agent->keeper_connected) {
    return Failed(check, "it answers, but the agent was started without --keeper-socket",
                  "set ESC_AGENT_KEEPER_SOCKET=" + keeper_socket + " for the agent");
  }
  if (agent && !connected) {
    return Failed(check, "it answers, but the agent is not connected to it", kAgentLog);
  }
  if (connected) return Ok(check, "answers, and the agent is connected to it");
  return Ok(check, *probed == keeper::ProbedKeeper::kSameProtocol
                       ? "answers, in this program's protocol"
                       : "answers; no agent tells whether the versions fit");
}

Findings CheckRegistration(const Result<RunningAgent>& agent, const std::string& csi_socket,
                           const std::string& registration_socket) {
  const std::string check = "kubelet registration";
  if (registration_socket.empty()) {
    return {Skipped(check, "--registration-socket is none: the driver does not register")};
  }
  Findings findings;
  if (!agent) {
    findings.push_back(Skipped(check, "no agent answers"));
  } else if (agent->registered) {
    // Behind a keeper's sockets an agent takes over what its predecessor was told.
    findings.push_back(Ok(check, agent->keeper_connected
                                     ? "the driver counts as registered; CSINode has kubelet's word"
                                     : "kubelet has acknowledged the driver"));
  } else {
    findings.push_back(Failed(
        check, "kubelet has not asked for the driver",
        "kubelet looks into plugins_registry of its --root-dir: --kubelet-dir, "
        "--registration-socket and the hostPath of the pod must be of that folder; kubelet's "
        "log names the driver when it refuses it"));
  }
  const std::string advice =
      "who listens makes it when it starts: the keeper (--csi-socket, --registration-socket), or "
      "an agent without one; its folder must be kubelet's";
  findings.push_back(CheckSocket("CSI socket", csi_socket, advice));
  findings.push_back(CheckSocket("registration socket", registration_socket, advice));
  return findings;
}

}  // namespace escagent::doctor
