// Several agents, and an API server that fails: each Secret has one writer, and what was missed is
// caught up with.

#include <chrono>
#include <set>
#include <string>

#include "tests/system/mirror_fixture.h"

namespace escagent::testing {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

const MirrorBed::Data kApp = {{"hello", "world"}, {"hello-secret", "secret"}};

class MirrorAgentsTest : public MirrorTest {
 protected:
  std::string LeasesPath() const {
    return "/apis/coordination.k8s.io/v1/namespaces/" + bed_->name() + "-agents/leases";
  }
  // The nodes that hold leases of the mirror, and how many.
  std::map<std::string, int> Holders() const {
    std::map<std::string, int> holders;
    const json list = bed_->Get(LeasesPath());
    if (!list.is_object()) return holders;
    for (const json& lease : list["items"]) {
      // Not those for looking at ESC.
      if (!lease["metadata"]["name"].get<std::string>().starts_with("esc-agent-mirror-")) continue;
      const std::string holder = lease["spec"].value("holderIdentity", "");
      if (!holder.empty()) ++holders[holder.substr(0, holder.find('_'))];
    }
    return holders;
  }
  bool AwaitHolders(const std::set<std::string>& nodes) const {
    return WaitFor(
        [&] {
          int leases = 0;
          std::set<std::string> found;
          for (const auto& [node, count] : Holders()) {
            found.insert(node);
            leases += count;
          }
          return found == nodes && leases == 8;
        },
        seconds(60));
  }
  bool AwaitValue(const std::string& value) {
    bed_->WriteEnvironment("app", "values: {app: {hello: " + value + "}}\n");
    return bed_->AwaitSecret("app", {{"hello", value}});
  }
};

INSTANTIATE_TEST_SUITE_P(Api, MirrorAgentsTest, ::testing::Values("fake", "real"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(MirrorAgentsTest, AgentsShareTheWorkAndFollowEachOther) {
  bed_->ApplyClusterStore("store", "app");
  bed_->Apply(bed_->ExternalSecret("app", "store"));
  bed_->StartAgent(0);
  ASSERT_TRUE(AwaitHolders({"node-0"}));
  ASSERT_TRUE(bed_->AwaitSecret("app", kApp));
  bed_->StartAgent(1);
  ASSERT_TRUE(AwaitHolders({"node-0", "node-1"}));
  ASSERT_TRUE(AwaitValue("shared"));

  bed_->KillAgent(0);
  const auto killed = steady_clock::now();
  ASSERT_TRUE(AwaitHolders({"node-1"}));
  std::printf("leases taken over %lld ms after kill -9\n",
              static_cast<long long>(
                  std::chrono::duration_cast<milliseconds>(steady_clock::now() - killed).count()));
  ASSERT_TRUE(AwaitValue("after-kill"));

  bed_->StartAgent(0);
  ASSERT_TRUE(AwaitHolders({"node-0", "node-1"}));
  EXPECT_EQ(bed_->StopAgent(1), 0);
  // Given back before its end.
  EXPECT_FALSE(Holders().contains("node-1"));
  ASSERT_TRUE(AwaitHolders({"node-0"}));
  ASSERT_TRUE(AwaitValue("after-stop"));
}

TEST_P(MirrorAgentsTest, AnApiServerThatFailsIsCaughtUpWith) {
  if (!IsFake()) GTEST_SKIP() << "faults are the stand-in's";
  bed_->ApplyClusterStore("store", "app");
  bed_->Apply(bed_->ExternalSecret("app", "store"));
  bed_->StartAgent();
  ASSERT_TRUE(bed_->AwaitSecret("app", kApp));
  apiserver::ApiServer& server = cluster_->fake();
  const auto with = [&](const apiserver::Fault& fault, const std::string& value) {
    server.faults().Add(fault);
    bed_->WriteEnvironment("app", "values: {app: {hello: " + value + "}}\n");
    // Until the fault has been met.
    const int heads = bed_->node().RequestCount("HEAD");
    EXPECT_TRUE(
        WaitFor([&] { return bed_->node().RequestCount("HEAD") > heads + 2; }, seconds(30)));
    server.faults().Clear();
    EXPECT_TRUE(bed_->AwaitSecret("app", {{"hello", value}})) << value;
  };
  with({.verb = "*", .resource = "secrets", .status = 500}, "500");
  with({.verb = "*", .resource = "secrets", .status = 429, .retry_after = seconds(1)}, "429");
  with({.verb = "*", .resource = "secrets", .reset = apiserver::Fault::Reset::kBefore}, "reset");
  with({.verb = "update", .resource = "secrets", .reset = apiserver::Fault::Reset::kAfter}, "lost");
  with({.verb = "*", .resource = "*", .delay = milliseconds(300)}, "slow");
  server.CutWatches();
  EXPECT_TRUE(AwaitValue("cut"));
  server.ExpireWatches();
  json other = bed_->ExternalSecret("other", "store");
  bed_->Apply(other);
  EXPECT_TRUE(bed_->AwaitSecret("other", {{"hello", "cut"}}));
  server.faults().SetDown(true);
  bed_->WriteEnvironment("app", "values: {app: {hello: down}}\n");
  const int heads = bed_->node().RequestCount("HEAD");
  EXPECT_TRUE(WaitFor([&] { return bed_->node().RequestCount("HEAD") > heads + 2; }, seconds(30)));
  server.faults().SetDown(false);
  EXPECT_TRUE(bed_->AwaitSecret("app", {{"hello", "down"}}));
}

// Environments of one tenant hang at ESC, and it has more objects than there are workers of any
// kind.
TEST_P(MirrorAgentsTest, ATenantDelaysNobodyElse) {
  const std::string tenant = bed_->name() + "-tenant";
  bed_->Apply({{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", tenant}}}});
  for (int i = 0; i < 3; ++i) {
    const std::string name = "hang" + std::to_string(i);
    bed_->WriteEnvironment(name, "values: {app: {x: y}}\n");
    bed_->ApplyClusterStore(name, name);
    bed_->node().Debug(
        "POST", "/debug/faults",
        json{{"environment", "acme/" + bed_->name() + "/" + name}, {"hang", true}}.dump());
  }
  for (int i = 0; i < 60; ++i) {
    const std::string store = "hang" + std::to_string(i % 3);
    json object = bed_->ExternalSecret("slow-" + std::to_string(i), store);
    object["metadata"]["namespace"] = tenant;
    bed_->Apply(object);
    if (i >= 12) continue;
    bed_->Apply(
        {{"apiVersion", "external-secrets.io/v1alpha1"},
         {"kind", "PushSecret"},
         {"metadata", {{"name", "slow-" + std::to_string(i)}, {"namespace", tenant}}},
         {"spec",
          {{"secretStoreRefs",
            json::array({{{"kind", "ClusterSecretStore"}, {"name", bed_->name() + "-" + store}}})},
           {"selector", {{"secret", {{"name", "source"}}}}},
           {"data",
            json::array(
                {{{"match", {{"secretKey", "a"}, {"remoteRef", {{"remoteKey", "a"}}}}}}})}}}});
  }
  for (const std::string& name_space : {tenant, bed_->name()}) {
    bed_->Apply({{"apiVersion", "v1"},
                 {"kind", "Secret"},
                 {"metadata", {{"name", "source"}, {"namespace", name_space}}},
                 {"stringData", {{"a", "pushed"}}}});
  }
  bed_->StartAgent();
  ASSERT_TRUE(AwaitHolders({"node-0"}));
  // While they hang, somebody else's objects are looked after.
  bed_->ApplyClusterStore("store", "app");
  bed_->Apply(bed_->ExternalSecret("app", "store"));
  EXPECT_TRUE(bed_->AwaitSecret("app", kApp));
  bed_->Apply({{"apiVersion", "external-secrets.io/v1alpha1"},
               {"kind", "PushSecret"},
               {"metadata", {{"name", "push"}, {"namespace", bed_->name()}}},
               {"spec",
                {{"secretStoreRefs", json::array({{{"kind", "ClusterSecretStore"},
                                                   {"name", bed_->name() + "-store"}}})},
                 {"selector", {{"secret", {{"name", "source"}}}}},
                 {"data", json::array({{{"match",
                                         {{"secretKey", "a"},
                                          {"remoteRef", {{"remoteKey", "app.pushed"}}}}}}})}}}});
  EXPECT_TRUE(bed_->AwaitSecret(
      "app", {{"hello", "world"}, {"hello-secret", "secret"}, {"pushed", "pushed"}}));
  EXPECT_NE(
      bed_->ReadyOf("/apis/external-secrets.io/v1/namespaces/" + tenant + "/externalsecrets/slow-0")
          .status,
      "True");
}

// An API server that enforces RBAC, and the account and rules of manifests/rbac. (That the real one
// takes them is seen to by crds_test.sh.)
TEST(MirrorRightsTest, TheAgentNeedsNoMoreThanItsRights) {
  auto started = apiserver::TestCluster::Fake({.rbac = true});
  ASSERT_TRUE(started) << started.error().message;
  apiserver::TestCluster& cluster = **started;
  const std::string manifests = SOURCE_FOLDER "/manifests";
  for (const char* folder : {"/crds", "/rbac/agent", "/rbac/cluster_role.yaml"}) {
    const Status loaded = cluster.fake().LoadPath(manifests + folder);
    ASSERT_TRUE(loaded) << loaded.error().message;
  }
  cluster.fake().AddToken("agent-token",
                          {.name = "system:serviceaccount:esc-agent:esc-agent",
                           .groups = {"system:serviceaccounts", "system:serviceaccounts:esc-agent",
                                      "system:authenticated"}});
  MirrorBed bed(cluster, "rights");
  const std::string kubeconfig = cluster.folder() + "/agent.kubeconfig";
  WriteAll(kubeconfig, cluster.fake().KubeconfigFor("agent-token", "esc-agent"));
  bed.UseAccount(kubeconfig, "esc-agent");
  bed.ApplyClusterStore("store", "app");
  bed.Apply(bed.ExternalSecret("app", "store"));
  cluster.fake().log().Reset();
  bed.StartAgent();
  ASSERT_TRUE(bed.AwaitSecret("app", kApp)) << bed.AgentLog();
  ASSERT_TRUE(bed.AwaitReady(bed.ObjectPath("app"), "True"));
  ASSERT_TRUE(bed.AwaitReady(bed.StorePath("store"), "True"));
  // Tampering is seen at once, with the rights there are.
  cluster.Request("DELETE", bed.SecretPath("app"));
  ASSERT_TRUE(bed.AwaitSecret("app", kApp));
  bed.WriteEnvironment("app", "values: {app: {hello: changed}}\n");
  ASSERT_TRUE(bed.AwaitSecret("app", {{"hello", "changed"}}));
  bed.DeleteObject(bed.ObjectPath("app"));
  ASSERT_TRUE(bed.AwaitSecret("app", {}));
  for (const apiserver::RequestLog::Entry& entry : cluster.fake().log().Entries()) {
    EXPECT_NE(entry.status, 403) << entry.method << " " << entry.path << " by " << entry.user;
  }
  EXPECT_EQ(cluster.fake().log().Total("list", "secrets"), 0U);
}

}  // namespace
}  // namespace escagent::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  escagent::testing::EnterPrivateMountNamespace();
  return RUN_ALL_TESTS();
}
