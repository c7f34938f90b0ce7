#include "agent/controller/cluster_external_secret_controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/controller/resources.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_cluster.h"

namespace escagent::controller {
namespace {

using escagent::testing::FakeClock;
using escagent::testing::FakeCluster;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::IsEmpty;
using Namespaces = std::map<std::string, store::Labels>;

class ClusterExternalSecretControllerTest : public ::testing::Test {
 protected:
  ClusterExternalSecretControllerTest() {
    SetNamespaces(
        Namespaces{{"a", {{"kind", "web"}}}, {"b", {{"kind", "web"}}}, {"c", {{"kind", "job"}}}});
    Make();
    controller_->OnShardGained();
  }

  void Make() {
    controller_ = std::make_unique<ClusterExternalSecretController>(
        ClusterExternalSecretController::Options{
            .is_mine = [this](const std::string&) { return ours_.load(); },
            .namespaces =
                [this] {
                  MutexLock lock(mutex_);
                  return namespaces_;
                }},
        client_, client_, events_, clock_);
  }
  void SetNamespaces(std::optional<Namespaces> namespaces) {
    {
      MutexLock lock(mutex_);
      namespaces_ = std::move(namespaces);
    }
    if (controller_) controller_->OnNamespaceChanged();
  }

  static json Cluster(const std::string& key = "app") {
    json object = json::parse(R"({"metadata": {"name": "shared"}, "spec": {
        "namespaceSelectors": [{"matchLabels": {"kind": "web"}}],
        "externalSecretSpec": {"dataFrom": [{"extract": {}}]}}})");
    object["spec"]["externalSecretSpec"]["dataFrom"][0]["extract"]["key"] = key;
    return object;
  }
  static json Foreign(const std::string& name) {
    json object =
        json::parse(R"({"metadata": {"namespace": "a"}, "spec": {"refreshInterval": "1s"}})");
    object["metadata"]["name"] = name;
    return object;
  }
  json ExternalSecretIn(const std::string& name_space, const std::string& name = "shared") const {
    return cluster_.Get(ExternalSecrets(), {name_space, name});
  }
  json Status() const {
    return cluster_.Get(ClusterExternalSecrets(), {"", "shared"}).value("status", json::object());
  }
  std::string Ready() const {
    const json status = Status();
    return status.contains("conditions") ? status["conditions"][0].value("status", "") : "";
  }
  bool AwaitProvisioned(const std::vector<std::string>& namespaces) {
    return Eventually([&] {
      const json status = Status();
      return status.value("provisionedNamespaces", json()) == json(namespaces) && !Ready().empty();
    });
  }
  // Real time for the threads to act in; now and then the clock moves, for what is paced.
  bool Eventually(const std::function<bool()>& condition) {
    SystemClock clock;
    const auto deadline = clock.Now() + seconds(20);
    while (!condition()) {
      if (clock.Now() > deadline) return false;
      clock.SleepUntil(clock.Now() + milliseconds(2), {});
      clock_.Advance(milliseconds(20));
    }
    return true;
  }

  FakeClock clock_;
  FakeCluster cluster_;
  FakeCluster::Client client_{cluster_};
  FakeCluster events_cluster_;
  FakeCluster::Client events_client_{events_cluster_};
  kube::EventRecorder events_{{}, events_client_, clock_};
  std::atomic<bool> ours_ = true;
  Mutex mutex_;
  std::optional<Namespaces> namespaces_ GUARDED_BY(mutex_);
  std::unique_ptr<ClusterExternalSecretController> controller_;
};

TEST_F(ClusterExternalSecretControllerTest, MakesOneInEachSelectedNamespace) {
  cluster_.Put(ClusterExternalSecrets(), Cluster());
  ASSERT_TRUE(AwaitProvisioned({"a", "b"}));
  EXPECT_EQ(Ready(), "True");
  EXPECT_EQ(ExternalSecretIn("a")["spec"], Cluster()["spec"]["externalSecretSpec"]);
  EXPECT_FALSE(ExternalSecretIn("b").is_null());
  EXPECT_TRUE(ExternalSecretIn("c").is_null());
  // Counted after the status is written.
  EXPECT_TRUE(Eventually([&] { return controller_->GetStats().ready == 1; }));
}

TEST_F(ClusterExternalSecretControllerTest, FollowsItsSpecAndTheNamespaces) {
  cluster_.Put(ClusterExternalSecrets(), Cluster());
  ASSERT_TRUE(AwaitProvisioned({"a", "b"}));
  cluster_.Put(ClusterExternalSecrets(), Cluster("db"));
  EXPECT_TRUE(Eventually([&] {
    return ExternalSecretIn("a")["spec"] == Cluster("db")["spec"]["externalSecretSpec"];
  }));
  SetNamespaces(
      Namespaces{{"a", {{"kind", "job"}}}, {"b", {{"kind", "web"}}}, {"d", {{"kind", "web"}}}});
  ASSERT_TRUE(AwaitProvisioned({"b", "d"}));
  EXPECT_TRUE(ExternalSecretIn("a").is_null()) << "not selected any more";
  EXPECT_FALSE(ExternalSecretIn("d").is_null());
}

TEST_F(ClusterExternalSecretControllerTest, ARenameRemovesTheOldOnes) {
  cluster_.Put(ClusterExternalSecrets(), Cluster());
  ASSERT_TRUE(AwaitProvisioned({"a", "b"}));
  json renamed = Cluster();
  renamed["spec"]["externalSecretName"] = "other";
  cluster_.Put(ClusterExternalSecrets(), renamed);
  EXPECT_TRUE(Eventually([&] {
    return ExternalSecretIn("a").is_null() && ExternalSecretIn("b").is_null() &&
           !ExternalSecretIn("a", "other").is_null() && !ExternalSecretIn("b", "other").is_null();
  }));
}

TEST_F(ClusterExternalSecretControllerTest, RepairsEditsAndDeletions) {
  cluster_.Put(ClusterExternalSecrets(), Cluster());
  ASSERT_TRUE(AwaitProvisioned({"a", "b"}));
  json edited = ExternalSecretIn("a");
  edited["spec"]["dataFrom"][0]["extract"]["key"] = "evil";
  cluster_.Put(ExternalSecrets(), edited);
  EXPECT_TRUE(Eventually(
      [&] { return ExternalSecretIn("a")["spec"] == Cluster()["spec"]["externalSecretSpec"]; }));
  cluster_.Remove(ExternalSecrets(), {"b", "shared"});
  EXPECT_TRUE(Eventually([&] { return !ExternalSecretIn("b").is_null(); }));
}

TEST_F(ClusterExternalSecretControllerTest, WritesNothingWhenNothingChanged) {
  cluster_.Put(ClusterExternalSecrets(), Cluster());
  ASSERT_TRUE(AwaitProvisioned({"a", "b"}));
  // The status of an ExternalSecret is its own business.
  json synced = ExternalSecretIn("a");
  synced["status"]["refreshTime"] = "2026-01-01T00:00:00Z";
  cluster_.Put(ExternalSecrets(), synced);
  const auto writes = cluster_.Writes();
  // Another agent, which knows nothing yet, looks at everything once.
  Make();
  const int gets = client_.Calls("get");
  controller_->OnShardGained();
  ASSERT_TRUE(Eventually([&] { return client_.Calls("get") == gets + 2; }));
  controller_->OnNamespaceChanged();
  // A pass over another object comes after the one over the first.
  json sentinel = Cluster();
  sentinel["metadata"]["name"] = "sentinel";
  sentinel["spec"]["namespaceSelectors"] = json::array();
  sentinel["spec"]["namespaces"] = json::array({"c"});
  cluster_.Put(ClusterExternalSecrets(), sentinel);
  ASSERT_TRUE(Eventually([&] { return !ExternalSecretIn("c", "sentinel").is_null(); }));
  auto after = cluster_.Writes();
  std::erase_if(after, [](const std::string& write) { return write.contains("sentinel"); });
  EXPECT_EQ(after, writes);
}

TEST_F(ClusterExternalSecretControllerTest, AConflictIsReportedUntilItGoes) {
  cluster_.Put(ExternalSecrets(), Foreign("shared"));
  cluster_.Put(ClusterExternalSecrets(), Cluster());
  ASSERT_TRUE(AwaitProvisioned({"b"}));
  EXPECT_EQ(Ready(), "False");
  EXPECT_EQ(Status()["failedNamespaces"], json::parse(R"([{"namespace": "a",
                             "reason": "external secret already exists in namespace"}])"));
  EXPECT_EQ(ExternalSecretIn("a")["spec"], Foreign("shared")["spec"]);
  cluster_.Remove(ExternalSecrets(), {"a", "shared"});
  ASSERT_TRUE(AwaitProvisioned({"a", "b"}));
  EXPECT_EQ(Ready(), "True");
  EXPECT_THAT(Status()["failedNamespaces"], IsEmpty());
}

TEST_F(ClusterExternalSecretControllerTest, FailuresAreTriedAgain) {
  std::atomic<bool> broken = true;
  client_.SetFault([&](std::string_view verb, const kube::ObjectKey& key) -> escagent::Status {
    if (broken && verb == "create" && key.namespace_name == "a") {
      return MakeError(Code::kInternal, "create a/shared: no quota");
    }
    return {};
  });
  cluster_.Put(ClusterExternalSecrets(), Cluster());
  ASSERT_TRUE(AwaitProvisioned({"b"}));
  EXPECT_EQ(Status()["failedNamespaces"][0]["reason"], "create a/shared: no quota");
  broken = false;
  EXPECT_TRUE(AwaitProvisioned({"a", "b"}));
}

TEST_F(ClusterExternalSecretControllerTest, ANamespaceThatIsBeingDeletedDoesNotCount) {
  cluster_.Put(kube::Namespaces(), json::parse(R"({"metadata": {
      "name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"}})"));
  client_.SetFault([](std::string_view verb, const kube::ObjectKey& key) -> escagent::Status {
    if (verb == "create" && key.namespace_name == "a") {
      return PermissionDenied("create a/shared: the namespace is being terminated");
    }
    return {};
  });
  cluster_.Put(ClusterExternalSecrets(), Cluster());
  ASSERT_TRUE(AwaitProvisioned({"b"}));
  EXPECT_EQ(Ready(), "True");
}

TEST_F(ClusterExternalSecretControllerTest, ItsEndIsThatOfItsExternalSecrets) {
  cluster_.Put(ClusterExternalSecrets(), Cluster());
  ASSERT_TRUE(AwaitProvisioned({"a", "b"}));
  cluster_.Put(ExternalSecrets(), Foreign("foreign"));
  cluster_.Remove(ClusterExternalSecrets(), {"", "shared"});
  EXPECT_TRUE(Eventually(
      [&] { return ExternalSecretIn("a").is_null() && ExternalSecretIn("b").is_null(); }));
  EXPECT_FALSE(ExternalSecretIn("a", "foreign").is_null());
}

TEST_F(ClusterExternalSecretControllerTest, TakesEsosFinalizerOff) {
  cluster_.Put(ClusterExternalSecrets(), Cluster());
  ASSERT_TRUE(AwaitProvisioned({"a", "b"}));
  json deleting = Cluster();
  deleting["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  deleting["metadata"]["finalizers"] =
      json::array({"kept", mirror::kClusterExternalSecretFinalizer});
  cluster_.Put(ClusterExternalSecrets(), deleting);
  EXPECT_TRUE(Eventually([&] {
    const json object = cluster_.Get(ClusterExternalSecrets(), {"", "shared"});
    return object["metadata"]["finalizers"] == json::array({"kept"});
  }));
  EXPECT_TRUE(ExternalSecretIn("a").is_null());
}

TEST_F(ClusterExternalSecretControllerTest, DoesNothingBeforeItKnowsTheNamespaces) {
  cluster_.Put(ClusterExternalSecrets(), Cluster());
  ASSERT_TRUE(AwaitProvisioned({"a", "b"}));
  SetNamespaces(std::nullopt);
  json edited = Cluster("db");
  cluster_.Put(ClusterExternalSecrets(), edited);
  // It has looked when it sleeps until it looks again.
  SystemClock clock;
  const auto deadline = clock.Now() + seconds(20);
  while (clock_.UntilNextWakeUp() > milliseconds(500) && clock.Now() < deadline) {
    clock.SleepUntil(clock.Now() + milliseconds(2), {});
  }
  EXPECT_FALSE(ExternalSecretIn("a").is_null());
  EXPECT_EQ(ExternalSecretIn("a")["spec"], Cluster()["spec"]["externalSecretSpec"]);
  SetNamespaces(Namespaces{{"a", {{"kind", "web"}}}});
  EXPECT_TRUE(AwaitProvisioned({"a"}));
}

TEST_F(ClusterExternalSecretControllerTest, OnlyItsAgentActs) {
  ours_ = false;
  controller_->OnShardLost();
  cluster_.Put(ClusterExternalSecrets(), Cluster());
  EXPECT_THAT(cluster_.Writes(), IsEmpty());
  EXPECT_EQ(controller_->GetStats().total, 0U);
  ours_ = true;
  controller_->OnShardGained();
  EXPECT_TRUE(AwaitProvisioned({"a", "b"}));
}

}  // namespace
}  // namespace escagent::controller
