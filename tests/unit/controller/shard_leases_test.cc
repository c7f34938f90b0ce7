#include "agent/controller/shard_leases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kube/resource.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_cluster.h"

namespace escagent::controller {
namespace {

using escagent::testing::FakeClock;
using escagent::testing::FakeCluster;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kLeaseShards = 8;
constexpr milliseconds kStep{100};

// One agent of the cluster, with its own connection.
struct LeaseHolder {
  LeaseHolder(FakeCluster& cluster, FakeClock& clock, const std::string& identity)
      : client(cluster),
        leases({.namespace_name = "esc-agent", .identity = identity}, client, client, clock) {
    leases.Start({.on_gained = [this](int) { ++gained; },
                  .on_lost =
                      [this](int) {
                        ++losing;
                        block.wait(true);
                        ++lost;
                      }});
  }
  ~LeaseHolder() { Unblock(); }

  void Unblock() {
    block = false;
    block.notify_all();
  }
  int Held() const {
    int held = 0;
    for (int shard = 0; shard < kLeaseShards; ++shard) held += leases.Holds(shard) ? 1 : 0;
    return held;
  }

  FakeCluster::Client client;
  std::atomic<int> gained = 0;
  std::atomic<int> losing = 0;
  std::atomic<int> lost = 0;
  std::atomic<bool> block = false;  // on_lost does not return
  ShardLeases leases;
};

class ShardLeasesTest : public ::testing::Test {
 protected:
  ShardLeasesTest() {
    for (int i = 0; i < 3; ++i) agents_.push_back(nullptr);
  }

  LeaseHolder& Add(std::size_t index, const std::string& identity) {
    agents_[index] = std::make_unique<LeaseHolder>(cluster_, clock_, identity);
    return *agents_[index];
  }

  // Moves time on in steps until the condition holds, at most `limit`; what threads do for a step
  // is waited for. In each step no shard may have two users.
  bool Within(std::chrono::milliseconds limit, const std::function<bool()>& condition) {
    for (milliseconds passed{0}; passed <= limit; passed += kStep) {
      std::size_t running = 0;
      for (const auto& agent : agents_) running += agent ? 1U : 0U;
      EXPECT_TRUE(clock_.AwaitSleepers(running));
      CheckUsers();
      if (condition()) return true;
      clock_.Advance(kStep);
    }
    return false;
  }
  void Run(milliseconds time) {
    Within(time, [] { return false; });
  }
  // For what depends on callbacks, whose threads have no part in the clock.
  bool Eventually(const std::function<bool()>& condition) {
    return Within(std::chrono::minutes(60), condition);
  }
  void CheckUsers() const {
    for (int shard = 0; shard < kLeaseShards; ++shard) {
      int users = 0;
      for (const auto& agent : agents_) users += agent && agent->leases.Holds(shard) ? 1 : 0;
      ASSERT_LE(users, 1) << "shard " << shard;
    }
  }

  FakeCluster cluster_;
  FakeClock clock_;
  std::vector<std::unique_ptr<LeaseHolder>> agents_;
};

TEST_F(ShardLeasesTest, ShardsOfNamespacesNeverChange) {
  LeaseHolder& a = Add(0, "a");
  // FNV-1a: 0xcbf29ce484222325, 0xaf63dc4c8601ec8c, 0x85944171f73967e8.
  EXPECT_EQ(a.leases.ShardOf(""), 5);
  EXPECT_EQ(a.leases.ShardOf("a"), 4);
  EXPECT_EQ(a.leases.ShardOf("foobar"), 0);
}

TEST_F(ShardLeasesTest, IdentitiesAreNeverTheSame) {
  const std::string one = ShardLeases::MakeIdentity("node-1");
  EXPECT_TRUE(one.starts_with("node-1_"));
  EXPECT_NE(one, ShardLeases::MakeIdentity("node-1"));
}

TEST_F(ShardLeasesTest, OneAgentHasAllAndIsTold) {
  LeaseHolder& a = Add(0, "a");
  EXPECT_TRUE(Within(seconds(2), [&] { return a.Held() == kLeaseShards; }));
  EXPECT_TRUE(Eventually([&] { return a.gained == kLeaseShards; }));
  EXPECT_TRUE(a.leases.HoldsNamespace("podinfo"));
  const std::vector<ShardStatus> status = a.leases.GetStatus();
  ASSERT_EQ(status.size(), static_cast<std::size_t>(kLeaseShards));
  EXPECT_EQ(status[3].holder, "a");
  EXPECT_TRUE(status[3].ours && status[3].since);
  EXPECT_EQ(a.lost, 0);
}

TEST_F(ShardLeasesTest, ThreeAgentsShare) {
  LeaseHolder& a = Add(0, "a");
  Run(seconds(2));
  LeaseHolder& b = Add(1, "b");
  LeaseHolder& c = Add(2, "c");
  EXPECT_TRUE(Eventually([&] {
    return a.Held() + b.Held() + c.Held() == kLeaseShards && b.Held() >= 2 && c.Held() >= 2;
  }));
}

TEST_F(ShardLeasesTest, ACrashIsFollowedWithin15Seconds) {
  LeaseHolder& a = Add(0, "a");
  Run(seconds(2));
  LeaseHolder& b = Add(1, "b");
  ASSERT_TRUE(
      Eventually([&] { return a.Held() == kLeaseShards / 2 && b.Held() == kLeaseShards / 2; }));
  agents_[0].reset();
  EXPECT_TRUE(Within(seconds(15), [&] { return b.Held() == kLeaseShards; }));
}

TEST_F(ShardLeasesTest, ACleanStopIsFollowedAtOnce) {
  LeaseHolder& a = Add(0, "a");
  Run(seconds(2));
  LeaseHolder& b = Add(1, "b");
  ASSERT_TRUE(
      Eventually([&] { return a.Held() == kLeaseShards / 2 && b.Held() == kLeaseShards / 2; }));
  a.leases.Release();
  EXPECT_EQ(a.Held(), 0);
  agents_[0].reset();
  EXPECT_TRUE(Within(seconds(1), [&] { return b.Held() == kLeaseShards; }));
}

TEST_F(ShardLeasesTest, ReleaseWorksAfterSomebodyHasAskedForALease) {
  LeaseHolder& a = Add(0, "a");
  ASSERT_TRUE(Within(seconds(2), [&] { return a.Held() == kLeaseShards; }));
  a.client.Cut(true);  // it does not hear of it
  nlohmann::json lease = cluster_.Get(kube::Leases(), {"esc-agent", "esc-agent-mirror-2"});
  lease["metadata"]["annotations"]["esc-agent.io/note"] = "x";
  cluster_.Put(kube::Leases(), lease);
  a.client.Cut(false);
  a.leases.Release();
  EXPECT_FALSE(cluster_.Get(kube::Leases(), {"esc-agent", "esc-agent-mirror-2"})["spec"].contains(
      "holderIdentity"));
}

TEST_F(ShardLeasesTest, WhoIsCutOffStopsInTimeAndComesBack) {
  LeaseHolder& a = Add(0, "a");
  ASSERT_TRUE(Within(seconds(2), [&] { return a.Held() == kLeaseShards; }));
  LeaseHolder& b = Add(1, "b");
  a.client.Cut(true);
  EXPECT_TRUE(Within(seconds(11), [&] { return a.Held() == 0; }));
  EXPECT_TRUE(Within(seconds(5), [&] { return b.Held() == kLeaseShards; }));
  EXPECT_TRUE(Eventually([&] { return a.lost == kLeaseShards; }));
  a.client.Cut(false);
  EXPECT_TRUE(Eventually([&] { return a.Held() == kLeaseShards / 2; }));
  EXPECT_EQ(b.Held(), kLeaseShards / 2);
}

TEST_F(ShardLeasesTest, AllAreBackSoonAfterTheApiServerIs) {
  LeaseHolder& a = Add(0, "a");
  ASSERT_TRUE(Within(seconds(2), [&] { return a.Held() == kLeaseShards; }));
  a.client.Cut(true);
  Run(seconds(60));
  EXPECT_EQ(a.Held(), 0);
  EXPECT_TRUE(Eventually([&] { return a.lost == kLeaseShards; }));
  a.client.Cut(false);
  EXPECT_TRUE(Within(seconds(3), [&] { return a.Held() == kLeaseShards; }));
}

TEST_F(ShardLeasesTest, AShortFailureIsNoLoss) {
  LeaseHolder& a = Add(0, "a");
  ASSERT_TRUE(Within(seconds(2), [&] { return a.Held() == kLeaseShards; }));
  a.client.SetFault([](std::string_view, const kube::ObjectKey&) -> Status {
    return MakeError(Code::kInternal, "etcd leader changed");
  });
  Run(seconds(5));
  EXPECT_EQ(a.Held(), kLeaseShards);
  a.client.SetFault({});
  Run(seconds(20));
  EXPECT_EQ(a.Held(), kLeaseShards);
  EXPECT_EQ(a.losing, 0);
}

TEST_F(ShardLeasesTest, ASuccessorWaitsForTheWorkToEnd) {
  LeaseHolder& a = Add(0, "a");
  ASSERT_TRUE(Within(seconds(2), [&] { return a.Held() == kLeaseShards; }));
  a.block = true;
  LeaseHolder& b = Add(1, "b");
  ASSERT_TRUE(Eventually([&] { return a.losing == 1; }));
  EXPECT_LT(a.Held(), kLeaseShards) << "not used any more";
  Run(seconds(40));
  EXPECT_EQ(b.Held(), 0) << "and nobody else's";
  a.Unblock();
  EXPECT_TRUE(Eventually([&] { return b.Held() >= 1; }));
  EXPECT_TRUE(Eventually([&] { return b.gained >= 1; }));
}

TEST_F(ShardLeasesTest, SomebodyElsesAnnotationsStay) {
  LeaseHolder& a = Add(0, "a");
  ASSERT_TRUE(Within(seconds(2), [&] { return a.Held() == kLeaseShards; }));
  const kube::ObjectKey key{"esc-agent", "esc-agent-mirror-2"};
  nlohmann::json lease = cluster_.Get(kube::Leases(), key);
  lease["metadata"]["annotations"]["esc-agent.io/note"] = "x";
  cluster_.Put(kube::Leases(), lease);
  const std::string renewed = cluster_.Get(kube::Leases(), key)["spec"]["renewTime"];
  Run(seconds(6));
  const nlohmann::json now = cluster_.Get(kube::Leases(), key);
  EXPECT_EQ(a.Held(), kLeaseShards);
  EXPECT_EQ(now["metadata"]["annotations"]["esc-agent.io/note"], "x");
  EXPECT_NE(now["spec"]["renewTime"], renewed);
}

TEST_F(ShardLeasesTest, ADeletedLeaseIsMadeAgain) {
  LeaseHolder& a = Add(0, "a");
  ASSERT_TRUE(Within(seconds(2), [&] { return a.Held() == kLeaseShards; }));
  cluster_.Remove(kube::Leases(), {"esc-agent", "esc-agent-mirror-2"});
  EXPECT_FALSE(a.leases.Holds(2)) << "somebody else could have it by now";
  EXPECT_TRUE(Eventually([&] { return a.leases.Holds(2); }));
}

}  // namespace
}  // namespace escagent::controller
