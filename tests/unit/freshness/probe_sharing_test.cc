#include "agent/freshness/probe_sharing.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/store/store_object.h"
#include "base/clock.h"
#include "base/json.h"
#include "kube/resource.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_cluster.h"
#include "tests/fakes/fake_esc_api.h"

namespace escagent::freshness {
namespace {

using std::chrono_literals::operator""us;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""h;
using Operation = testing::FakeEscApi::Operation;

constexpr char kDev[] = "acme/web/dev";
constexpr char kApiUrl[] = "https://api.pulumi.com/api/esc";
constexpr char kStore[] = "ClusterSecretStore app";

const SharedTarget kTarget{
    .backend = kApiUrl, .ref = *esc::EnvironmentRef::Parse(kDev), .store = kStore};

// The time of a node whose wall clock is wrong.
class NodeClock final : public Clock {
 public:
  NodeClock(testing::FakeClock& clock, std::chrono::hours wrong) : clock_(clock), wrong_(wrong) {}
  TimePoint Now() const override { return clock_.Now(); }
  WallTime WallNow() const override { return clock_.WallNow() + wrong_.load(); }
  bool SleepUntil(TimePoint deadline, std::stop_token stop) override {
    return clock_.SleepUntil(deadline, std::move(stop));
  }
  void Jump(std::chrono::hours wrong) { wrong_ = wrong; }

 private:
  testing::FakeClock& clock_;
  std::atomic<std::chrono::hours> wrong_;
};

// One agent: it knows the store's environment and is told of news.
struct Agent {
  Agent(testing::FakeCluster& cluster, testing::FakeClock& time,
        std::shared_ptr<testing::FakeEscApi> esc, const std::string& node, std::chrono::hours wrong)
      : clock(time, wrong),
        client(cluster),
        stores({}, client, client, clock),
        heads({}, clock, 1) {
    heads.NoteStore(kApiUrl, "identity", kStore);
    stores.Start();
    sharing = std::make_unique<ProbeSharing>(
        ProbeSharing::Options{.namespace_name = "esc-agent", .node_name = node}, heads, client,
        client, stores, [esc](const store::ResolvedStore&) { return esc; },
        [this](const std::vector<cache::EnvironmentKey>& keys, std::chrono::milliseconds) {
          news += static_cast<int>(keys.size());
        },
        [this] { broken = true; }, clock);
  }

  // What the agent is told of the environment; empty: it has to ask by itself.
  std::string Revision() {
    const auto known = heads.Find({.backend = kApiUrl, .ref = kTarget.ref, .identity = "identity"});
    if (!known) return "";
    return known->head ? known->head->revision : std::string(CodeName(known->head.error().code));
  }
  int Held() const { return sharing->GetStats().shards_held; }

  NodeClock clock;
  testing::FakeCluster::Client client;
  store::KubeStoreRegistry stores;
  SharedHeads heads;
  std::atomic<int> news = 0;
  std::atomic<bool> broken = false;
  std::unique_ptr<ProbeSharing> sharing;
};

class ProbeSharingTest : public ::testing::Test {
 protected:
  ProbeSharingTest() {
    Put(kube::Secrets(),
        R"({"metadata":{"name":"pulumi","namespace":"esc"},"data":{"pat":"cHVsLWFiYzEyMw=="}})");
    Put(store::StoreResource(store::StoreKind::kClusterSecretStore),
        R"({"metadata":{"name":"app"},"spec":{"provider":{"pulumi":{"organization":"acme",
            "project":"web","environment":"dev","accessToken":{"secretRef":{"name":"pulumi",
            "key":"pat","namespace":"esc"}}}}}})");
    esc_->SetEnvironmentJson(kDev, "{}");
  }
  void Put(const kube::Resource& resource, const std::string& text) {
    cluster_.Put(resource, *ParseJson(text, "test"));
  }
  // Moves time on until the condition holds; threads get real time for what they do.
  bool Eventually(const std::function<bool()>& condition) {
    SystemClock real;
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      // The agents' threads for leases and for sharing.
      if (!clock_.AwaitSleepers(agents_.size() * 2, 1s)) continue;
      clock_.Advance(100ms);
      // A chance for the threads that do not sleep by the clock: askers and callbacks.
      real.SleepUntil(real.Now() + 500us, {});
    }
    return true;
  }
  void Pass(std::chrono::seconds time) {
    const auto start = clock_.Now();
    ASSERT_TRUE(Eventually([&] { return clock_.Now() - start >= time; }));
  }
  Agent& Add(const std::string& node, std::chrono::hours wrong = 0h) {
    agents_.push_back(std::make_unique<Agent>(cluster_, clock_, esc_, node, wrong));
    return *agents_.back();
  }
  bool AllKnow(const std::string& revision) {
    return Eventually([&] {
      for (const auto& agent : agents_) {
        if (agent->Revision() != revision) return false;
      }
      return true;
    });
  }
  // Until the shards are distributed; then nothing moves.
  bool AwaitBalance() {
    const int each = kProbeShards / static_cast<int>(agents_.size());
    return Eventually([&] {
      for (const auto& agent : agents_) {
        if (agent->Held() != each || agent->Revision().empty()) return false;
      }
      return true;
    });
  }
  static std::string ObjectName(int shard) { return kProbesPrefix + std::to_string(shard); }
  // The data of the shard's object that has the target.
  nlohmann::json Data(const SharedTarget& target = kTarget) const {
    const auto object =
        cluster_.Get(kube::ConfigMaps(), {"esc-agent", ObjectName(target.ShardOf(kProbeShards))});
    return object.is_null() ? object : object["data"];
  }
  void PutObject(const std::string& name, const nlohmann::json& data) {
    cluster_.Put(kube::ConfigMaps(),
                 {{"metadata",
                   {{"name", name}, {"namespace", "esc-agent"}, {"labels", {{kProbesLabel, "0"}}}}},
                  {"data", data}});
  }

  testing::FakeCluster cluster_;
  testing::FakeClock clock_;
  std::shared_ptr<testing::FakeEscApi> esc_ = std::make_shared<testing::FakeEscApi>();
  std::vector<std::unique_ptr<Agent>> agents_;
};

TEST_F(ProbeSharingTest, OneAsksForAllAndChangesAreTold) {
  Agent& a = Add("a");
  Agent& b = Add("b");
  ASSERT_TRUE(AllKnow("1"));
  ASSERT_TRUE(AwaitBalance());
  const int before = esc_->heads();
  const auto start = clock_.Now();
  ASSERT_TRUE(Eventually([&] { return esc_->heads() >= before + 5; }));
  EXPECT_GE(clock_.Now() - start, 30s) << "one HEAD an interval, and perhaps a new holder";
  EXPECT_TRUE(Eventually([&] {
    return a.sharing->GetStats().shards_followed + b.sharing->GetStats().shards_followed == 1;
  })) << "the others have no targets";
  EXPECT_LE(a.sharing->GetStats().age, 12s);

  const int news = a.news;
  esc_->SetEnvironmentJson(kDev, "{}");
  ASSERT_TRUE(AllKnow("2"));
  EXPECT_TRUE(Eventually([&] { return a.news > news && b.news > 0; }));
}

TEST_F(ProbeSharingTest, NothingIsWrittenWhileNothingChangesAndNoSecret) {
  Agent& a = Add("a");
  ASSERT_TRUE(AllKnow("1"));
  const auto writes = a.sharing->GetStats().writes;
  Pass(60s);
  EXPECT_EQ(a.sharing->GetStats().writes, writes);
  for (int shard = 0; shard < kProbeShards; ++shard) {
    const std::string text =
        cluster_.Get(kube::ConfigMaps(), {"esc-agent", ObjectName(shard)}).dump();
    EXPECT_EQ(text.find("pul-abc123"), std::string::npos);
    EXPECT_EQ(text.find("cHVsLWFiYzEyMw"), std::string::npos);
  }
}

TEST_F(ProbeSharingTest, ManyAgentsThatStartAtOnceDoNotGetInEachOthersWay) {
  for (int i = 0; i < 8; ++i) Add("node-" + std::to_string(i));
  ASSERT_TRUE(AllKnow("1"));
  for (const auto& agent : agents_) EXPECT_EQ(agent->sharing->GetStats().write_failures, 0U);
}

TEST_F(ProbeSharingTest, AnotherAgentTakesOverFromOneThatEnds) {
  Add("a");
  ASSERT_TRUE(AllKnow("1"));
  Add("b");
  ASSERT_TRUE(AllKnow("1"));
  agents_.erase(agents_.begin());
  esc_->SetEnvironmentJson(kDev, "{}");
  EXPECT_TRUE(AllKnow("2"));
}

TEST_F(ProbeSharingTest, AnotherAgentTakesOverFromOneThatIsCutOff) {
  Agent& a = Add("a");
  ASSERT_TRUE(AllKnow("1"));
  Agent& b = Add("b");
  ASSERT_TRUE(AllKnow("1"));
  a.client.Cut(true);
  const auto cut = clock_.Now();
  EXPECT_TRUE(Eventually([&] { return a.Revision().empty(); })) << "it asks by itself";
  EXPECT_LE(clock_.Now() - cut, 13s);
  esc_->SetEnvironmentJson(kDev, "{}");
  EXPECT_TRUE(Eventually([&] { return b.Revision() == "2"; }));
  EXPECT_TRUE(Eventually([&] { return b.Held() == kProbeShards; }));
  a.client.Cut(false);
  EXPECT_TRUE(AllKnow("2"));
}

TEST_F(ProbeSharingTest, WithoutTheApiServerEachAsksByItself) {
  Agent& a = Add("a");
  Agent& b = Add("b");
  ASSERT_TRUE(AllKnow("1"));
  a.client.Cut(true);
  b.client.Cut(true);
  EXPECT_TRUE(AllKnow(""));
  a.client.Cut(false);
  b.client.Cut(false);
  EXPECT_TRUE(AllKnow("1"));
}

TEST_F(ProbeSharingTest, WhoCannotWriteIsNotReliedUpon) {
  Agent& a = Add("a");
  ASSERT_TRUE(AllKnow("1"));
  Agent& b = Add("b");
  ASSERT_TRUE(AllKnow("1"));
  // Its leases can be renewed: others could not tell.
  for (Agent* agent : {&a, &b}) {
    agent->client.SetFault([](std::string_view verb, const kube::ObjectKey& key) -> Status {
      if (verb != "patch" || !key.name.starts_with(kProbesPrefix)) return {};
      return MakeError(Code::kPermissionDenied, "may not");
    });
  }
  esc_->SetEnvironmentJson(kDev, "{}");
  EXPECT_TRUE(Eventually([&] { return a.broken || b.broken; }));
  b.client.SetFault({});
  a.client.SetFault({});
  EXPECT_TRUE(AllKnow("2"));
}

TEST_F(ProbeSharingTest, AStoreThatIsGoneLeavesEachToItself) {
  Add("a");
  ASSERT_TRUE(AllKnow("1"));
  cluster_.Remove(store::StoreResource(store::StoreKind::kClusterSecretStore), {"", "app"});
  EXPECT_TRUE(AllKnow("")) << Data().dump();
}

TEST_F(ProbeSharingTest, AnOutageIsTold) {
  Add("a");
  ASSERT_TRUE(AllKnow("1"));
  esc_->Fail(Operation::kHead, Error{.code = Code::kUnavailable, .message = "away"});
  EXPECT_TRUE(AllKnow(std::string(CodeName(Code::kUnavailable))));
  esc_->StopFailing(Operation::kHead);
  EXPECT_TRUE(AllKnow("1"));
}

TEST_F(ProbeSharingTest, WhatMakesNoSenseIsRepairedOrLeftAlone) {
  const std::string id = kTarget.Id();
  PutObject(ObjectName(kTarget.ShardOf(kProbeShards)),
            {{kTargetKey + id, "no JSON"},
             {kAnswerKey + id, R"({"state":"ok","revision":"666"})"},
             {"a.0000000000000000", "{}"},
             {"t.0000000000000000", ToText(Registration{.target = kTarget})},
             {"note", "of somebody else"},
             {kHolderKey, "nobody"}});
  PutObject("esc-agent-probes-99", {{kHolderKey, "a"}});
  PutObject("esc-agent-probes-x", {{kHolderKey, "a"}});
  PutObject("esc-agent-probes-1x", "no object");
  Add("a");
  ASSERT_TRUE(AllKnow("1"));
  EXPECT_TRUE(Eventually([&] { return Data().size() == 4; })) << Data().dump();
  EXPECT_EQ(Data()["note"], "of somebody else");
}

TEST_F(ProbeSharingTest, ATokenGoesNowhereButToItsStoresAddress) {
  SharedTarget elsewhere = kTarget;
  elsewhere.backend = "https://evil.test/api/esc";
  elsewhere.ref.environment = "other";
  PutObject(ObjectName(elsewhere.ShardOf(kProbeShards)),
            {{kTargetKey + elsewhere.Id(), ToText(Registration{.target = elsewhere})}});
  Add("a");
  ASSERT_TRUE(AllKnow("1"));
  const std::string answer = kAnswerKey + elsewhere.Id();
  ASSERT_TRUE(Eventually([&] { return Data(elsewhere).contains(answer); }));
  EXPECT_EQ(ParseAnswer(Data(elsewhere)[answer].get<std::string>())->state,
            SharedAnswer::State::kDenied);
  EXPECT_EQ(esc_->CallsOf(Operation::kHead, "acme/web/other"), 0);
}

TEST_F(ProbeSharingTest, ADeletedObjectIsMadeAgain) {
  Add("a");
  ASSERT_TRUE(AllKnow("1"));
  cluster_.Remove(kube::ConfigMaps(), {"esc-agent", ObjectName(kTarget.ShardOf(kProbeShards))});
  EXPECT_EQ(agents_[0]->Revision(), "");
  EXPECT_TRUE(AllKnow("1"));
}

TEST_F(ProbeSharingTest, WallClocksDoNotMatter) {
  Add("a", -24h * 365);
  Agent& b = Add("b", 24h * 365);
  ASSERT_TRUE(AllKnow("1"));
  ASSERT_TRUE(AwaitBalance());
  const auto writes = [&] {
    return agents_[0]->sharing->GetStats().writes + b.sharing->GetStats().writes;
  };
  const auto before = writes();
  Pass(30s);
  agents_[0]->clock.Jump(24h * 400);
  b.clock.Jump(-24h * 400);
  Pass(30s);
  EXPECT_LE(writes() - before, 4U) << "a shard may move, but nothing is written again and again";
  esc_->SetEnvironmentJson(kDev, "{}");
  EXPECT_TRUE(AllKnow("2"));
}

}  // namespace
}  // namespace escagent::freshness
