#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/controller/cluster_external_secret_controller.h"
#include "agent/store/kube_store_registry.h"
#include "kube/event_recorder.h"
#include "tests/component/controller/cluster_test_base.h"

namespace escagent::controller {
namespace {

using nlohmann::json;

constexpr char kGroup[] = "/apis/external-secrets.io/v1/";
constexpr char kShared[] = R"(
apiVersion: external-secrets.io/v1
kind: ClusterExternalSecret
metadata: {name: shared}
spec:
  externalSecretName: app
  externalSecretMetadata: {labels: {team: x}}
  namespaceSelectors: [{matchLabels: {kind: web}}]
  namespaces: [jobs]
  externalSecretSpec:
    secretStoreRef: {kind: ClusterSecretStore, name: app}
    dataFrom: [{extract: {key: app}}]
)";

// The ClusterExternalSecrets of a cluster with our CRDs, looked after by one agent.
class ClusterExternalSecretClusterTest : public ClusterTestBase {
 protected:
  void SetUp() override {
    ClusterTestBase::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const escagent::Status applied = cluster_->Apply(ESC_AGENT_SOURCE_DIR "/manifests/crds");
    ASSERT_TRUE(applied) << applied.error().message;
    PutNamespace("web-1", "web");
    PutNamespace("web-2", "web");
    PutNamespace("jobs", "job");
    kube_ = Connect();
    registry_.emplace(store::KubeStoreRegistry::Options(), kube_->api(), kube_->informers(),
                      clock_);
    events_.emplace(kube::EventRecorder::Options(), kube_->api(), clock_);
    controller_.emplace(
        ClusterExternalSecretController::Options{
            .is_mine = [](const std::string&) { return true; },
            .namespaces = [this]() -> std::optional<std::map<std::string, store::Labels>> {
              if (!registry_->Synced()) return std::nullopt;
              return registry_->Namespaces();
            }},
        kube_->api(), kube_->informers(), *events_, clock_);
    listener_ = registry_->Listen(
        {.on_namespace = [this](const std::string&) { controller_->OnNamespaceChanged(); }});
    registry_->Start();
    controller_->OnShardGained();
  }
  void TearDown() override {
    if (!controller_) return;
    registry_->Unlisten(listener_);
    controller_.reset();
  }

  void Apply(const std::string& yaml) {
    const escagent::Status applied = cluster_->ApplyText(yaml);
    ASSERT_TRUE(applied) << applied.error().message;
  }
  void PutNamespace(const std::string& name, const std::string& kind) {
    Apply("{apiVersion: v1, kind: Namespace, metadata: {name: " + name +
          ", labels: {kind: " + kind + "}}}");
  }
  static std::string PathIn(const std::string& name_space) {
    return kGroup + ("namespaces/" + name_space + "/externalsecrets/app");
  }
  // Null when there is none, or it is on its way out.
  json ExternalSecretIn(const std::string& name_space) const {
    const auto answer = cluster_->Request("GET", PathIn(name_space));
    if (answer.status != 200) return {};
    return answer.body["metadata"].contains("deletionTimestamp") ? json() : answer.body;
  }
  json Status() const {
    const auto answer =
        cluster_->Request("GET", std::string(kGroup) + "clusterexternalsecrets/shared");
    return answer.body.value("status", json::object());
  }
  bool AwaitProvisioned(const std::vector<std::string>& namespaces) const {
    return Eventually(
        [&] { return Status().value("provisionedNamespaces", json()) == json(namespaces); });
  }
  bool AwaitSpec(const std::string& name_space, const std::string& key) const {
    return Eventually([&] {
      const json object = ExternalSecretIn(name_space);
      return !object.is_null() && object["spec"]["dataFrom"][0]["extract"]["key"] == key;
    });
  }

  std::unique_ptr<kube::Cluster> kube_;
  std::optional<store::KubeStoreRegistry> registry_;
  std::optional<kube::EventRecorder> events_;
  std::optional<ClusterExternalSecretController> controller_;
  int listener_ = 0;
};

TEST_P(ClusterExternalSecretClusterTest, FromBirthToDeath) {
  Apply(kShared);
  ASSERT_TRUE(AwaitProvisioned({"jobs", "web-1", "web-2"})) << Status();
  EXPECT_EQ(Status()["externalSecretName"], "app");
  EXPECT_EQ(Status()["conditions"][0]["status"], "True");
  const json made = ExternalSecretIn("web-1");
  EXPECT_EQ(made["metadata"]["labels"], json::parse(R"({"team": "x"})"));
  EXPECT_EQ(made["metadata"]["ownerReferences"][0]["kind"], "ClusterExternalSecret");

  // A namespace that comes, and one that is not selected any more.
  PutNamespace("web-3", "web");
  PutNamespace("web-2", "job");
  ASSERT_TRUE(AwaitProvisioned({"jobs", "web-1", "web-3"})) << Status();
  EXPECT_TRUE(ExternalSecretIn("web-2").is_null());

  // Without kube-controller-manager nobody else removes them.
  cluster_->Request("DELETE", std::string(kGroup) + "clusterexternalsecrets/shared");
  EXPECT_TRUE(Eventually([&] {
    return ExternalSecretIn("jobs").is_null() && ExternalSecretIn("web-1").is_null() &&
           ExternalSecretIn("web-3").is_null();
  }));
}

TEST_P(ClusterExternalSecretClusterTest, RepairsAndFollows) {
  Apply(kShared);
  ASSERT_TRUE(AwaitProvisioned({"jobs", "web-1", "web-2"})) << Status();
  cluster_->Request("DELETE", PathIn("web-1"));
  EXPECT_TRUE(AwaitSpec("web-1", "app"));
  const auto edited = cluster_->Request(
      "PATCH", PathIn("web-2"), json::parse(R"({"metadata": {"labels": {"team": null, "more": "y"}},
                      "spec": {"dataFrom": [{"extract": {"key": "evil"}}]}})"),
      "application/merge-patch+json");
  ASSERT_EQ(edited.status, 200);
  EXPECT_TRUE(AwaitSpec("web-2", "app"));
  EXPECT_EQ(ExternalSecretIn("web-2")["metadata"]["labels"], json::parse(R"({"team": "x"})"));
  std::string changed = kShared;
  changed.replace(changed.find("key: app"), 8, "key: db");
  Apply(changed);
  for (const char* name : {"jobs", "web-1", "web-2"}) EXPECT_TRUE(AwaitSpec(name, "db")) << name;
}

TEST_P(ClusterExternalSecretClusterTest, AnothersExternalSecretIsReported) {
  Apply(R"(
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: app, namespace: web-1}
spec:
  secretStoreRef: {name: mine}
  dataFrom: [{extract: {key: mine}}]
)");
  Apply(kShared);
  ASSERT_TRUE(AwaitProvisioned({"jobs", "web-2"})) << Status();
  EXPECT_EQ(Status()["failedNamespaces"], json::parse(R"([{"namespace": "web-1",
                             "reason": "external secret already exists in namespace"}])"));
  EXPECT_EQ(Status()["conditions"][0]["status"], "False");
  EXPECT_TRUE(AwaitSpec("web-1", "mine"));
  cluster_->Request("DELETE", PathIn("web-1"));
  EXPECT_TRUE(AwaitProvisioned({"jobs", "web-1", "web-2"})) << Status();
}

TEST_P(ClusterExternalSecretClusterTest, ANewAgentWritesNothing) {
  Apply(kShared);
  ASSERT_TRUE(AwaitProvisioned({"jobs", "web-1", "web-2"})) << Status();
  const auto versions = [&] {
    std::vector<std::string> found;
    for (const char* name : {"jobs", "web-1", "web-2"}) {
      found.push_back(ExternalSecretIn(name)["metadata"].value("resourceVersion", ""));
    }
    const auto shared =
        cluster_->Request("GET", std::string(kGroup) + "clusterexternalsecrets/shared");
    found.push_back(shared.body["metadata"].value("resourceVersion", ""));
    return found;
  };
  const std::vector<std::string> before = versions();
  controller_.reset();
  controller_.emplace(ClusterExternalSecretController::Options{
                          .is_mine = [](const std::string&) { return true; },
                          .namespaces = [this] { return std::optional(registry_->Namespaces()); }},
                      kube_->api(), kube_->informers(), *events_, clock_);
  controller_->OnShardGained();
  ASSERT_TRUE(Eventually([&] { return controller_->GetStats().ready == 1; }));
  // What it does for this one comes after what it did for the rest.
  cluster_->Request("DELETE", PathIn("jobs"));
  ASSERT_TRUE(AwaitSpec("jobs", "app"));
  std::vector<std::string> after = versions();
  after[0] = before[0];
  EXPECT_EQ(after, before);
}

INSTANTIATE_TEST_SUITE_P(Servers, ClusterExternalSecretClusterTest,
                         ::testing::Values(Server::kFake, Server::kReal), NameOfServer);

}  // namespace
}  // namespace escagent::controller
