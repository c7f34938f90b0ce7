#include <chrono>
#include <fstream>

#include "tests/component/apiserver/cluster_fixture.h"

namespace escagent::apiserver {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// What only the stand-in has: faults, counters, controllers, users.
class FakeTest : public ClusterTest {
 protected:
  void TearDown() override {
    if (cluster_ != nullptr) cluster_->fake().faults().Clear();
  }
  void AddFault(const json& fault) const {
    Answer answer = Post("/fake/faults", fault);
    ASSERT_EQ(answer.status, 200) << answer.text;
  }
};
ESC_AGENT_FAKE_CLUSTER(FakeTest);

TEST_P(FakeTest, FaultsAnswerInsteadOfTheServer) {
  AddFault({{"verb", "create"},
            {"resource", "secrets"},
            {"namespace", namespace_},
            {"status", 429},
            {"retryAfter", 7},
            {"times", 1}});
  Answer refused = Post(Core("secrets"), Secret("s"));
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.Header("Retry-After"), "7");
  EXPECT_EQ(refused.body["reason"], "TooManyRequests");
  EXPECT_EQ(refused.body["details"]["retryAfterSeconds"], 7);
  EXPECT_EQ(Post(Core("secrets"), Secret("s")).status, 201);
  EXPECT_EQ(Post("/fake/faults", {{"verbs", "x"}}).status, 400);
}

TEST_P(FakeTest, ConnectionsAreReset) {
  for (const char* reset : {"before", "middle", "after"}) {
    AddFault({{"name", "s"}, {"reset", reset}, {"times", 1}});
    EXPECT_EQ(Put(Core("secrets", "s"), Secret("s")).status, 0) << reset;
  }
  // "after" did what it was asked to.
  ASSERT_EQ(Post(Core("secrets"), Secret("t")).status, 201);
  AddFault({{"name", "t"}, {"verb", "delete"}, {"reset", "after"}});
  EXPECT_EQ(Delete(Core("secrets", "t")).status, 0);
  EXPECT_EQ(Get(Core("secrets", "t")).status, 404);
}

TEST_P(FakeTest, AServerThatIsDown) {
  cluster_->fake().faults().SetDown(true);
  EXPECT_EQ(Get(Core("secrets")).status, 0);
  cluster_->fake().faults().SetDown(false);
  EXPECT_EQ(Get(Core("secrets")).status, 200);
}

TEST_P(FakeTest, WatchesGoWrong) {
  const std::string path = Core("secrets") + "?watch=true";
  AddFault({{"verb", "watch"}, {"garbage", true}, {"times", 1}});
  const auto garbled = cluster_->Watch(path);
  EXPECT_TRUE(TestCluster::WaitUntil([&] { return garbled->garbled(); }));
  AddFault({{"verb", "watch"}, {"gone", true}, {"times", 1}});
  const auto gone = cluster_->Watch(path);
  EXPECT_TRUE(gone->AwaitEnd());
  EXPECT_EQ(gone->Events(1).at(0)["object"]["code"], 410);
  AddFault({{"verb", "watch"}, {"cut", true}, {"times", 1}});
  EXPECT_TRUE(cluster_->Watch(path)->AwaitEnd());
  AddFault({{"verb", "watch"}, {"status", 410}, {"times", 1}});
  EXPECT_EQ(Get(path).status, 410);
}

TEST_P(FakeTest, CountsRequests) {
  RequestLog& log = cluster_->fake().log();
  ASSERT_EQ(Post(Core("secrets"), Secret("s")).status, 201);
  Get(Core("secrets"));
  Get(Core("secrets", "s"));
  EXPECT_EQ(log.Writes("secrets", namespace_), 1u);
  EXPECT_EQ(log.Total("list", "secrets", namespace_), 1u);
  EXPECT_EQ(log.Total("*", "secrets", namespace_), 3u);
  json counters = Get("/fake/counters").body;
  EXPECT_EQ(counters["namespaces"][namespace_]["get secrets"], 1);
  bool found = false;
  for (const json& entry : Get("/fake/requests").body) {
    found |= entry["path"] == Core("secrets", "s") && entry["status"] == 200;
  }
  EXPECT_TRUE(found);
}

TEST_P(FakeTest, TheGarbageCollectorWorksAtOnce) {
  json owner = Post(Widgets(), Widget("w", {{"color", "red"}})).body;
  json secret = Secret("s");
  secret["metadata"]["ownerReferences"] = {{{"apiVersion", "test.esc-agent.io/v1"},
                                            {"kind", "Widget"},
                                            {"name", "w"},
                                            {"uid", owner["metadata"]["uid"]}}};
  ASSERT_EQ(Post(Core("secrets"), secret).status, 201);
  ASSERT_EQ(Delete(Widgets("w")).status, 200);
  EXPECT_EQ(Get(Core("secrets", "s")).status, 404);
  json other = Post(Widgets(), Widget("w", {{"color", "red"}})).body;
  secret["metadata"]["ownerReferences"][0]["uid"] = other["metadata"]["uid"];
  ASSERT_EQ(Post(Core("secrets"), secret).status, 201);
  ASSERT_EQ(Delete(Widgets("w") + "?propagationPolicy=Orphan").status, 200);
  json kept = Get(Core("secrets", "s")).body;
  EXPECT_FALSE(kept["metadata"].contains("ownerReferences")) << kept;
}

TEST_P(FakeTest, ADeletedNamespaceGoesWithItsContents) {
  ASSERT_EQ(Post(Core("secrets"), Secret("s")).status, 201);
  ASSERT_EQ(Delete("/api/v1/namespaces/" + namespace_).status, 200);
  EXPECT_EQ(Get(Core("secrets", "s")).status, 404);
  EXPECT_EQ(Post(Core("secrets"), Secret("s")).status, 404);
}

TEST_P(FakeTest, SaysWhatItCannotDo) {
  EXPECT_EQ(Post(Core("secrets") + "?dryRun=All", Secret("s")).status, 501);
  EXPECT_EQ(Get(Core("pods", "p") + "/log").status, 404);
}

TEST(FakeServerTest, AuthenticatesAndAuthorizes) {
  ApiServer::Options options;
  options.rbac = true;
  options.tokens["reader"] = {.name = "reader", .uid = {}, .groups = {"system:authenticated"}};
  auto cluster = TestCluster::Fake(std::move(options));
  ASSERT_TRUE(cluster) << cluster.error().message;
  ASSERT_TRUE((*cluster)->ApplyText(R"(
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
- {apiGroups: [""], resources: [secrets], verbs: [get, watch, list], resourceNames: [a]}
- {apiGroups: [""], resources: [configmaps], verbs: ["*"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: User, name: reader}]
)"));
  const std::string root = "/api/v1/namespaces/default/";
  const auto as = [&](const std::string& token, const std::string& path) {
    return (*cluster)->Request("GET", path, nullptr, "", {{"Authorization", "Bearer " + token}});
  };
  Answer nobody = as("unknown", root + "secrets/a");
  EXPECT_EQ(nobody.status, 401);
  EXPECT_EQ(nobody.body["message"], "Unauthorized");
  EXPECT_EQ(as("reader", root + "secrets/a").status, 404);
  Answer denied = as("reader", root + "secrets/b");
  EXPECT_EQ(denied.status, 403);
  EXPECT_EQ(denied.body["message"],
            "secrets \"b\" is forbidden: User \"reader\" cannot get resource \"secrets\" in API "
            "group \"\" in the namespace \"default\"");
  EXPECT_EQ(as("reader", root + "secrets").status, 403);
  EXPECT_EQ(as("reader", root + "secrets?fieldSelector=metadata.name%3Da").status, 200);
  EXPECT_EQ(as("reader", root + "configmaps").status, 200);
  Answer everywhere = as("reader", "/api/v1/secrets");
  EXPECT_EQ(everywhere.status, 403);
  EXPECT_EQ(everywhere.body["message"],
            "secrets is forbidden: User \"reader\" cannot list resource \"secrets\" in API group "
            "\"\" at the cluster scope");
  EXPECT_EQ(as("reader", "/apis").status, 200);
}

TEST(FakeServerTest, SpeaksTls) {
  ApiServer::Options options;
  options.tls = true;
  auto cluster = TestCluster::Fake(std::move(options));
  ASSERT_TRUE(cluster) << cluster.error().message;
  EXPECT_TRUE((*cluster)->fake().url().starts_with("https://"));
  EXPECT_EQ((*cluster)->Request("GET", "/api/v1/namespaces/default").status, 200);
  const auto watch = (*cluster)->Watch("/api/v1/namespaces?watch=true");
  EXPECT_EQ(watch->Events(4).size(), 4u);
  const std::string kubeconfig = (*cluster)->fake().Kubeconfig();
  EXPECT_TRUE(kubeconfig.contains("client-certificate-data:"));
}

TEST(FakeServerTest, LoadsTheManifestsOfTheProject) {
  auto cluster = TestCluster::Fake();
  ASSERT_TRUE(cluster) << cluster.error().message;
  const Status loaded = (*cluster)->fake().LoadPath(ESC_AGENT_SOURCE_DIR "/manifests/crds");
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ((*cluster)->Request("GET", "/apis/external-secrets.io/v1/externalsecrets").status, 200);
  for (const char* name : {"podinfo", "external-secrets"}) {
    ASSERT_EQ(
        (*cluster)
            ->Request("POST", "/api/v1/namespaces",
                      {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", name}}}})
            .status,
        201);
  }
  const Status applied = (*cluster)->Apply(ESC_AGENT_SOURCE_DIR "/manifests/examples/walkthrough");
  EXPECT_TRUE(applied) << applied.error().message;
}

}  // namespace
}  // namespace escagent::apiserver
