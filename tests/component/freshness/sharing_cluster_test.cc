#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/freshness/probe_sharing.h"
#include "agent/freshness/shared_heads.h"
#include "agent/freshness/sharing_supervisor.h"
#include "agent/store/kube_store_registry.h"
#include "base/clock.h"
#include "base/file.h"
#include "kube/cluster.h"
#include "tests/component/controller/cluster_test_base.h"
#include "tests/fakes/apiserver/test_cluster.h"
#include "tests/fakes/fake_esc_api.h"

// Agents that share what they know of ESC through an API server: over HTTP, by the rights that
// manifests/ give.

namespace escagent::freshness {
namespace {

using apiserver::TestCluster;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

constexpr char kApiUrl[] = "https://api.pulumi.com/api/esc";
constexpr char kObjects[] = R"(
apiVersion: v1
kind: Secret
metadata: {name: pulumi, namespace: esc-agent}
stringData: {pat: pul-abc123}
---
apiVersion: external-secrets.io/v1
kind: ClusterSecretStore
metadata: {name: app}
spec:
  provider:
    pulumi:
      organization: acme
      project: web
      environment: dev
      accessToken: {secretRef: {name: pulumi, key: pat, namespace: esc-agent}}
)";

std::unique_ptr<kube::Cluster> Connect(const std::string& kubeconfig, Clock& clock) {
  const Result<kube::Config> config = kube::FindConfig(kubeconfig);
  EXPECT_TRUE(config) << config.error().message;
  return std::make_unique<kube::Cluster>(*config, kube::Cluster::Options{.user_agent = "test"},
                                         clock);
}

void Prepare(const TestCluster& cluster) {
  const Status made =
      cluster.ApplyText("{apiVersion: v1, kind: Namespace, metadata: {name: esc-agent}}");
  ASSERT_TRUE(made) << made.error().message;
  const Status crds = cluster.Apply(ESC_AGENT_SOURCE_DIR "/manifests/crds");
  ASSERT_TRUE(crds) << crds.error().message;
  const Status applied = cluster.ApplyText(kObjects);
  ASSERT_TRUE(applied) << applied.error().message;
}

// One agent: its stores by the administrator's rights, what it shares by those of `kubeconfig`.
struct Agent {
  Agent(const TestCluster& cluster, const std::string& kubeconfig,
        std::shared_ptr<testing::FakeEscApi> esc, const std::string& node)
      : admin(Connect(cluster.kubeconfig(), clock)),
        kube(Connect(kubeconfig, clock)),
        stores({}, admin->api(), admin->informers(), clock),
        heads({}, clock, 1) {
    heads.NoteStore(kApiUrl, "identity", "ClusterSecretStore app");
    stores.Start();
    supervisor.emplace(
        SharingSupervisor::Options{
            .namespace_name = "esc-agent", .rights_again = 200ms, .pause = 500ms},
        kube->api(),
        [this, esc, node](ProbeSharing::OnBroken on_broken) {
          ++started;
          return std::make_unique<ProbeSharing>(
              ProbeSharing::Options{.namespace_name = "esc-agent",
                                    .node_name = node,
                                    .interval = 500ms,
                                    .patience = 2s},
              heads, kube->api(), kube->informers(), stores,
              [esc](const store::ResolvedStore&) { return esc; },
              [](const std::vector<cache::EnvironmentKey>&, std::chrono::milliseconds) {},
              std::move(on_broken), clock);
        },
        clock);
  }
  // What the agent is told of the environment; empty: it has to ask by itself.
  std::string Revision() {
    const auto known = heads.Find({.backend = kApiUrl,
                                   .ref = *esc::EnvironmentRef::Parse("acme/web/dev"),
                                   .identity = "identity"});
    return known && known->head ? known->head->revision : "";
  }

  SystemClock clock;
  std::unique_ptr<kube::Cluster> admin;
  std::unique_ptr<kube::Cluster> kube;
  store::KubeStoreRegistry stores;
  SharedHeads heads;
  std::atomic<int> started = 0;
  std::optional<SharingSupervisor> supervisor;
};

std::shared_ptr<testing::FakeEscApi> MakeEsc() {
  auto esc = std::make_shared<testing::FakeEscApi>();
  esc->SetEnvironmentJson("acme/web/dev", "{}");
  return esc;
}

class SharingClusterTest : public controller::ClusterTestBase {
 protected:
  void SetUp() override {
    ClusterTestBase::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) Prepare(*cluster_);
  }
  std::unique_ptr<Agent> Start(const std::string& node) {
    return std::make_unique<Agent>(*cluster_, cluster_->kubeconfig(), esc_, node);
  }
  const std::shared_ptr<testing::FakeEscApi> esc_ = MakeEsc();
};

TEST_P(SharingClusterTest, OneAsksForAllUntilItEnds) {
  auto a = Start("a");
  auto b = Start("b");
  ASSERT_TRUE(Eventually([&] { return a->Revision() == "1" && b->Revision() == "1"; }));
  esc_->SetEnvironmentJson("acme/web/dev", "{}");
  ASSERT_TRUE(Eventually([&] { return a->Revision() == "2" && b->Revision() == "2"; }));
  EXPECT_TRUE(Eventually([&] {
    const auto of_a = a->supervisor->GetStats();
    const auto of_b = b->supervisor->GetStats();
    return of_a && of_b && of_a->shards_followed + of_b->shards_followed == 1;
  })) << "one of them relies on the other";

  a.reset();
  esc_->SetEnvironmentJson("acme/web/dev", "{}");
  EXPECT_TRUE(Eventually([&] { return b->Revision() == "3"; }));
  const std::string path = "/api/v1/namespaces/esc-agent/configmaps?labelSelector=";
  const auto objects = cluster_->Request("GET", path + kProbesLabel);
  EXPECT_EQ(objects.status, 200);
  EXPECT_EQ(objects.body["items"].size(), 1U);
  EXPECT_EQ(objects.body.dump().find("pul-abc123"), std::string::npos);
}

TEST_P(SharingClusterTest, WithoutTheApiServerEachAsksByItself) {
  if (!cluster_->IsFake()) GTEST_SKIP() << "the real server is not stopped for this";
  auto a = Start("a");
  auto b = Start("b");
  ASSERT_TRUE(Eventually([&] { return a->Revision() == "1" && b->Revision() == "1"; }));
  cluster_->fake().faults().SetDown(true);
  EXPECT_TRUE(Eventually([&] { return a->Revision().empty() && b->Revision().empty(); }));
  cluster_->fake().faults().SetDown(false);
  EXPECT_TRUE(Eventually([&] { return a->Revision() == "1" && b->Revision() == "1"; }));
}

TEST_P(SharingClusterTest, WhoseWritesAreRefusedStandsBack) {
  if (!cluster_->IsFake()) GTEST_SKIP() << "the real server has no faults";
  auto a = Start("a");
  ASSERT_TRUE(Eventually([&] { return a->Revision() == "1"; }));
  // A quota, an admission webhook, an object that is too large.
  cluster_->fake().faults().Add(
      {.verb = "patch", .resource = "configmaps", .status = 422, .message = "refused"});
  esc_->SetEnvironmentJson("acme/web/dev", "{}");
  EXPECT_TRUE(Eventually([&] { return a->Revision().empty(); }));
  cluster_->fake().faults().Clear();
  EXPECT_TRUE(Eventually([&] { return a->Revision() == "2"; }));
  EXPECT_GE(a->started, 2);
}

INSTANTIATE_TEST_SUITE_P(Servers, SharingClusterTest,
                         ::testing::Values(controller::Server::kFake, controller::Server::kReal),
                         controller::NameOfServer);

int CountOf(const std::string& text, std::string_view part) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

TEST(SharingRightsTest, WithoutRightsOneLineAndWithThoseOfTheManifestsItBegins) {
  apiserver::ApiServer::Options options;
  options.rbac = true;
  options.tokens["agent"] = {.name = "system:serviceaccount:esc-agent:esc-agent",
                             .groups = {"system:authenticated", "system:serviceaccounts"}};
  auto cluster = TestCluster::Fake(std::move(options));
  ASSERT_TRUE(cluster) << cluster.error().message;
  Prepare(**cluster);
  const std::string kubeconfig = (*cluster)->folder() + "/agent.kubeconfig";
  ASSERT_TRUE(
      WriteFileAtomically(kubeconfig, (*cluster)->fake().KubeconfigFor("agent", "esc-agent")));

  ::testing::internal::CaptureStderr();
  Agent agent(**cluster, kubeconfig, MakeEsc(), "a");
  const auto reviews = [&] {
    return (*cluster)->fake().log().Total("create", "selfsubjectaccessreviews*", "*");
  };
  ASSERT_TRUE(TestCluster::WaitUntil([&] { return reviews() >= 5; }));
  EXPECT_EQ(agent.Revision(), "");
  EXPECT_FALSE(agent.supervisor->GetStats());
  EXPECT_EQ(agent.started, 0);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(CountOf(log, "\"warn\""), 1) << log;
  EXPECT_THAT(log, ::testing::HasSubstr("may not get leases in namespace esc-agent"));
  EXPECT_EQ((*cluster)->fake().log().Total("*", "leases*"), 0U) << "nothing else is tried";

  const Status given = (*cluster)->Apply(ESC_AGENT_SOURCE_DIR "/manifests/rbac/agent/leases.yaml");
  ASSERT_TRUE(given) << given.error().message;
  EXPECT_TRUE(TestCluster::WaitUntil([&] { return agent.Revision() == "1"; }));
}

}  // namespace
}  // namespace escagent::freshness
