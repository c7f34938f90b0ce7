#include "csi/server_options.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "csi/unix_listener.h"

namespace escagent::csi {
namespace {

constexpr std::string_view kScheme = "unix://";
// CSI specification: GetPluginInfoResponse.name and NodeGetInfoResponse.node_id.
constexpr std::size_t kMaxDriverName = 63;
constexpr std::size_t kMaxNodeName = 256;

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// "domain name notation, 63 characters or less, beginning and ending with an alphanumeric".
bool IsDriverName(std::string_view name) {
  if (name.empty() || name.size() > kMaxDriverName) return false;
  if (!IsAlphanumeric(name.front()) || !IsAlphanumeric(name.back())) return false;
  return std::ranges::all_of(
      name, [](char c) { return IsAlphanumeric(c) || c == '-' || c == '.' || c == '_'; });
}

// What is wrong with a socket path; empty when nothing is.
std::string SocketPathProblem(std::string_view path) {
  if (path.empty() || path.front() != '/') return "must be an absolute path";
  if (path.back() == '/') return "must name a socket, not a folder";
  if (path.size() > kMaxSocketPath) {
    return "must be at most " + std::to_string(kMaxSocketPath) + " bytes long, has " +
           std::to_string(path.size());
  }
  return {};
}

}  // namespace

Status Validate(const ServerOptions& options) {
  std::vector<std::string> problems;
  const auto add = [&problems](std::string_view flag, const std::string& problem) {
    if (!problem.empty()) problems.push_back(std::string(flag) + " " + problem);
  };
  if (!IsDriverName(options.driver_name)) {
    add("--driver-name",
        "must be 1 to 63 letters, digits, '-', '.' or '_', with a letter or digit at both ends");
  }
  if (options.node_name.empty() || options.node_name.size() > kMaxNodeName) {
    add("--node-name", "must be 1 to 256 bytes long");
  }
  if (!options.csi_endpoint.starts_with(kScheme)) {
    add("--csi-endpoint", "must have the form unix:///absolute/path.sock");
  } else {
    add("--csi-endpoint", SocketPathProblem(SocketPath(options.csi_endpoint)));
  }
  if (!options.registration_socket.empty()) {
    add("--registration-socket", SocketPathProblem(options.registration_socket));
    add("--kubelet-registration-path", SocketPathProblem(options.kubelet_registration_path));
    if (options.csi_endpoint == std::string(kScheme) + options.registration_socket) {
      add("--registration-socket", "must not be the socket of --csi-endpoint");
    }
  }
  if (problems.empty()) return {};
  const std::vector<std::string_view> parts(problems.begin(), problems.end());
  return InvalidArgument(Join(parts, "; "));
}

std::string SocketPath(const std::string& csi_endpoint) {
  return csi_endpoint.substr(std::min(kScheme.size(), csi_endpoint.size()));
}

}  // namespace escagent::csi
