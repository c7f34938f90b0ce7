// An agent with rights in some namespaces only (--watch-namespaces): it serves these, asks for
// nothing else, and says so to who wants more. On API servers that enforce RBAC: the stand-in and,
// with KUBEBUILDER_ASSETS, the real one.

#include <chrono>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "tests/system/mirror_namespaces_fixture.h"

namespace escagent::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::HasSubstr;

std::string TimeAgo(std::chrono::hours age) {
  const auto time = std::chrono::system_clock::now() - age;
  const std::time_t seconds_of = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  gmtime_r(&seconds_of, &utc);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

INSTANTIATE_TEST_SUITE_P(Api, MirrorNamespacesTest, ::testing::Values("fake", "real"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(MirrorNamespacesTest, ServesItsNamespacesWithRightsInTheseOnly) {
  GrantRole(here_);
  GrantRole(there_);
  for (const std::string& name : {here_, there_, beyond_}) {
    bed_->Apply(ExternalSecret(name, "app"));
    ApplySource(name);
  }
  ApplyDeployment(here_);
  bed_->Apply(PushSecret(there_));
  bed_->Apply(PushSecret(beyond_));
  json templated = ExternalSecret(there_, "templated");
  templated["spec"]["target"] = {
      {"template",
       {{"templateFrom",
         json::array({{{"configMap",
                        {{"name", "template"}, {"items", json::array({{{"key", "t"}}})}}}}})}}}};
  bed_->Apply({{"apiVersion", "v1"},
               {"kind", "ConfigMap"},
               {"metadata", {{"name", "template"}, {"namespace", there_}}},
               {"data", {{"t", "hello {{ .hello }}"}}}});
  bed_->Apply(templated);
  StartAgent({"--watch-namespaces", here_ + "," + there_});

  for (const std::string& name : {here_, there_}) {
    EXPECT_TRUE(AwaitValue(name, "app", "hello", "world")) << name;
    EXPECT_TRUE(AwaitReady(Path(name, "externalsecrets", "app"), "True")) << name;
    EXPECT_TRUE(AwaitReady(Path(name, "secretstores", "own"), "True")) << name;
  }
  EXPECT_TRUE(AwaitValue(there_, "templated", "t", "hello world"));
  EXPECT_TRUE(AwaitReady(Path(there_, "pushsecrets", "push"), "True"));
  EXPECT_TRUE(AwaitValue(here_, "app", "pushed", "from-kubernetes"));
  // Tampering is seen, and a changed environment restarts who uses it.
  cluster_->Request("DELETE", Path(there_, "secrets", "app"));
  EXPECT_TRUE(AwaitValue(there_, "app", "hello", "world"));
  EXPECT_TRUE(AwaitThat([&] {
    const json reader = bed_->Get(Path(here_, "deployments", "reader"));
    return reader["spec"]["template"]["metadata"].contains("annotations");
  }));
  // What was pushed is removed, and what was mirrored goes with its object.
  bed_->DeleteObject(Path(there_, "pushsecrets", "push"));
  EXPECT_TRUE(AwaitValue(here_, "app", "pushed", ""));
  bed_->DeleteObject(Path(here_, "externalsecrets", "app"));
  EXPECT_TRUE(AwaitThat([&] { return bed_->Get(Path(here_, "secrets", "app")).is_null(); }));

  EXPECT_TRUE(bed_->Get(Path(beyond_, "secrets", "app")).is_null());
  const std::map<std::string, std::string> objects = {
      {"externalsecrets", "app"}, {"pushsecrets", "push"}, {"secretstores", "own"}};
  for (const auto& [plural, name] : objects) {
    const json object = bed_->Get(Path(beyond_, plural, name));
    EXPECT_FALSE(object.contains("status")) << object.dump();
    EXPECT_FALSE(object["metadata"].contains("finalizers")) << object.dump();
  }
  ExpectNoRequestBeyond();
}

TEST_P(MirrorNamespacesTest, SaysWhatItDoesNotServe) {
  GrantRole(here_);
  bed_->ApplyClusterStore("cluster", "app");
  json object = bed_->ExternalSecret("app", "cluster");
  object["metadata"]["namespace"] = here_;
  bed_->Apply(object);
  json push = PushSecret(here_);
  push["spec"]["secretStoreRefs"] = json::array(
      {{{"kind", "ClusterSecretStore"}, {"labelSelector", {{"matchLabels", {{"a", "b"}}}}}}});
  bed_->Apply(push);
  ApplySource(here_);
  StartAgent({"--watch-namespaces", here_});

  const std::string reason =
      "this agent serves namespace " + here_ +
      " only (--watch-namespaces) and reads no cluster-scoped stores; use a SecretStore";
  EXPECT_TRUE(AwaitReady(Path(here_, "externalsecrets", "app"), "False", reason));
  EXPECT_TRUE(AwaitReady(Path(here_, "pushsecrets", "push"), "False", reason));

  // Volumes: of the namespace, with mirrorTo; of a cluster store; of another namespace.
  EXPECT_TRUE(AwaitReady(Path(here_, "secretstores", "own"), "True"));
  const auto own =
      Publish(here_, {{"secretStore", "own"}, {"path", "app"}, {"mirrorTo", "of-volume"}});
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_EQ(ReadAll(*own + "/hello"), "world");
  EXPECT_EQ(SecretValue(here_, "of-volume", "hello"), "world");
  const auto of_cluster = Publish(here_, {{"clusterSecretStore", "scope-cluster"}});
  ASSERT_FALSE(of_cluster);
  EXPECT_EQ(of_cluster.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(of_cluster.error().message, HasSubstr(reason));
  const auto beyond = Publish(beyond_, {{"secretStore", "own"}});
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(
      beyond.error().message,
      HasSubstr("could not get SecretStore " + beyond_ + "/own: this agent serves namespace " +
                here_ + " only (--watch-namespaces), not namespace " + beyond_));
  ExpectNoRequestBeyond();
}

// External Secrets Operator, which may read the cluster store, say.
TEST_P(MirrorNamespacesTest, LeavesAloneWhatSomebodyElseLooksAfter) {
  GrantRole(here_);
  const std::string path = Path(here_, "externalsecrets", "app");
  json object = bed_->ExternalSecret("app", "cluster");
  object["metadata"]["namespace"] = here_;
  object["spec"]["refreshInterval"] = "1h";
  bed_->Apply(object);
  const auto set_status = [&](std::chrono::hours age) {
    const json condition = {{"type", "Ready"},
                            {"status", "True"},
                            {"reason", "SecretSynced"},
                            {"message", "theirs"},
                            {"lastTransitionTime", TimeAgo(age)}};
    const apiserver::Answer answer = cluster_->Request(
        "PATCH", path + "/status",
        {{"status", {{"refreshTime", TimeAgo(age)}, {"conditions", json::array({condition})}}}},
        "application/merge-patch+json");
    ASSERT_EQ(answer.status, 200) << answer.body.dump();
  };
  set_status(std::chrono::hours(1));
  bed_->Apply(ExternalSecret(here_, "ours"));
  StartAgent({"--watch-namespaces", here_});
  EXPECT_TRUE(AwaitReady(Path(here_, "externalsecrets", "ours"), "True"));
  EXPECT_EQ(bed_->ReadyOf(path).message, "theirs");
  // They have left it.
  set_status(std::chrono::hours(3));
  object["metadata"]["annotations"]["force-sync"] = "1";
  bed_->Apply(object);
  EXPECT_TRUE(AwaitReady(path, "False", "reads no cluster-scoped stores"));
}

// The namespace is not there yet, or its Role has been forgotten.
TEST_P(MirrorNamespacesTest, ANamespaceWithoutARoleHoldsNobodyUp) {
  GrantRole(here_);
  for (const std::string& name : {here_, there_}) {
    bed_->Apply(ExternalSecret(name, "app"));
    ApplySource(name);
  }
  bed_->Apply(PushSecret(here_));
  const std::string config = cluster_->folder() + "/config.yaml";
  WriteAll(config, "watch-namespaces: " + here_ + ", " + there_ + "\n");
  StartAgent({"--config", config});
  EXPECT_TRUE(AwaitValue(here_, "app", "hello", "world"));
  EXPECT_TRUE(AwaitReady(Path(here_, "pushsecrets", "push"), "True"));
  json missing = ExternalSecret(here_, "missing");
  missing["spec"]["secretStoreRef"]["name"] = "missing";
  bed_->Apply(missing);
  EXPECT_TRUE(
      AwaitReady(Path(here_, "externalsecrets", "missing"), "False", "there is no such store"));
  EXPECT_THAT(bed_->AgentLog(), HasSubstr("forbidden"));
  EXPECT_TRUE(bed_->Get(Path(there_, "secrets", "app")).is_null());
  GrantRole(there_);
  EXPECT_TRUE(AwaitValue(there_, "app", "hello", "world"));
}

TEST(WatchNamespacesFlag, WhatIsNoNameIsWrongUsage) {
  const Testbed bed(ProgramFolder());
  Process process({bed.program(), "run", "--node-name", "node", "--kubeconfig", "/nowhere",
                   "--registration-socket", "none"},
                  {{"ESC_AGENT_WATCH_NAMESPACES", "shop,Bad_Name"}}, bed.folder() + "/usage");
  EXPECT_EQ(process.Wait(seconds(20)), 2);
  EXPECT_THAT(process.Err(),
              HasSubstr("--watch-namespaces: \"Bad_Name\" is no name of a namespace"));
}

}  // namespace
}  // namespace escagent::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  escagent::testing::EnterPrivateMountNamespace();
  return RUN_ALL_TESTS();
}
