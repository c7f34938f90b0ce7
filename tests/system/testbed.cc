#include "tests/system/testbed.h"

#include <httplib.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "base/unique_fd.h"

namespace escagent::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

constexpr seconds kStartTimeout{20};

// Thrown, so that everything started so far is taken down again.
[[noreturn]] void Die(const std::string& what) { throw std::runtime_error("testbed: " + what); }

// The word after `prefix` in `text`, up to a character of `ends`.
std::string Following(const std::string& text, const std::string& prefix, const char* ends) {
  const std::size_t at = text.find(prefix);
  if (at == std::string::npos) return "";
  const std::size_t begin = at + prefix.size();
  return text.substr(begin, text.find_first_of(ends, begin) - begin);
}

// Mount points below a folder, with the device numbers of what is there.
std::vector<std::pair<std::string, std::string>> MountTableBelow(const std::string& folder) {
  std::vector<std::pair<std::string, std::string>> mounts;
  std::ifstream file("/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::array<std::string, 5> field;
    for (std::string& text : field) fields >> text;
    if (field[4].starts_with(folder + "/")) mounts.emplace_back(field[4], field[2]);
  }
  return mounts;
}

bool IsListening(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) Die("too long for a socket: " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  const UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  return connect(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

}  // namespace

void EnterPrivateMountNamespace() {
  static bool entered = false;
  if (std::exchange(entered, true)) return;
  ProgramFolder();
  if (geteuid() != 0 || access("/dev/fuse", R_OK | W_OK) != 0) {
    std::printf("SKIPPED: needs root and /dev/fuse\n");
    std::exit(77);
  }
  if (unshare(CLONE_NEWNS) != 0 ||
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    std::printf("SKIPPED: cannot make a mount namespace\n");
    std::exit(77);
  }
}

std::string ProgramFolder() {
  // Found out once: in a chroot the link is no longer right in another mount namespace.
  static const std::string folder = fs::read_symlink("/proc/self/exe").parent_path().string();
  return folder;
}

Testbed::Testbed(std::string bin) : bin_(std::move(bin)), token_("pul-testbed-token") {
  std::string pattern = "/tmp/esc-testbed.XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) Die("cannot make a temporary folder");
  folder_ = pattern;
  for (const char* name : {"/definitions", "/stores", "/run", "/kubelet/plugins_registry"}) {
    fs::create_directories(folder_ + name);
  }
  WriteAll(folder_ + "/token", token_ + "\n");
  kubelet_ = std::make_unique<Kubelet>(Kubelet::Options{.root = folder_ + "/kubelet",
                                                        .driver_name = "csi.esc-agent.io",
                                                        .node_name = "node-1",
                                                        .say = {}});
}

Testbed::~Testbed() {
  if (agent_ != nullptr) StopAgent();
  keeper_.reset();
  StopDevServer();
  for (const std::string& target : MountsBelow(folder_)) {
    umount2(target.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  }
  // Some tests make the folder itself a mount.
  umount2(folder_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void Testbed::WriteEnvironment(const std::string& name, const std::string& definition) const {
  const fs::path path = folder_ + "/definitions/" + name + ".yaml";
  fs::create_directories(path.parent_path());
  WriteAll(path.string(), definition);
}

void Testbed::WriteClusterStore(const std::string& name, const std::string& environment) const {
  std::istringstream parts(environment);
  std::string organization;
  std::string project;
  std::string last;
  std::getline(parts, organization, '/');
  std::getline(parts, project, '/');
  std::getline(parts, last);
  WriteStoreFile(name + ".yaml",
                 "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\n"
                 "metadata: {name: " +
                     name +
                     "}\nspec:\n  provider:\n"
                     "    pulumi:\n      organization: " +
                     organization + "\n      project: " + project + "\n      environment: " + last +
                     "\n      accessToken: {secretRef: {name: \"file:" + folder_ + "/token\"}}\n");
}

void Testbed::WriteStoreFile(const std::string& file, const std::string& yaml) const {
  WriteAll(folder_ + "/stores/" + file, yaml);
}

void Testbed::StartDevServer(const std::vector<std::string>& flags) {
  const std::string listen = esc_url_.empty() ? "127.0.0.1:0" : esc_url_.substr(7);
  std::vector<std::string> argv = {
      program(), "dev-server", "--definitions", folder_ + "/definitions", "--listen", listen};
  argv.insert(argv.end(), flags.begin(), flags.end());
  dev_server_ = std::make_unique<Process>(
      argv, std::map<std::string, std::string>{{"ESC_AGENT_TOKEN", token_}},
      folder_ + "/dev-server");
  if (!dev_server_->WaitForOutput("http://", kStartTimeout)) {
    Die("the dev server did not start:\n" + dev_server_->Out() + dev_server_->Err());
  }
  esc_url_ = "http://" + Following(dev_server_->Out(), "http://", " \n,");
}

void Testbed::StopDevServer() {
  if (dev_server_ == nullptr) return;
  dev_server_->Signal(SIGTERM);
  dev_server_->Wait(seconds(10));
  dev_server_.reset();
  fs::remove(folder_ + "/dev-server.out");
}

void Testbed::StartKeeper(const std::vector<std::string>& flags) {
  std::vector<std::string> argv = {
      bin_ + "/esc-keeper", "--socket",     keeper_socket(), "--kubelet-dir",
      kubelet_dir(),        "--csi-socket", endpoint(),      "--registration-socket",
      registration_socket()};
  argv.insert(argv.end(), flags.begin(), flags.end());
  auto started =
      std::make_unique<Process>(argv, std::map<std::string, std::string>{},
                                folder_ + "/keeper" + std::to_string(++keepers_started_));
  const bool replaces = keeper_ != nullptr && keeper_->Running();
  const auto done = [&] {
    return !started->Running() || (replaces ? !keeper_->Running() : IsListening(keeper_socket()));
  };
  if (!WaitFor(done, kStartTimeout) || !started->Running()) {
    Die("the keeper did not start:\n" + started->Err());
  }
  keeper_ = std::move(started);
}

std::vector<std::string> Testbed::AgentCommand(const std::vector<std::string>& flags) const {
  std::vector<std::string> argv = {program(),
                                   "run",
                                   "--node-name",
                                   "node-1",
                                   "--kubelet-dir",
                                   kubelet_dir(),
                                   "--csi-endpoint",
                                   "unix://" + endpoint(),
                                   "--registration-socket",
                                   registration_socket(),
                                   "--admin-socket",
                                   admin_socket(),
                                   "--http-listen",
                                   "127.0.0.1:0",
                                   "--stores",
                                   folder_ + "/stores",
                                   "--esc-url",
                                   esc_url_,
                                   "--mirror",
                                   "off"};
  if (keeper_ != nullptr) argv.insert(argv.end(), {"--keeper-socket", keeper_socket()});
  argv.insert(argv.end(), flags.begin(), flags.end());
  return argv;
}

void Testbed::StartAgent(const std::vector<std::string>& flags,
                         const std::map<std::string, std::string>& environment) {
  agent_ = std::make_unique<Process>(AgentCommand(flags), environment,
                                     folder_ + "/agent" + std::to_string(++agents_started_));
  if (!agent_->WaitForOutput("http listening", kStartTimeout)) {
    Die("the agent did not start:\n" + agent_->Out() + agent_->Err());
  }
}

int Testbed::StopAgent() {
  agent_->Signal(SIGTERM);
  const int code = agent_->Wait(seconds(20));
  agent_.reset();
  return code;
}

std::string Testbed::Debug(const std::string& method, const std::string& path,
                           const std::string& body) const {
  httplib::Client client(esc_url_);
  httplib::Request request;
  request.method = method;
  request.path = path;
  request.body = body;
  request.set_header("Content-Type", "application/json");
  const httplib::Result answer = client.send(request);
  if (!answer || answer->status >= 300) Die(method + " " + path + " at the dev server failed");
  return answer->body;
}

int Testbed::RequestCount(const std::string& method) const {
  const auto counters = nlohmann::json::parse(Debug("GET", "/debug/requests"));
  int count = 0;
  for (const auto& [route, n] : counters["routes"].items()) {
    if (route.starts_with(method + " ")) count += n.get<int>();
  }
  return count;
}

InlineVolume Testbed::Volume(const std::string& pod,
                             std::map<std::string, std::string> attributes) const {
  InlineVolume volume;
  volume.name = "esc";
  volume.pod_name = pod;
  volume.pod_namespace = "default";
  volume.pod_uid = "uid-" + pod;
  volume.attributes = std::move(attributes);
  return volume;
}

std::string Testbed::AgentUrl() const {
  const std::string line = Following(agent_->Err(), "\"http listening\"", "\n");
  return "http://" + Following(line, "\"address\":\"", "\"");
}

std::string HttpGet(const std::string& url) {
  const std::size_t path = url.find('/', 8);
  httplib::Client client(url.substr(0, path));
  const httplib::Result answer =
      client.Get(path == std::string::npos ? std::string("/") : url.substr(path));
  return answer ? answer->body : "";
}

std::vector<std::string> MountsBelow(const std::string& folder) {
  std::vector<std::string> mounts;
  for (const auto& [path, device] : MountTableBelow(folder)) mounts.push_back(path);
  return mounts;
}

void AbortFuseBelow(const std::string& folder) {
  const std::string control = folder + "/fusectl";
  fs::create_directories(control);
  if (mount("fusectl", control.c_str(), "fusectl", 0, nullptr) != 0) return;
  for (const auto& [path, device] : MountTableBelow(folder)) {
    // "0:57"; of others than FUSE there is no such file.
    std::ofstream(control + "/" + device.substr(device.find(':') + 1) + "/abort") << 1;
  }
  umount2(control.c_str(), MNT_DETACH);
}

}  // namespace escagent::testing
