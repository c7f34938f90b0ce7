#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "agent/controller/shard_leases.h"
#include "agent/controller/store_controller.h"
#include "agent/store/kube_store_registry.h"
#include "kube/event_recorder.h"
#include "tests/component/controller/cluster_test_base.h"
#include "tests/fakes/fake_esc_api.h"

namespace escagent::controller {
namespace {

using escagent::testing::FakeEscApi;
using ::testing::HasSubstr;

constexpr char kStore[] = R"(
apiVersion: external-secrets.io/v1
kind: ClusterSecretStore
metadata: {name: app}
spec:
  conditions: [{namespaceSelector: {matchLabels: {esc: "yes"}}}]
  provider:
    pulumi:
      organization: acme
      project: web
      environment: dev
      accessToken: {secretRef: {name: pulumi, key: pat, namespace: esc-agent}}
)";

// The stores of a cluster with our CRDs, looked after by one agent.
class StoreClusterTest : public ClusterTestBase {
 protected:
  void SetUp() override {
    ClusterTestBase::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const Status applied = cluster_->Apply(ESC_AGENT_SOURCE_DIR "/manifests/crds");
    ASSERT_TRUE(applied) << applied.error().message;
    esc_->SetEnvironmentJson("acme/web/dev", R"({"a":"b"})");
    kube_ = Connect();
    registry_.emplace(store::KubeStoreRegistry::Options(), kube_->api(), kube_->informers(),
                      clock_);
    leases_.emplace(ShardLeases::Options{.namespace_name = kNamespace, .identity = "a"},
                    kube_->api(), kube_->informers(), clock_);
    events_.emplace(kube::EventRecorder::Options(), kube_->api(), clock_);
    controller_.emplace(
        StoreController::Options(), kube_->api(), *registry_,
        [this](const store::ResolvedStore&) { return esc_; }, *leases_, *events_, clock_);
    listener_ = registry_->Listen(
        {.on_store = [this](const store::StoreId& id) { controller_->OnStoreChanged(id); }});
    registry_->Start();
    leases_->Start({.on_gained = [this](int shard) { controller_->OnShardGained(shard); },
                    .on_lost = [this](int shard) { controller_->OnShardLost(shard); }});
  }
  void TearDown() override {
    if (!controller_) return;
    leases_->Release();
    registry_->Unlisten(listener_);
    controller_.reset();
  }

  void Apply(const std::string& yaml) {
    const Status applied = cluster_->ApplyText(yaml);
    ASSERT_TRUE(applied) << applied.error().message;
  }
  void PutToken(const std::string& token) {
    Apply(
        "{apiVersion: v1, kind: Secret, metadata: {name: pulumi, namespace: esc-agent}, "
        "stringData: {pat: " +
        token + "}}");
  }
  // "True Valid store validated"
  std::string Ready() const {
    const auto answer =
        cluster_->Request("GET", "/apis/external-secrets.io/v1/clustersecretstores/app");
    const store::StoreStatus status = store::ReadStoreStatus(answer.body);
    const store::StatusCondition* ready = status.Ready();
    return ready == nullptr ? "" : ready->status + " " + ready->reason + " " + ready->message;
  }

  std::shared_ptr<FakeEscApi> esc_ = std::make_shared<FakeEscApi>();
  std::unique_ptr<kube::Cluster> kube_;
  std::optional<store::KubeStoreRegistry> registry_;
  std::optional<ShardLeases> leases_;
  std::optional<kube::EventRecorder> events_;
  std::optional<StoreController> controller_;
  int listener_ = 0;
};

TEST_P(StoreClusterTest, StatusFollowsTokenAndEnvironment) {
  Apply(kStore);
  EXPECT_TRUE(Eventually([&] { return Ready().starts_with("False InvalidProviderConfig"); }));
  EXPECT_THAT(Ready(), HasSubstr("there is no such Secret"));
  PutToken("pul-abc");
  EXPECT_TRUE(Eventually([&] { return Ready() == "True Valid store validated"; })) << Ready();
  EXPECT_TRUE(Eventually([&] {
    const auto events = cluster_->Request("GET", "/api/v1/events");
    for (const auto& event : events.body["items"]) {
      if (event["reason"] == "Valid" && event["involvedObject"]["name"] == "app") return true;
    }
    return false;
  }));
  esc_->RemoveEnvironment("acme/web/dev");
  PutToken("pul-new");
  EXPECT_TRUE(Eventually([&] { return Ready().starts_with("False"); }));
  EXPECT_THAT(Ready(), HasSubstr("acme/web/dev"));
}

TEST_P(StoreClusterTest, ResolvesForTheNamespacesThatConditionsAdmit) {
  PutToken("pul-abc");
  Apply(kStore);
  ASSERT_TRUE(Eventually([&] { return registry_->Synced(); }));
  Apply("{apiVersion: v1, kind: Namespace, metadata: {name: podinfo}}");
  EXPECT_TRUE(Eventually([&] {
    const auto store = registry_->ClusterSecretStore("podinfo", "app");
    return !store && store.error().code == Code::kPermissionDenied;
  }));
  Apply("{apiVersion: v1, kind: Namespace, metadata: {name: podinfo, labels: {esc: \"yes\"}}}");
  EXPECT_TRUE(
      Eventually([&] { return registry_->ClusterSecretStore("podinfo", "app").has_value(); }));
  const auto store = registry_->ClusterSecretStore("podinfo", "app");
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ(store->token->Reveal(), "pul-abc");
  PutToken("pul-new");
  EXPECT_TRUE(Eventually([&] {
    const auto again = registry_->ClusterSecretStore("podinfo", "app");
    return again && again->token->Reveal() == "pul-new";
  }));
}

INSTANTIATE_TEST_SUITE_P(Servers, StoreClusterTest, ::testing::Values(Server::kFake, Server::kReal),
                         NameOfServer);

}  // namespace
}  // namespace escagent::controller
