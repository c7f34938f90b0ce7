#include "tests/fakes/apiserver/real_api_server.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>

#include "base/file.h"
#include "base/yaml.h"

extern char** environ;

namespace escagent::apiserver {
namespace {

// The script gives up first, with a cause.
constexpr std::chrono::seconds kStart{600};
constexpr const char* kScript = ESC_AGENT_SOURCE_DIR "/tests/tools/kube_apiserver.sh";

}  // namespace

Result<std::unique_ptr<RealApiServer>> RealApiServer::Start(const std::string& folder) {
  if (std::getenv("KUBEBUILDER_ASSETS") == nullptr) {
    return FailedPrecondition(
        "start a real kube-apiserver: KUBEBUILDER_ASSETS is not set; let it name a folder with "
        "kube-apiserver and etcd (./dev kube-assets makes one)");
  }
  std::unique_ptr<RealApiServer> server(new RealApiServer());
  ESC_RETURN_IF_ERROR(server->Spawn(folder));
  ESC_RETURN_IF_ERROR(server->AwaitReady());
  ESC_RETURN_IF_ERROR(server->ReadKubeconfig(folder));
  return server;
}

Status RealApiServer::Spawn(const std::string& folder) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return ErrnoError(errno, "make a pipe");
  output_ = UniqueFd(pipe[0]);
  const UniqueFd writer(pipe[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, writer.Get(), STDOUT_FILENO);
  // The server ends with the test, however that ends.
  std::array<std::string, 5> words = {"setpriv", "--pdeathsig", "TERM", kScript, folder};
  std::array<char*, 6> arguments{};
  std::ranges::transform(words, arguments.begin(), [](std::string& word) { return word.data(); });
  const int error =
      ::posix_spawnp(&pid_, words[0].c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    pid_ = -1;
    return ErrnoError(error, std::string("start ") + kScript);
  }
  return {};
}

Status RealApiServer::AwaitReady() {
  const auto deadline = std::chrono::steady_clock::now() + kStart;
  std::string said;
  while (!said.contains("ready\n")) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd entry{.fd = output_.Get(), .events = POLLIN, .revents = 0};
    std::array<char, 256> buffer{};
    if (left.count() <= 0 || ::poll(&entry, 1, static_cast<int>(left.count())) <= 0) {
      return Unavailable("start a real kube-apiserver: it was not ready in time");
    }
    const ssize_t count = ::read(output_.Get(), buffer.data(), buffer.size());
    if (count <= 0) {
      return Unavailable("start a real kube-apiserver: it ended; what it said is above");
    }
    said.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return {};
}

Status RealApiServer::ReadKubeconfig(const std::string& folder) {
  kubeconfig_ = folder + "/kubeconfig";
  ESC_ASSIGN_OR_RETURN(const Secret text, ReadFile(kubeconfig_));
  ESC_ASSIGN_OR_RETURN(const YAML::Node node, ParseYaml(text.Reveal(), kubeconfig_));
  const YAML::Node cluster = node["clusters"][0]["cluster"];
  const YAML::Node user = node["users"][0]["user"];
  client_options_ = {.url = cluster["server"].Scalar(),
                     .token = {},
                     .ca_file = cluster["certificate-authority"].Scalar(),
                     .certificate_file = user["client-certificate"].Scalar(),
                     .key_file = user["client-key"].Scalar()};
  return {};
}

RealApiServer::~RealApiServer() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace escagent::apiserver
