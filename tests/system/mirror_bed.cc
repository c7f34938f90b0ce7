#include "tests/system/mirror_bed.h"

#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "base/strings.h"

namespace escagent::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr seconds kStartTimeout{30};
constexpr seconds kPatience{30};
constexpr char kTokenSecret[] = "pulumi-access-token";
constexpr char kTokenKey[] = "PULUMI_ACCESS_TOKEN";

std::string Encoded(const std::string& text) {
  SecretBuilder builder;
  EncodeBase64(text, builder);
  return std::string(builder.Reveal());
}

json NamespaceObject(const std::string& name) {
  return {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", name}}}};
}

}  // namespace

MirrorBed::MirrorBed(apiserver::TestCluster& cluster, std::string name)
    : cluster_(cluster),
      name_(std::move(name)),
      kubeconfig_(cluster.kubeconfig()),
      lease_namespace_(name_ + "-agents"),
      node_(ProgramFolder()) {
  for (const std::string& wanted : {name_, std::string("external-secrets"), lease_namespace_}) {
    Apply(NamespaceObject(wanted));
  }
  Apply({{"apiVersion", "v1"},
         {"kind", "Secret"},
         {"metadata", {{"name", kTokenSecret}, {"namespace", "external-secrets"}}},
         {"data", {{kTokenKey, Encoded(node_.token())}}}});
  WriteEnvironment("app",
                   "values:\n  app:\n    hello: world\n    hello-secret:\n"
                   "      fn::secret: secret\n");
  node_.StartDevServer();
}

MirrorBed::~MirrorBed() {
  for (const std::string& path : to_delete_) cluster_.Request("DELETE", path);
  for (std::unique_ptr<Process>& agent : agents_) {
    if (agent == nullptr) continue;
    agent->Signal(SIGTERM);
    agent->Wait(seconds(20));
  }
}

void MirrorBed::UseAccount(std::string kubeconfig, std::string lease_namespace) {
  kubeconfig_ = std::move(kubeconfig);
  lease_namespace_ = std::move(lease_namespace);
}

std::string MirrorBed::NodeFolder(std::size_t index) const {
  return node_.folder() + "/node" + std::to_string(index);
}

std::string MirrorBed::Endpoint(std::size_t index) const {
  return "unix://" + NodeFolder(index) + "/kubelet/plugins/csi.esc-agent.io/csi.sock";
}

std::vector<std::string> MirrorBed::AgentCommand(std::size_t index,
                                                 const std::vector<std::string>& flags) const {
  const std::string folder = NodeFolder(index);
  std::filesystem::create_directories(folder + "/kubelet/plugins_registry");
  std::vector<std::string> argv = {node_.program(),
                                   "run",
                                   "--node-name",
                                   "node-" + std::to_string(index),
                                   "--kubelet-dir",
                                   folder + "/kubelet",
                                   "--csi-endpoint",
                                   Endpoint(index),
                                   "--registration-socket",
                                   "none",
                                   "--admin-socket",
                                   folder + "/run/admin.sock",
                                   "--http-listen",
                                   "127.0.0.1:0",
                                   "--esc-url",
                                   node_.esc_url(),
                                   "--kubeconfig",
                                   kubeconfig_,
                                   "--namespace",
                                   lease_namespace_,
                                   "--mirror",
                                   "on"};
  argv.insert(argv.end(), flags.begin(), flags.end());
  return argv;
}

void MirrorBed::StartAgent(std::size_t index, const std::vector<std::string>& flags) {
  if (agents_.size() <= index) agents_.resize(index + 1);
  agents_[index] =
      std::make_unique<Process>(AgentCommand(index, flags), std::map<std::string, std::string>{},
                                node_.folder() + "/mirror-agent" + std::to_string(++started_));
  if (!agents_[index]->WaitForOutput("http listening", kStartTimeout)) {
    throw std::runtime_error("the agent did not start:\n" + AgentLog(index));
  }
}

int MirrorBed::StopAgent(std::size_t index) {
  agents_[index]->Signal(SIGTERM);
  const int code = agents_[index]->Wait(seconds(20));
  agents_[index].reset();
  return code;
}

void MirrorBed::KillAgent(std::size_t index) {
  agents_[index]->Signal(SIGKILL);
  agents_[index]->Wait(seconds(20));
  agents_[index].reset();
}

std::string MirrorBed::AgentLog(std::size_t index) const {
  if (index >= agents_.size() || agents_[index] == nullptr) return "(it does not run)";
  return agents_[index]->Out() + agents_[index]->Err();
}

InlineVolume MirrorBed::Volume(const std::string& pod, const std::string& uid,
                               std::map<std::string, std::string> attributes) const {
  InlineVolume volume;
  volume.name = "esc";
  volume.pod_name = pod;
  volume.pod_namespace = name_;
  volume.pod_uid = uid;
  volume.attributes = std::move(attributes);
  return volume;
}

Result<std::string> MirrorBed::Publish(const InlineVolume& volume, std::size_t index) const {
  return Kubelet({.root = NodeFolder(index) + "/kubelet", .say = {}})
      .Publish(Endpoint(index), volume);
}

Status MirrorBed::Unpublish(const InlineVolume& volume, std::size_t index) const {
  return Kubelet({.root = NodeFolder(index) + "/kubelet", .say = {}})
      .Unpublish(Endpoint(index), volume);
}

std::string MirrorBed::MakePod(const std::string& pod) const {
  Apply({{"apiVersion", "v1"},
         {"kind", "Pod"},
         {"metadata", {{"name", pod}, {"namespace", name_}}},
         {"spec", {{"containers", json::array({{{"name", "main"}, {"image", "busybox"}}})}}}});
  return Get("/api/v1/namespaces/" + name_ + "/pods/" + pod)["metadata"]["uid"];
}

void MirrorBed::WriteEnvironment(const std::string& environment,
                                 const std::string& definition) const {
  node_.WriteEnvironment("acme/" + name_ + "/" + environment, definition);
}

json MirrorBed::ClusterStore(const std::string& store, const std::string& environment) const {
  return {{"apiVersion", "external-secrets.io/v1"},
          {"kind", "ClusterSecretStore"},
          {"metadata", {{"name", name_ + "-" + store}}},
          {"spec",
           {{"provider",
             {{"pulumi",
               {{"organization", "acme"},
                {"project", name_},
                {"environment", environment},
                {"accessToken",
                 {{"secretRef",
                   {{"name", kTokenSecret},
                    {"key", kTokenKey},
                    {"namespace", "external-secrets"}}}}}}}}}}}};
}

std::string MirrorBed::ApplyClusterStore(const std::string& store, const std::string& environment,
                                         const json& conditions) {
  json object = ClusterStore(store, environment);
  if (!conditions.is_null()) object["spec"]["conditions"] = conditions;
  Apply(object);
  to_delete_.push_back(StorePath(store));
  return object["metadata"]["name"];
}

json MirrorBed::ExternalSecret(const std::string& object, const std::string& store,
                               const std::string& key) const {
  return {{"apiVersion", "external-secrets.io/v1"},
          {"kind", "ExternalSecret"},
          {"metadata", {{"name", object}, {"namespace", name_}}},
          {"spec",
           {{"refreshInterval", "1s"},
            {"secretStoreRef", {{"kind", "ClusterSecretStore"}, {"name", name_ + "-" + store}}},
            {"dataFrom", json::array({{{"extract", {{"key", key}}}}})}}}};
}

void MirrorBed::Apply(const json& object) const {
  if (const Status applied = cluster_.ApplyObject(object); !applied) {
    throw std::runtime_error(applied.error().ToString());
  }
}

void MirrorBed::ApplyFile(const std::string& path) const {
  if (const Status applied = cluster_.Apply(path); !applied) {
    throw std::runtime_error(applied.error().ToString());
  }
}

void MirrorBed::DeleteObject(const std::string& path) const { cluster_.Request("DELETE", path); }

std::string MirrorBed::SecretPath(const std::string& secret) const {
  return "/api/v1/namespaces/" + name_ + "/secrets/" + secret;
}

std::string MirrorBed::ObjectPath(const std::string& object) const {
  return "/apis/external-secrets.io/v1/namespaces/" + name_ + "/externalsecrets/" + object;
}

std::string MirrorBed::StorePath(const std::string& store) const {
  return "/apis/external-secrets.io/v1/clustersecretstores/" + name_ + "-" + store;
}

json MirrorBed::Get(const std::string& path) const {
  const apiserver::Answer answer = cluster_.Request("GET", path);
  return answer.status == 200 ? answer.body : json();
}

MirrorBed::Data MirrorBed::SecretData(const std::string& secret) const {
  Data data;
  const json object = Get(SecretPath(secret));
  if (!object.is_object() || !object.contains("data")) return data;
  for (const auto& [key, value] : object["data"].items()) {
    const std::optional<Secret> bytes = DecodeBase64(value.get_ref<const std::string&>());
    data[key] = bytes ? std::string(bytes->Reveal()) : "(not base64)";
  }
  return data;
}

MirrorBed::Ready MirrorBed::ReadyOf(const std::string& path) const {
  const json object = Get(path);
  if (!object.is_object() || !object.contains("status")) return {};
  const json conditions = object["status"].value("conditions", json::array());
  for (const json& condition : conditions) {
    if (condition.value("type", "") != "Ready") continue;
    return {condition.value("status", ""), condition.value("reason", ""),
            condition.value("message", "")};
  }
  return {};
}

bool MirrorBed::AwaitSecret(const std::string& secret, const Data& data) const {
  return WaitFor([&] { return SecretData(secret) == data; }, kPatience);
}

bool MirrorBed::AwaitReady(const std::string& path, const std::string& status,
                           const std::string& text) const {
  return WaitFor(
      [&] {
        const Ready ready = ReadyOf(path);
        return ready.status == status && ready.message.find(text) != std::string::npos;
      },
      kPatience);
}

}  // namespace escagent::testing
