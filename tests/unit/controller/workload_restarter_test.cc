#include "agent/controller/workload_restarter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/mirror/restart_marks.h"
#include "agent/mirror/target_secret.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_cluster.h"

namespace escagent::controller {
namespace {

using escagent::testing::FakeClock;
using escagent::testing::FakeCluster;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kGather{1000};

class WorkloadRestarterTest : public ::testing::Test {
 protected:
  // A Deployment that takes env from the Secret.
  void PutDeployment(const std::string& name, const std::string& secret,
                     const std::string& restart = "true") {
    json object = json::parse(R"({"metadata": {"namespace": "n"}, "spec": {"template": {"spec": {
        "containers": [{"name": "c", "envFrom": [{"secretRef": {}}]}]}}}})");
    object["metadata"]["name"] = name;
    object["metadata"]["annotations"][mirror::kRestartOnChangeAnnotation] = restart;
    object["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["secretRef"]["name"] = secret;
    cluster_.Put(kube::Deployments(), object);
  }
  // As ExternalSecretSync writes it.
  void Change(const std::string& secret, const std::string& hash) {
    json object = SecretJson(secret, hash);
    kube::Object body(object);
    restarter_.BeforeChange({"n", secret}, body);
    cluster_.Put(kube::Secrets(), body.json());
    restarter_.AfterChange({"n", secret});
  }
  static json SecretJson(const std::string& name, const std::string& hash) {
    json object = json::parse(R"({"metadata": {"namespace": "n"}})");
    object["metadata"]["name"] = name;
    object["metadata"]["annotations"][mirror::kDataHashAnnotation] = hash;
    return object;
  }
  std::string Mark(const std::string& secret) const {
    const json object = cluster_.Get(kube::Secrets(), {"n", secret});
    return object["metadata"]["annotations"].value(mirror::kRestartPendingAnnotation, "");
  }
  // Whether the deployment was last restarted for this data of the Secret.
  bool IsRestartedFor(const std::string& name, const std::string& secret,
                      const std::string& hash) const {
    const json object = cluster_.Get(kube::Deployments(), {"n", name});
    const json::json_pointer annotations("/spec/template/metadata/annotations");
    if (!object.contains(annotations)) return false;
    const std::string uid = cluster_.Get(kube::Secrets(), {"n", secret})["metadata"]["uid"];
    return object[annotations].value(RestartedForAnnotation(secret), "") ==
           RestartedForValue(uid, hash);
  }
  std::ptrdiff_t Patches(std::string_view what) const {
    const std::vector<std::string> writes = cluster_.Writes();
    return std::ranges::count_if(writes, [&](const std::string& write) {
      return write.starts_with("patch " + std::string(what));
    });
  }

  // Waits in real time for what the restarter's threads do.
  static bool Eventually(const std::function<bool()>& condition) {
    SystemClock clock;
    const auto deadline = clock.Now() + seconds(20);
    while (!condition()) {
      if (clock.Now() > deadline) return false;
      clock.SleepUntil(clock.Now() + milliseconds(2), {});
    }
    return true;
  }
  // Waits until it has nothing to do for `time`, and is asleep.
  bool IdleFor(milliseconds time) {
    return Eventually([&] { return clock_.UntilNextWakeUp() == time; });
  }
  bool Done() {
    return Eventually([&] { return restarter_.GetStats().waiting == 0; });
  }

  FakeClock clock_;
  FakeCluster cluster_;
  FakeCluster::Client client_{cluster_};
  // Its writes, and the clock's, are another's: they do not disturb what is counted.
  FakeCluster events_cluster_;
  FakeCluster::Client events_client_{events_cluster_};
  FakeClock events_clock_;
  kube::EventRecorder events_{{}, events_client_, events_clock_};
  std::atomic<bool> ours_ = true;
  WorkloadRestarter restarter_{
      {.may_write = [this](const std::string&) { return ours_.load(); }}, client_, events_, clock_};
};

TEST_F(WorkloadRestarterTest, RestartsConsumersOncePerChange) {
  PutDeployment("web", "app");
  PutDeployment("other", "another");
  PutDeployment("silent", "app", "false");
  Change("app", "h1");
  EXPECT_EQ(Mark("app"), "h1");
  ASSERT_TRUE(IdleFor(kGather)) << "changes are gathered";
  EXPECT_EQ(Patches("deployments"), 0);
  clock_.Advance(kGather);
  ASSERT_TRUE(Done());
  EXPECT_TRUE(IsRestartedFor("web", "app", "h1"));
  EXPECT_EQ(Patches("deployments"), 1);
  EXPECT_EQ(Mark("app"), "");

  // Once more for the same data: nothing to do.
  clock_.Advance(seconds(120));
  restarter_.Resume({"n", "app"});
  clock_.Advance(kGather);
  ASSERT_TRUE(Done());
  EXPECT_EQ(Patches("deployments"), 1);
  EXPECT_EQ(restarter_.GetStats().rolls, 1U);
}

TEST_F(WorkloadRestarterTest, SecretsThatChangeTogetherAreOneRoll) {
  PutDeployment("web", "app");
  json deployment = cluster_.Get(kube::Deployments(), {"n", "web"});
  deployment["spec"]["template"]["spec"]["containers"][0]["envFrom"][1]["secretRef"]["name"] = "db";
  cluster_.Put(kube::Deployments(), deployment);
  Change("app", "h1");
  Change("db", "h2");
  clock_.Advance(kGather);
  ASSERT_TRUE(Done());
  EXPECT_TRUE(IsRestartedFor("web", "app", "h1"));
  EXPECT_TRUE(IsRestartedFor("web", "db", "h2"));
  EXPECT_EQ(Patches("deployments"), 1);
}

TEST_F(WorkloadRestarterTest, LeavesUnconsumedSecretsUnmarked) {
  PutDeployment("web", "another");
  Change("app", "h1");
  EXPECT_EQ(Mark("app"), "");
  clock_.Advance(kGather);
  ASSERT_TRUE(Done());
  EXPECT_EQ(Patches(""), 0);
}

TEST_F(WorkloadRestarterTest, AWorkloadIsRolledOnceAMinute) {
  PutDeployment("web", "app");
  Change("app", "h1");
  clock_.Advance(kGather);
  ASSERT_TRUE(Done());
  Change("app", "h2");
  clock_.Advance(kGather);
  ASSERT_TRUE(IdleFor(seconds(59)));
  Change("app", "h3");
  EXPECT_EQ(Patches("deployments"), 1);
  EXPECT_EQ(Mark("app"), "h3");
  clock_.Advance(seconds(59));
  ASSERT_TRUE(Done());
  EXPECT_TRUE(IsRestartedFor("web", "app", "h3"));
  EXPECT_EQ(Patches("deployments"), 2);
  EXPECT_EQ(Mark("app"), "");
}

TEST_F(WorkloadRestarterTest, OneWorkloadASecond) {
  for (const char* name : {"a", "b", "c"}) PutDeployment(name, "app");
  Change("app", "h1");
  clock_.Advance(kGather);
  for (std::uint64_t rolls = 1; rolls <= 3; ++rolls) {
    ASSERT_TRUE(Eventually([&] { return restarter_.GetStats().rolls == rolls; }));
    if (rolls == 3) break;
    ASSERT_TRUE(IdleFor(seconds(1)));
    EXPECT_EQ(Mark("app"), "h1") << "not all are restarted";
    clock_.Advance(milliseconds(999));
    ASSERT_TRUE(IdleFor(milliseconds(1)));
    EXPECT_EQ(restarter_.GetStats().rolls, rolls);
    clock_.Advance(milliseconds(1));
  }
  ASSERT_TRUE(Done());
  EXPECT_EQ(Mark("app"), "");
}

TEST_F(WorkloadRestarterTest, GoesOnAfterACrash) {
  PutDeployment("web", "app");
  json secret = SecretJson("app", "h1");
  secret["metadata"]["annotations"][mirror::kRestartPendingAnnotation] = "h1";
  cluster_.Put(kube::Secrets(), secret);
  restarter_.Resume({"n", "app"});
  clock_.Advance(kGather);
  ASSERT_TRUE(Done());
  EXPECT_TRUE(IsRestartedFor("web", "app", "h1"));
  EXPECT_EQ(Mark("app"), "");
}

TEST_F(WorkloadRestarterTest, MarksWhenItCannotFindOut) {
  PutDeployment("web", "another");
  client_.SetFault([](std::string_view verb, const kube::ObjectKey&) -> Status {
    if (verb == "list") return Unavailable("list: no connection");
    return {};
  });
  Change("app", "h1");
  EXPECT_EQ(Mark("app"), "h1");
  clock_.Advance(kGather);
  ASSERT_TRUE(IdleFor(seconds(1))) << "it is tried again";
  EXPECT_EQ(restarter_.GetStats().failures, 1U);
  client_.SetFault({});
  clock_.Advance(seconds(1));
  ASSERT_TRUE(Done());
  EXPECT_EQ(Mark("app"), "") << "nobody consumes it";
  EXPECT_EQ(Patches("deployments"), 0);
}

TEST_F(WorkloadRestarterTest, WithoutRightsNothingIsMarked) {
  PutDeployment("web", "app");
  client_.SetFault([](std::string_view verb, const kube::ObjectKey&) -> Status {
    if (verb == "list") return PermissionDenied("list: forbidden");
    return {};
  });
  Change("app", "h1");
  EXPECT_EQ(Mark("app"), "");
  clock_.Advance(kGather);
  ASSERT_TRUE(Done());
  EXPECT_EQ(Patches(""), 0);
}

TEST_F(WorkloadRestarterTest, AFailedPatchIsTriedAgain) {
  PutDeployment("web", "app");
  std::atomic<int> failures = 0;
  client_.SetFault([&](std::string_view verb, const kube::ObjectKey& key) -> Status {
    if (verb == "patch" && key.name == "web" && failures++ == 0) {
      return MakeError(Code::kInternal, "patch: a webhook failed");
    }
    return {};
  });
  Change("app", "h1");
  clock_.Advance(kGather);
  ASSERT_TRUE(IdleFor(seconds(1)));
  EXPECT_EQ(Mark("app"), "h1");
  EXPECT_TRUE(Eventually([&] { return !events_cluster_.Writes().empty(); }));
  clock_.Advance(seconds(1));
  ASSERT_TRUE(Done());
  EXPECT_TRUE(IsRestartedFor("web", "app", "h1"));
  EXPECT_EQ(Mark("app"), "");
}

TEST_F(WorkloadRestarterTest, OnlyWhoHoldsTheNamespaceActs) {
  PutDeployment("web", "app");
  Change("app", "h1");
  ours_ = false;
  restarter_.OnShardLost();
  EXPECT_EQ(restarter_.GetStats().waiting, 0U);
  restarter_.Resume({"n", "app"});
  EXPECT_EQ(restarter_.GetStats().waiting, 0U);
  clock_.Advance(seconds(10));
  EXPECT_EQ(Mark("app"), "h1") << "for the one who does";
  EXPECT_EQ(Patches(""), 0);
}

}  // namespace
}  // namespace escagent::controller
