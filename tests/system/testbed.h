#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/system/process.h"
#include "tests/tools/kubelet.h"

namespace escagent::testing {

// A node in a folder: the real dev-server, agent and, if wanted, keeper as child processes, and a
// stand-in for kubelet, all below a temporary folder. Used by system tests and benchmarks, which
// run in a mount namespace of their own (EnterPrivateMountNamespace). Failures of the set-up are
// thrown (std::runtime_error): nothing can be tested without it.
class Testbed {
 public:
  // `bin`: the folder with esc-agent and esc-keeper.
  explicit Testbed(std::string bin);
  // Ends the processes, unmounts what they left, removes the folder.
  ~Testbed();
  Testbed(const Testbed&) = delete;
  Testbed& operator=(const Testbed&) = delete;

  // Writes a definition: WriteEnvironment("acme/web/dev", "values: ...").
  void WriteEnvironment(const std::string& name, const std::string& definition) const;
  // Writes a ClusterSecretStore `name` for an environment, with the token of token().
  void WriteClusterStore(const std::string& name, const std::string& environment) const;
  // Writes any YAML into the stores folder.
  void WriteStoreFile(const std::string& file, const std::string& yaml) const;

  // Starts the dev server with further flags, which accepts only token() and what it issues itself,
  // on a free port (or on that of the last one).
  void StartDevServer(const std::vector<std::string>& flags = {});
  void StopDevServer();
  // Agents started from now on take another server for ESC.
  void UseEsc(std::string url) { esc_url_ = std::move(url); }
  // Starts esc-keeper with further flags and waits until it listens; or, when there is one, another
  // that takes over from it, and waits for the end of the first. Agents started from now on use it.
  void StartKeeper(const std::vector<std::string>& flags = {});
  // Starts the agent with further flags and environment variables, and waits until it serves.
  void StartAgent(const std::vector<std::string>& flags = {},
                  const std::map<std::string, std::string>& environment = {});
  // `esc-agent run` with these flags more.
  std::vector<std::string> AgentCommand(const std::vector<std::string>& flags = {}) const;
  // SIGTERM and wait; the exit code.
  int StopAgent();

  // Sends a request to the dev server's /debug interface; the body of the answer.
  std::string Debug(const std::string& method, const std::string& path,
                    const std::string& body = "") const;
  // How many requests of a method the dev server has counted ("HEAD", "POST").
  int RequestCount(const std::string& method) const;

  InlineVolume Volume(const std::string& pod, std::map<std::string, std::string> attributes) const;

  Kubelet& kubelet() { return *kubelet_; }
  Process& agent() { return *agent_; }
  bool HasAgent() const { return agent_ != nullptr; }
  Process& keeper() { return *keeper_; }
  bool HasKeeper() const { return keeper_ != nullptr; }
  const std::string& folder() const { return folder_; }
  const std::string& token() const { return token_; }
  std::string endpoint() const { return folder_ + "/csi.sock"; }
  std::string kubelet_dir() const { return folder_ + "/kubelet"; }
  std::string registry() const { return kubelet_dir() + "/plugins_registry"; }
  std::string registration_socket() const { return registry() + "/csi.esc-agent.io-reg.sock"; }
  std::string keeper_socket() const { return folder_ + "/keeper.sock"; }
  std::string admin_socket() const { return folder_ + "/run/admin.sock"; }
  std::string program() const { return bin_ + "/esc-agent"; }
  const std::string& esc_url() const { return esc_url_; }
  // "http://127.0.0.1:port" of the agent's --http-listen.
  std::string AgentUrl() const;

 private:
  std::string bin_;
  std::string folder_;
  std::string token_;
  std::string esc_url_;
  std::unique_ptr<Process> dev_server_;
  std::unique_ptr<Process> keeper_;
  std::unique_ptr<Process> agent_;
  std::unique_ptr<Kubelet> kubelet_;
  int keepers_started_ = 0;
  int agents_started_ = 0;
};

// unshare(CLONE_NEWNS) with everything private. Ends the program with exit code 77 (skipped) and a
// line that says why when it is not root or there is no /dev/fuse.
void EnterPrivateMountNamespace();

// Where the running program is, and with it the others of the build.
std::string ProgramFolder();

// A GET of a small page on loopback.
std::string HttpGet(const std::string& url);

// Mount points below a folder, from /proc/self/mountinfo.
std::vector<std::string> MountsBelow(const std::string& folder);

// Ends the FUSE connections of what is mounted below a folder, so that nobody hangs in them.
void AbortFuseBelow(const std::string& folder);

}  // namespace escagent::testing
