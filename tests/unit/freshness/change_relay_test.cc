#include "agent/freshness/change_relay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "kube/resource.h"
#include "tests/fakes/fake_cluster.h"

namespace escagent::freshness {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

bool Soon(const std::function<bool()>& condition) {
  SystemClock clock;
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    clock.SleepUntil(clock.Now() + 1ms, {});
  }
  return true;
}

struct RelayAgent {
  explicit RelayAgent(testing::FakeCluster& cluster) : client(cluster) {}

  std::vector<std::string> Heard() {
    const std::scoped_lock lock(mutex);
    return heard;
  }

  testing::FakeCluster::Client client;
  SystemClock clock;
  std::mutex mutex;
  std::vector<std::string> heard;
  ChangeRelay relay{"esc-agent", client, client,
                    [this](const esc::EnvironmentRef& ref, bool here) {
                      const std::scoped_lock lock(mutex);
                      heard.push_back(ref.ToString() + (here ? " here" : ""));
                    },
                    clock};
};

using Lines = std::vector<std::string>;
const esc::EnvironmentRef kDevRef = *esc::EnvironmentRef::Parse("acme/web/dev");
const esc::EnvironmentRef kProdRef = *esc::EnvironmentRef::Parse("acme/web/prod");
const kube::ObjectKey kObject{.namespace_name = "esc-agent", .name = "esc-agent-changes"};

// The object as somebody else might write it.
nlohmann::json ObjectWith(const std::string& name, const nlohmann::json& data) {
  return {{"metadata",
           {{"name", name},
            {"namespace", "esc-agent"},
            {"labels", {{"esc-agent.io/changes", "true"}}}}},
          {"data", data}};
}

TEST(ChangeRelay, AllHearOnceWhatOneIsTold) {
  testing::FakeCluster cluster;
  RelayAgent a(cluster);
  RelayAgent b(cluster);
  a.relay.Announce(kDevRef, "1");
  EXPECT_EQ(a.Heard(), Lines{"acme/web/dev here"});
  EXPECT_TRUE(Soon([&] { return b.Heard() == Lines{"acme/web/dev"}; }));
  b.relay.Announce(kProdRef, "2");
  EXPECT_TRUE(Soon([&] { return a.Heard().size() == 2; }));
  EXPECT_EQ(a.Heard().back(), "acme/web/prod");
  EXPECT_EQ(b.Heard(), (Lines{"acme/web/dev", "acme/web/prod here"}));
}

TEST(ChangeRelay, WhatAnotherHasToldIsNoNews) {
  testing::FakeCluster cluster;
  RelayAgent a(cluster);
  RelayAgent b(cluster);
  a.relay.Announce(kDevRef, "1");
  ASSERT_TRUE(Soon([&] { return b.Heard() == Lines{"acme/web/dev"}; }));
  b.relay.Announce(kDevRef, "1");
  b.relay.Announce(kProdRef, "2");
  EXPECT_TRUE(Soon([&] { return a.Heard().size() == 2; }));
  EXPECT_EQ(a.Heard(), (Lines{"acme/web/dev here", "acme/web/prod"}));
  EXPECT_EQ(b.Heard(), (Lines{"acme/web/dev", "acme/web/prod here"}));
}

TEST(ChangeRelay, WhoComesLaterHearsNothingOld) {
  testing::FakeCluster cluster;
  RelayAgent a(cluster);
  a.relay.Announce(kDevRef, "1");
  ASSERT_TRUE(Soon([&] { return !cluster.Get(kube::ConfigMaps(), kObject).is_null(); }));
  RelayAgent late(cluster);
  a.relay.Announce(kProdRef, "2");
  EXPECT_TRUE(Soon([&] { return late.Heard() == Lines{"acme/web/prod"}; }));
}

TEST(ChangeRelay, TheObjectStaysSmall) {
  testing::FakeCluster cluster;
  RelayAgent a(cluster);
  RelayAgent b(cluster);
  for (std::size_t i = 1; i <= 100; ++i) {
    a.relay.Announce(kDevRef, std::to_string(i));
    ASSERT_TRUE(Soon([&] { return b.Heard().size() == i; }));
  }
  const std::string text =
      cluster.Get(kube::ConfigMaps(), kObject)["data"]["changes"].get<std::string>();
  EXPECT_EQ(ParseJson(text, "changes")->size(), 32U);
  EXPECT_LT(text.size(), 4000U);
}

TEST(ChangeRelay, ConcurrentWritersLoseNothing) {
  testing::FakeCluster cluster;
  RelayAgent a(cluster);
  RelayAgent b(cluster);
  RelayAgent c(cluster);
  for (int i = 0; i < 5; ++i) {
    a.relay.Announce(kDevRef, "a" + std::to_string(i));
    b.relay.Announce(kProdRef, "b" + std::to_string(i));
  }
  EXPECT_TRUE(Soon([&] { return c.Heard().size() == 10; }));
}

TEST(ChangeRelay, WhatIsNoListIsReplaced) {
  testing::FakeCluster cluster;
  RelayAgent a(cluster);
  RelayAgent b(cluster);
  cluster.Put(kube::ConfigMaps(), ObjectWith("esc-agent-changes", {{"changes", "no JSON"}}));
  cluster.Put(kube::ConfigMaps(), ObjectWith("esc-agent-changes", "no object"));
  cluster.Put(kube::ConfigMaps(), ObjectWith("esc-agent-changes", {{"changes", R"([
      1, null, {}, {"id": "x"}, {"id": 7, "environment": "acme/web/dev"},
      {"id": "y", "environment": "../../etc"}, {"environment": "acme/web/dev"}])"}}));
  // Another object, though it says that it is one of ours.
  cluster.Put(
      kube::ConfigMaps(),
      ObjectWith("another", {{"changes", R"([{"id": "z", "environment": "acme/web/dev"}])"}}));
  a.relay.Announce(kProdRef, "1");
  EXPECT_TRUE(Soon([&] { return b.Heard() == Lines{"acme/web/prod"}; }));
  EXPECT_EQ(a.Heard(), Lines{"acme/web/prod here"});
}

TEST(ChangeRelay, WritesAgainWhenTheApiServerIsBack) {
  testing::FakeCluster cluster;
  RelayAgent a(cluster);
  RelayAgent b(cluster);
  int refused = 0;
  a.client.SetFault([&](std::string_view verb, const kube::ObjectKey&) -> Status {
    if (verb == "get" && ++refused <= 3) return Unavailable("no connection");
    return {};
  });
  a.relay.Announce(kDevRef, "1");
  EXPECT_EQ(a.Heard(), Lines{"acme/web/dev here"}) << "this agent does not wait for others";
  EXPECT_TRUE(Soon([&] { return b.Heard() == Lines{"acme/web/dev"}; }));
}

TEST(ChangeRelay, AFloodWhileNobodyCanBeToldIsBounded) {
  testing::FakeCluster cluster;
  RelayAgent a(cluster);
  RelayAgent b(cluster);
  std::atomic<bool> away = true;
  a.client.SetFault([&](std::string_view, const kube::ObjectKey&) -> Status {
    return away ? Status(Unavailable("no connection")) : Status();
  });
  for (int i = 0; i < 1000; ++i) a.relay.Announce(kDevRef, std::to_string(i));
  EXPECT_EQ(a.Heard().size(), 1000U);
  away = false;
  a.relay.Announce(kProdRef, "last");
  EXPECT_TRUE(Soon([&] {
    const Lines heard = b.Heard();
    return std::ranges::find(heard, "acme/web/prod") != heard.end();
  }));
  EXPECT_LE(b.Heard().size(), 65U) << "what was under way, and the last ones";
}

}  // namespace
}  // namespace escagent::freshness
