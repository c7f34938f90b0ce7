#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "agent/controller/secret_watch.h"
#include "agent/controller/workload_restarter.h"
#include "agent/mirror/restart_marks.h"
#include "agent/mirror/target_secret.h"
#include "kube/event_recorder.h"
#include "tests/component/controller/cluster_test_base.h"

namespace escagent::controller {
namespace {

using nlohmann::json;

// A workload of the kind with this name.
std::string WorkloadYaml(const std::string& kind, const std::string& name,
                         const std::string& secret) {
  return "apiVersion: apps/v1\nkind: " + kind + "\nmetadata: {name: " + name +
         ", namespace: esc-agent, annotations: {esc-agent.io/restart-on-change: 'true'}}\n" +
         R"(spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web
        env: [{name: A, valueFrom: {secretKeyRef: {key: a, name: )" +
         secret + "}}}]\n";
}

// Secrets that change, and the workloads that consume them.
class RestartClusterTest : public ClusterTestBase {
 protected:
  void SetUp() override {
    ClusterTestBase::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    kube_ = Connect();
    events_.emplace(kube::EventRecorder::Options(), kube_->api(), clock_);
    Start();
    PutSecret("app", "h0");
  }
  void Start() {
    restarter_.emplace(
        WorkloadRestarter::Options{.may_write = [](const std::string&) { return true; },
                                   .gather = std::chrono::milliseconds(50),
                                   .roll_interval = std::chrono::milliseconds(50)},
        kube_->api(), *events_, clock_);
  }

  void Apply(const std::string& yaml) {
    const Status applied = cluster_->ApplyText(yaml);
    ASSERT_TRUE(applied) << applied.error().message;
  }
  void PutSecret(const std::string& name, const std::string& hash) {
    Apply("{apiVersion: v1, kind: Secret, metadata: {name: " + name +
          ", namespace: esc-agent, labels: {" + mirror::kManagedLabel +
          ": 'true'}, annotations: {" + mirror::kDataHashAnnotation + ": " + hash + "}}}");
  }
  // Writes changed data as a synchronisation does.
  void Change(const std::string& name, const std::string& hash) {
    Result<kube::Object> secret = kube_->api().Get(kube::Secrets(), {kNamespace, name}, {});
    ASSERT_TRUE(secret) << secret.error().message;
    secret->json()["metadata"]["annotations"][mirror::kDataHashAnnotation] = hash;
    restarter_->BeforeChange({kNamespace, name}, *secret);
    const Result<kube::Object> written = kube_->api().Replace(kube::Secrets(), *secret, {});
    ASSERT_TRUE(written) << written.error().message;
  }
  json Get(const std::string& plural, const std::string& name) const {
    return cluster_->Request("GET", "/apis/apps/v1/namespaces/esc-agent/" + plural + "/" + name)
        .body;
  }
  bool IsRestartedFor(const std::string& plural, const std::string& name,
                      const std::string& hash) const {
    const json secret = cluster_->Request("GET", "/api/v1/namespaces/esc-agent/secrets/app").body;
    const json metadata = Get(plural, name)["spec"]["template"]["metadata"];
    return metadata.value("annotations", json::object()).value(RestartedForAnnotation("app"), "") ==
           RestartedForValue(secret["metadata"].value("uid", ""), hash);
  }
  bool IsMarked(const std::string& name) const {
    const json secret =
        cluster_->Request("GET", "/api/v1/namespaces/esc-agent/secrets/" + name).body;
    return secret["metadata"]["annotations"].contains(mirror::kRestartPendingAnnotation);
  }

  std::unique_ptr<kube::Cluster> kube_;
  std::optional<kube::EventRecorder> events_;
  std::optional<WorkloadRestarter> restarter_;
};

TEST_P(RestartClusterTest, RestartsEveryKindOnce) {
  Apply(WorkloadYaml("Deployment", "web", "app"));
  Apply(WorkloadYaml("StatefulSet", "db", "app"));
  Apply(WorkloadYaml("DaemonSet", "node", "app"));
  Apply(WorkloadYaml("Deployment", "other", "another"));
  Change("app", "h1");
  EXPECT_TRUE(IsMarked("app"));
  restarter_->AfterChange({kNamespace, "app"});
  ASSERT_TRUE(Eventually([&] { return !IsMarked("app"); }));
  EXPECT_TRUE(IsRestartedFor("deployments", "web", "h1"));
  EXPECT_TRUE(IsRestartedFor("statefulsets", "db", "h1"));
  EXPECT_TRUE(IsRestartedFor("daemonsets", "node", "h1"));
  EXPECT_EQ(Get("deployments", "other")["metadata"]["generation"], 1);
  EXPECT_EQ(Get("deployments", "web")["metadata"]["generation"], 2) << "one change of the spec";
  EXPECT_EQ(restarter_->GetStats().rolls, 3U);
  EXPECT_TRUE(Eventually([&] {
    const auto events = cluster_->Request("GET", "/api/v1/namespaces/esc-agent/events");
    for (const json& event : events.body["items"]) {
      if (event["reason"] == "Restarted" && event["involvedObject"]["name"] == "web" &&
          event["message"] == "restarted because Secret app changed") {
        return true;
      }
    }
    return false;
  }));
}

TEST_P(RestartClusterTest, AMarkIsFoundAfterACrash) {
  Apply(WorkloadYaml("Deployment", "web", "app"));
  Change("app", "h1");
  // The agent dies before it has told the restarter; the next one finds the mark.
  restarter_.reset();
  Start();
  SecretWatch watch(
      kube_->informers(), [](const kube::ObjectKey&, const std::string&, const std::string&) {},
      [this](const kube::ObjectKey& secret) { restarter_->Resume(secret); });
  watch.Follow(kNamespace);
  ASSERT_TRUE(Eventually([&] { return !IsMarked("app"); }));
  EXPECT_TRUE(IsRestartedFor("deployments", "web", "h1"));
  watch.Unfollow(kNamespace);
}

TEST_P(RestartClusterTest, AConcurrentEditIsNotLost) {
  Apply(WorkloadYaml("Deployment", "web", "app"));
  Change("app", "h1");
  Apply(WorkloadYaml("Deployment", "web", "app") + "  replicas: 3\n");
  if (cluster_->IsFake()) {
    cluster_->fake().faults().Add({.verb = "patch",
                                   .resource = "deployments",
                                   .status = 409,
                                   .message = "the object has been modified",
                                   .times = 2});
  }
  restarter_->AfterChange({kNamespace, "app"});
  ASSERT_TRUE(Eventually([&] { return !IsMarked("app"); }));
  EXPECT_TRUE(IsRestartedFor("deployments", "web", "h1"));
  EXPECT_EQ(Get("deployments", "web")["spec"]["replicas"], 3);
}

INSTANTIATE_TEST_SUITE_P(Servers, RestartClusterTest,
                         ::testing::Values(Server::kFake, Server::kReal), NameOfServer);

}  // namespace
}  // namespace escagent::controller
