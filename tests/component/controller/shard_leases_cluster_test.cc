#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "agent/controller/shard_leases.h"
#include "tests/component/controller/cluster_test_base.h"

namespace escagent::controller {
namespace {

constexpr int kShards = 8;

// An agent with leases that are over soon.
struct Agent {
  Agent(std::unique_ptr<kube::Cluster> connection, const std::string& identity, Clock& clock)
      : kube(std::move(connection)),
        leases({.namespace_name = "esc-agent",
                .identity = identity,
                .shards = kShards,
                .duration = std::chrono::seconds(4),
                .renew = std::chrono::milliseconds(500)},
               kube->api(), kube->informers(), clock) {
    leases.Start({.on_gained = [](int) {}, .on_lost = [](int) {}});
  }
  int Held() const {
    int held = 0;
    for (int shard = 0; shard < kShards; ++shard) held += leases.Holds(shard) ? 1 : 0;
    return held;
  }

  std::unique_ptr<kube::Cluster> kube;
  ShardLeases leases;
};

class ShardLeasesClusterTest : public ClusterTestBase {
 protected:
  std::unique_ptr<Agent> Start(const std::string& identity) {
    return std::make_unique<Agent>(Connect(), identity, clock_);
  }
  // Waits for it; at no time may a shard have two users.
  static bool Reach(const std::vector<const Agent*>& agents,
                    const std::function<bool()>& condition) {
    return Eventually([&] {
      for (int shard = 0; shard < kShards; ++shard) {
        int users = 0;
        for (const Agent* agent : agents) users += agent->leases.Holds(shard) ? 1 : 0;
        EXPECT_LE(users, 1) << "shard " << shard;
      }
      return condition();
    });
  }
};

TEST_P(ShardLeasesClusterTest, AgentsShareFollowAndGiveBack) {
  auto a = Start("a");
  EXPECT_TRUE(Reach({a.get()}, [&] { return a->Held() == kShards; }));
  auto b = Start("b");
  EXPECT_TRUE(Reach({a.get(), b.get()}, [&] { return b->Held() >= 1; })) << "it has asked";
  a.reset();  // a crash
  EXPECT_TRUE(Reach({b.get()}, [&] { return b->Held() == kShards; }));
  auto c = Start("c");
  b->leases.Release();
  EXPECT_EQ(b->Held(), 0);
  EXPECT_TRUE(Reach({b.get(), c.get()}, [&] { return c->Held() == kShards; }));
  const std::vector<ShardStatus> status = c->leases.GetStatus();
  EXPECT_EQ(status.at(0).holder, "c");
}

TEST_P(ShardLeasesClusterTest, ADeletedLeaseIsMadeAgain) {
  auto a = Start("a");
  ASSERT_TRUE(Reach({a.get()}, [&] { return a->Held() == kShards; }));
  const std::string path =
      "/apis/coordination.k8s.io/v1/namespaces/esc-agent/leases/esc-agent-mirror-2";
  const std::string uid = cluster_->Request("GET", path).body["metadata"]["uid"];
  EXPECT_EQ(cluster_->Request("DELETE", path).status, 200);
  EXPECT_TRUE(Reach({a.get()}, [&] {
    const auto lease = cluster_->Request("GET", path);
    return lease.status == 200 && lease.body["metadata"]["uid"] != uid && a->Held() == kShards;
  }));
}

TEST_P(ShardLeasesClusterTest, NobodyHoldsWhileTheServerIsAway) {
  if (!cluster_->IsFake()) GTEST_SKIP() << "the real server is not stopped for this";
  auto a = Start("a");
  ASSERT_TRUE(Reach({a.get()}, [&] { return a->Held() == kShards; }));
  cluster_->fake().faults().SetDown(true);
  EXPECT_TRUE(Reach({a.get()}, [&] { return a->Held() == 0; }));
  cluster_->fake().faults().SetDown(false);
  EXPECT_TRUE(Reach({a.get()}, [&] { return a->Held() == kShards; }));
}

INSTANTIATE_TEST_SUITE_P(Servers, ShardLeasesClusterTest,
                         ::testing::Values(Server::kFake, Server::kReal), NameOfServer);

}  // namespace
}  // namespace escagent::controller
