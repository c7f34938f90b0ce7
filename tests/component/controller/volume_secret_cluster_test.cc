#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/controller/volume_secret_writer.h"
#include "tests/component/controller/cluster_test_base.h"

// Secrets of volumes (mirrorTo), over the server for tests and a real one.

namespace escagent::controller {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr char kPath[] = "/api/v1/namespaces/esc-agent/secrets/app-env";
// In every value: must be in no error.
constexpr char kCanary[] = "canary-7f3a";
constexpr char kCanaryBase64[] = "Y2FuYXJ5LTdmM2E=";

class VolumeSecretClusterTest : public ClusterTestBase {
 protected:
  void SetUp() override {
    ClusterTestBase::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    kube_ = Connect();
    writer_.emplace(kube::NamespaceScope(), kube_->api(), clock_);
  }

  csi::PodInfo MakePod(const std::string& name) {
    const apiserver::Answer made = cluster_->Request(
        "POST", "/api/v1/namespaces/esc-agent/pods",
        {{"apiVersion", "v1"},
         {"kind", "Pod"},
         {"metadata", {{"name", name}}},
         {"spec", {{"containers", json::array({{{"name", "web"}, {"image", "web"}}})}}}});
    EXPECT_EQ(made.status, 201) << made.text;
    if (made.status != 201) return {};
    return {.name = name,
            .namespace_name = kNamespace,
            .uid = made.body["metadata"]["uid"].get<std::string>(),
            .service_account = "default"};
  }
  static volume::MirroredSecret Wanted(const csi::PodInfo& pod, const std::string& value = kCanary,
                                       const std::string& source = "SecretStore/app") {
    volume::MirroredSecret secret{.name = "app-env", .pod = pod, .source = source, .data = {}};
    secret.data.emplace("key", Secret(std::string_view(value)));
    return secret;
  }
  Status Write(const volume::MirroredSecret& secret) { return writer_->Write(secret, true, {}); }
  Status Release(const csi::PodInfo& pod) { return writer_->Release("app-env", pod, {}); }

  // Null when it is not there.
  json Stored() const {
    const apiserver::Answer answer = cluster_->Request("GET", kPath);
    return answer.status == 200 ? answer.body : json();
  }
  std::vector<std::string> Owners() const {
    std::vector<std::string> names;
    const json secret = Stored();
    if (!secret.contains("/metadata/ownerReferences"_json_pointer)) return names;
    for (const json& owner : secret["metadata"]["ownerReferences"]) names.push_back(owner["name"]);
    return names;
  }
  std::string Version() const { return Stored()["metadata"]["resourceVersion"]; }

  std::unique_ptr<kube::Cluster> kube_;
  std::optional<VolumeSecretWriter> writer_;
};

TEST_P(VolumeSecretClusterTest, OutOfScopeNothingIsWrittenOrReleased) {
  const csi::PodInfo pod = MakePod("one");
  ASSERT_TRUE(Write(Wanted(pod)));
  VolumeSecretWriter elsewhere(*kube::NamespaceScope::Parse("shop"), kube_->api(), clock_);
  const Status written = elsewhere.Write(Wanted(pod, "new"), true, {});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(written.error().message,
            "write Secret esc-agent/app-env: this agent serves namespace shop only "
            "(--watch-namespaces), not namespace esc-agent");
  EXPECT_TRUE(elsewhere.Release("app-env", pod, {}));
  EXPECT_EQ(Stored()["data"], json({{"key", kCanaryBase64}}));
  EXPECT_THAT(Owners(), UnorderedElementsAre("one"));
}

TEST_P(VolumeSecretClusterTest, ASecretsLife) {
  const csi::PodInfo one = MakePod("one");
  const csi::PodInfo two = MakePod("two");
  ASSERT_TRUE(Write(Wanted(one)));
  const json secret = Stored();
  EXPECT_EQ(secret["type"], "Opaque");
  EXPECT_EQ(secret["data"], json({{"key", kCanaryBase64}}));
  EXPECT_EQ(secret["metadata"]["labels"], json({{"app.kubernetes.io/managed-by", "esc-agent"},
                                                {"esc-agent.io/mirror-of", "volume"}}));
  const json& annotations = secret["metadata"]["annotations"];
  EXPECT_EQ(annotations["esc-agent.io/volume"], "SecretStore/app");
  // What SHA3-224 makes of Go's "map[key:[99 97 ...]]" has 56 digits.
  EXPECT_EQ(annotations["esc-agent.io/data-hash"].get<std::string>().size(), 56U);
  const json& owner = secret["metadata"]["ownerReferences"][0];
  EXPECT_EQ(owner["kind"], "Pod");
  EXPECT_EQ(owner["uid"], one.uid);

  // Equal: no write. Another pod: among the owners. Another value: written.
  const std::string version = Version();
  ASSERT_TRUE(Write(Wanted(one)));
  EXPECT_EQ(Version(), version);
  ASSERT_TRUE(Write(Wanted(two)));
  EXPECT_THAT(Owners(), UnorderedElementsAre("one", "two"));
  ASSERT_TRUE(Write(Wanted(one, "new")));
  EXPECT_EQ(Stored()["data"], json({{"key", "bmV3"}}));
  EXPECT_THAT(Owners(), UnorderedElementsAre("one", "two"));
  EXPECT_NE(Stored()["metadata"]["annotations"], annotations);

  ASSERT_TRUE(Release(one));
  EXPECT_THAT(Owners(), UnorderedElementsAre("two"));
  ASSERT_TRUE(Release(one));
  ASSERT_TRUE(Release(two));
  EXPECT_TRUE(Stored().is_null());
  EXPECT_TRUE(Release(two));
}

TEST_P(VolumeSecretClusterTest, WhatOthersPutIntoItStays) {
  ASSERT_TRUE(Write(Wanted(MakePod("one"))));
  ASSERT_EQ(
      cluster_
          ->Request("PATCH", kPath,
                    {{"metadata", {{"labels", {{"team", "a"}}}, {"annotations", {{"note", "b"}}}}},
                     {"data", {{"extra", "eA=="}}}},
                    "application/merge-patch+json")
          .status,
      200);
  ASSERT_TRUE(Write(Wanted(MakePod("two"))));
  const json secret = Stored();
  EXPECT_EQ(secret["metadata"]["labels"]["team"], "a");
  EXPECT_EQ(secret["metadata"]["annotations"]["note"], "b");
  // The data is the volume's alone.
  EXPECT_EQ(secret["data"], json({{"key", kCanaryBase64}}));
}

TEST_P(VolumeSecretClusterTest, AForeignSecretIsNeverTouched) {
  const csi::PodInfo pod = MakePod("one");
  ASSERT_TRUE(cluster_->ApplyText(
      "{apiVersion: v1, kind: Secret, metadata: {name: app-env, namespace: esc-agent}, "
      "data: {key: aHVzaA==}}"));
  const std::string version = Version();
  const Status written = Write(Wanted(pod));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(written.error().message, HasSubstr("esc-agent/app-env"));
  EXPECT_THAT(written.error().message, HasSubstr("not made by a volume"));
  EXPECT_THAT(written.error().message, Not(HasSubstr(kCanary)));
  EXPECT_TRUE(Release(pod));
  EXPECT_EQ(Version(), version);
}

TEST_P(VolumeSecretClusterTest, VolumesOfOtherContentsCannotShareIt) {
  const csi::PodInfo one = MakePod("one");
  ASSERT_TRUE(Write(Wanted(one)));
  const std::string version = Version();
  const Status other = Write(Wanted(MakePod("two"), "x", "SecretStore/app path=db"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(other.error().message, HasSubstr("SecretStore/app path=db"));
  EXPECT_THAT(other.error().message, HasSubstr("give mirrorTo another name"));
  EXPECT_EQ(Version(), version);
}

TEST_P(VolumeSecretClusterTest, AgentsOfSeveralNodesLoseNobodysOwnership) {
  constexpr int kAgents = 4;
  constexpr int kPods = 3;
  std::vector<csi::PodInfo> pods;
  std::vector<std::string> kept;
  for (int i = 0; i < kAgents * kPods; ++i) {
    pods.push_back(MakePod("pod-" + std::to_string(i)));
    if (i % kPods != 0) kept.push_back(pods.back().name);
  }
  // Every third pod comes and goes while the others come.
  {
    std::vector<std::jthread> agents;
    for (std::size_t agent = 0; agent < kAgents; ++agent) {
      agents.emplace_back([&, agent] {
        const std::unique_ptr<kube::Cluster> kube = Connect();
        VolumeSecretWriter writer({}, kube->api(), clock_);
        const auto until_done = [](const auto& call) {
          // What the worker does with it: again later.
          Status status = call();
          while (!status && status.error().code == Code::kAborted) status = call();
          EXPECT_TRUE(status) << status.error().message;
        };
        for (std::size_t i = agent * kPods; i < (agent + 1) * kPods; ++i) {
          until_done([&] { return writer.Write(Wanted(pods[i]), true, {}); });
        }
        until_done([&] { return writer.Release("app-env", pods[agent * kPods], {}); });
      });
    }
  }
  EXPECT_THAT(Owners(), ::testing::UnorderedElementsAreArray(kept));
  EXPECT_EQ(Stored()["data"], json({{"key", kCanaryBase64}}));
}

INSTANTIATE_TEST_SUITE_P(Servers, VolumeSecretClusterTest,
                         ::testing::Values(Server::kFake, Server::kReal), NameOfServer);

// What only the server for tests can do wrong, and what it has of kube-controller-manager.
using VolumeSecretFaultTest = VolumeSecretClusterTest;

TEST_P(VolumeSecretFaultTest, ConflictsAreTriedAgain) {
  const csi::PodInfo pod = MakePod("one");
  cluster_->fake().faults().Add(
      {.verb = "create", .resource = "secrets", .status = 409, .times = 3});
  ASSERT_TRUE(Write(Wanted(pod)));
  cluster_->fake().faults().Add(
      {.verb = "update", .resource = "secrets", .status = 409, .times = 3});
  ASSERT_TRUE(Write(Wanted(pod, "new")));
  EXPECT_EQ(Stored()["data"], json({{"key", "bmV3"}}));
  cluster_->fake().faults().Add(
      {.verb = "delete", .resource = "secrets", .status = 409, .times = 3});
  ASSERT_TRUE(Release(pod));
  EXPECT_TRUE(Stored().is_null());
}

TEST_P(VolumeSecretFaultTest, AStormOfConflictsEndsWithAborted) {
  const csi::PodInfo pod = MakePod("one");
  cluster_->fake().faults().Add({.verb = "create", .resource = "secrets", .status = 409});
  const Status written = Write(Wanted(pod));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::kAborted);
  EXPECT_THAT(written.error().message, Not(HasSubstr(kCanary)));
}

TEST_P(VolumeSecretFaultTest, AServerThatIsDownIsUnavailable) {
  const csi::PodInfo pod = MakePod("one");
  cluster_->fake().faults().SetDown(true);
  for (const Status& status : {Write(Wanted(pod)), Release(pod)}) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::kUnavailable);
    EXPECT_THAT(status.error().message, HasSubstr("esc-agent/app-env"));
    EXPECT_THAT(status.error().message, Not(HasSubstr(kCanary)));
  }
  cluster_->fake().faults().SetDown(false);
  ASSERT_TRUE(Write(Wanted(pod)));
}

TEST_P(VolumeSecretFaultTest, AWriteWithoutAnAnswerIsNotMadeTwice) {
  const csi::PodInfo pod = MakePod("one");
  cluster_->fake().faults().Add({.verb = "create",
                                 .resource = "secrets",
                                 .reset = apiserver::Fault::Reset::kAfter,
                                 .times = 1});
  // The HTTP client may send it again by itself, on another connection; then it is there already.
  if (const Status first = Write(Wanted(pod)); !first) {
    EXPECT_EQ(first.error().code, Code::kUnavailable);
  }
  const std::string version = Version();
  ASSERT_TRUE(Write(Wanted(pod)));
  EXPECT_EQ(Version(), version);
}

TEST_P(VolumeSecretFaultTest, TheGarbageCollectorRemovesItAfterThePods) {
  ASSERT_TRUE(Write(Wanted(MakePod("one"))));
  ASSERT_TRUE(Write(Wanted(MakePod("two"))));
  const std::string pods = "/api/v1/namespaces/esc-agent/pods/";
  ASSERT_EQ(cluster_->Request("DELETE", pods + "one").status, 200);
  EXPECT_TRUE(Eventually([&] { return Owners() == std::vector<std::string>{"two"}; }));
  ASSERT_EQ(cluster_->Request("DELETE", pods + "two").status, 200);
  EXPECT_TRUE(Eventually([&] { return Stored().is_null(); }));
}

INSTANTIATE_TEST_SUITE_P(Servers, VolumeSecretFaultTest, ::testing::Values(Server::kFake),
                         NameOfServer);

}  // namespace
}  // namespace escagent::controller
