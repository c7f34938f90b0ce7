#include "tests/fakes/apiserver/test_cluster.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/fakes/apiserver/object_loader.h"
#include "tests/fakes/apiserver/real_api_server.h"
#include "tests/fakes/apiserver/yaml_to_json.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

constexpr const char* kFieldManager = "test-cluster";

Result<std::string> MakeFolder() {
  std::string path = std::filesystem::temp_directory_path() / "cluster-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return ErrnoError(errno, "make a temporary folder");
  return path;
}

bool IsEstablished(const json& crd) {
  const json status = crd.value("status", json::object());
  for (const json& condition : status.value("conditions", json::array())) {
    if (condition.value("type", "") == "Established" && condition.value("status", "") == "True") {
      return true;
    }
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<TestCluster>> TestCluster::Fake(ApiServer::Options options) {
  std::unique_ptr<TestCluster> cluster(new TestCluster());
  ESC_ASSIGN_OR_RETURN(cluster->folder_, MakeFolder());
  ESC_ASSIGN_OR_RETURN(cluster->fake_, ApiServer::Start(std::move(options)));
  ApiServer& fake = *cluster->fake_;
  cluster->kubeconfig_ = cluster->folder_ + "/kubeconfig";
  ESC_RETURN_IF_ERROR(WriteFileAtomically(cluster->kubeconfig_, fake.Kubeconfig()));
  RestClient::Options client{.url = fake.url(),
                             .token = fake.admin_token(),
                             .ca_file = {},
                             .certificate_file = {},
                             .key_file = {}};
  if (const std::string ca = fake.ca_pem(); !ca.empty()) {
    client.ca_file = cluster->folder_ + "/ca.crt";
    ESC_RETURN_IF_ERROR(WriteFileAtomically(client.ca_file, ca));
  }
  cluster->client_ = std::make_unique<RestClient>(std::move(client));
  return cluster;
}

Result<std::unique_ptr<TestCluster>> TestCluster::Real() {
  // httplib's client writes to connections that the server may have closed.
  ::signal(SIGPIPE, SIG_IGN);
  std::unique_ptr<TestCluster> cluster(new TestCluster());
  ESC_ASSIGN_OR_RETURN(cluster->folder_, MakeFolder());
  ESC_ASSIGN_OR_RETURN(cluster->real_, RealApiServer::Start(cluster->folder_));
  cluster->kubeconfig_ = cluster->real_->kubeconfig();
  cluster->client_ = std::make_unique<RestClient>(cluster->real_->client_options());
  return cluster;
}

TestCluster::~TestCluster() {
  client_.reset();
  fake_.reset();
  real_.reset();
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

Answer TestCluster::Request(const std::string& method, const std::string& path, const json& body,
                            const std::string& content_type, const Headers& headers) const {
  return Send(method, path, body.is_null() ? std::string() : DumpJson(body), content_type, headers);
}

Answer TestCluster::Send(const std::string& method, const std::string& path,
                         const std::string& body, const std::string& content_type,
                         const Headers& headers) const {
  return client_->Send(method, path, body, content_type, headers);
}

std::unique_ptr<WatchReader> TestCluster::Watch(const std::string& path,
                                                const Headers& headers) const {
  return std::make_unique<WatchReader>(*client_, path, headers);
}

Result<std::string> TestCluster::PathOf(const json& object) const {
  const std::string version = object.value("apiVersion", "");
  const std::string kind = object.value("kind", "");
  const json metadata = object.value("metadata", json::object());
  const std::string root = (version.contains('/') ? "/apis/" : "/api/") + version;
  const Answer discovery = Request("GET", root);
  for (const json& resource : discovery.body.is_object()
                                  ? discovery.body.value("resources", json::array())
                                  : json::array()) {
    const std::string name = resource.value("name", "");
    if (resource.value("kind", "") != kind || name.contains('/')) continue;
    std::string path = root;
    if (resource.value("namespaced", false)) {
      path += "/namespaces/" + metadata.value("namespace", "default");
    }
    return path + "/" + name + "/" + metadata.value("name", "");
  }
  return NotFound("apply " + kind + ": " + version + " is not served with such a kind");
}

Status TestCluster::ApplyObject(const json& object) const {
  const json metadata = object.value("metadata", json::object());
  const std::string what = object.value("kind", "") + " \"" + metadata.value("name", "") + "\"";
  Result<std::string> path = PathOf(object);
  // What was defined a moment ago is served a moment later.
  WaitUntil([&] {
    path = PathOf(object);
    return path.has_value();
  });
  if (!path) return std::unexpected(path.error());
  const Answer answer = Request("PATCH", *path + "?force=true&fieldManager=" + kFieldManager,
                                object, "application/apply-patch+yaml");
  if (answer.status != 200 && answer.status != 201) {
    return InvalidArgument(
        "apply " + what + ": status " + std::to_string(answer.status) + ": " +
        (answer.body.is_object() ? answer.body.value("message", "") : answer.text));
  }
  if (object.value("kind", "") != "CustomResourceDefinition") return {};
  const bool served = WaitUntil([&] {
    const Answer crd = Request("GET", *path);
    return crd.status == 200 && IsEstablished(crd.body);
  });
  if (!served) return Unavailable("apply " + what + ": it is not established in time");
  return {};
}

Status TestCluster::ApplyText(std::string_view yaml) const {
  ESC_ASSIGN_OR_RETURN(std::vector<json> objects, YamlToJson(yaml, "manifests"));
  SortForApply(objects);
  for (const json& object : objects) ESC_RETURN_IF_ERROR(ApplyObject(object));
  return {};
}

Status TestCluster::Apply(const std::string& path) const {
  ESC_ASSIGN_OR_RETURN(const std::vector<std::string> files, ManifestFiles(path));
  std::vector<json> all;
  for (const std::string& file : files) {
    ESC_ASSIGN_OR_RETURN(const Secret text, ReadFile(file));
    ESC_ASSIGN_OR_RETURN(std::vector<json> objects, YamlToJson(text.Reveal(), file));
    std::move(objects.begin(), objects.end(), std::back_inserter(all));
  }
  SortForApply(all);
  for (const json& object : all) ESC_RETURN_IF_ERROR(ApplyObject(object));
  return {};
}

bool TestCluster::WaitUntil(const std::function<bool()>& condition) {
  SystemClock clock;
  const auto deadline = clock.Now() + kPatience;
  while (!condition()) {
    if (clock.Now() >= deadline) return false;
    clock.SleepUntil(clock.Now() + std::chrono::milliseconds(20), {});
  }
  return true;
}

}  // namespace escagent::apiserver
