#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "tests/component/kube/informer_cluster_fixture.h"

// Informers and a server that fails in all ways that the one for tests can.

namespace escagent::kube {
namespace {

using apiserver::Fault;
using apiserver::TestCluster;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::string_view kNamespace = "faults";

class InformerFaultTest : public ::testing::Test {
 protected:
  void Serve(apiserver::ApiServer::Options server = {}, InformerPool::Options options = {}) {
    auto cluster = TestCluster::Fake(std::move(server));
    ASSERT_TRUE(cluster) << cluster.error().message;
    informers_ = std::make_unique<InformerCluster>(*std::move(cluster), options);
    informers_->MakeNamespace(std::string(kNamespace));
    wanted_["a"] = Label("a", "1");
    wanted_["b"] = Label("b", "1");
  }
  void Start() {
    handle_ = informers_->pool().Start(
        {.resource = Secrets(), .namespace_name = std::string(kNamespace)}, recorder_);
  }
  void StartSynced() {
    Start();
    ASSERT_TRUE(AwaitVersions(*recorder_, wanted_));
    ASSERT_TRUE(TestCluster::WaitUntil([&] { return server().watches() == 1; }));
  }
  apiserver::ApiServer& server() { return informers_->cluster().fake(); }
  std::uint64_t Lists() { return server().log().Total("list", "secrets"); }
  std::uint64_t Watches() { return server().log().Total("watch", "secrets"); }
  std::string Label(const std::string& name, const std::string& value) {
    return informers_->Label({std::string(kNamespace), name}, value);
  }
  // Changes while the watch may be away, and their arrival.
  void ExpectCatchUp() {
    wanted_["a"] = Label("a", "changed");
    wanted_["new"] = Label("new", "1");
    if (wanted_.erase("b") > 0) informers_->Remove({std::string(kNamespace), "b"});
    EXPECT_TRUE(AwaitVersions(*recorder_, wanted_));
  }

  std::unique_ptr<InformerCluster> informers_;
  Versions wanted_;
  std::shared_ptr<InformerRecorder> recorder_ = std::make_shared<InformerRecorder>();
  InformerHandle handle_;
};

TEST_F(InformerFaultTest, ACutWatchIsResumedWithoutAList) {
  Serve();
  StartSynced();
  for (int i = 0; i < 3; ++i) {
    server().CutWatches("secrets");
    wanted_["a"] = Label("a", std::to_string(i));
    EXPECT_TRUE(AwaitVersions(*recorder_, wanted_));
  }
  ExpectCatchUp();
  EXPECT_EQ(Lists(), 1U);
  EXPECT_GE(Watches(), 4U);
}

TEST_F(InformerFaultTest, AnExpiredWatchIsListedAgain) {
  Serve();
  StartSynced();
  server().ExpireWatches("secrets");
  ExpectCatchUp();
  EXPECT_TRUE(TestCluster::WaitUntil([&] { return Lists() == 2U; }));
}

TEST_F(InformerFaultTest, TooOldAtTheStartIsListedAgain) {
  Serve();
  StartSynced();
  server().faults().Add({.verb = "watch", .resource = "secrets", .status = 410, .times = 1});
  server().CutWatches("secrets");
  ExpectCatchUp();
  EXPECT_TRUE(TestCluster::WaitUntil([&] { return Lists() == 2U; }));
}

TEST_F(InformerFaultTest, GarbageIsNotBelieved) {
  Serve();
  server().faults().Add({.verb = "watch", .resource = "secrets", .garbage = true, .times = 2});
  Start();
  EXPECT_TRUE(AwaitVersions(*recorder_, wanted_));
  ExpectCatchUp();
}

TEST_F(InformerFaultTest, ADownServerIsToldAndCaughtUpWith) {
  Serve();
  StartSynced();
  server().faults().SetDown(true);
  server().CutWatches("secrets");
  EXPECT_TRUE(TestCluster::WaitUntil([&] { return recorder_->Count("health UNAVAILABLE") == 1; }));
  server().faults().SetDown(false);
  ExpectCatchUp();
  EXPECT_TRUE(TestCluster::WaitUntil([&] { return recorder_->Count("health OK") == 1; }));
  EXPECT_EQ(recorder_->Count("delete"), 1U);
  EXPECT_EQ(Lists(), 1U);
}

TEST_F(InformerFaultTest, RefusalsHaveTheServersWords) {
  Serve();
  server().faults().Add({.verb = "list",
                         .resource = "secrets",
                         .status = 403,
                         .message = "secrets is forbidden: User \"x\" cannot list",
                         .times = 1});
  Start();
  EXPECT_TRUE(TestCluster::WaitUntil([&] { return recorder_->Count("health PERMISSION") == 1; }));
  EXPECT_THAT(recorder_->HealthMessage(), ::testing::HasSubstr("cannot list"));
  EXPECT_TRUE(AwaitVersions(*recorder_, wanted_));
}

TEST_F(InformerFaultTest, ASlowListHoldsUpNoOther) {
  Serve();
  server().faults().Add({.verb = "list", .resource = "configmaps", .hang = true});
  auto stuck = std::make_shared<InformerRecorder>();
  const InformerHandle handle = informers_->pool().Start({.resource = ConfigMaps()}, stuck);
  EXPECT_TRUE(
      TestCluster::WaitUntil([&] { return server().log().Total("list", "configmaps") == 1U; }));
  StartSynced();
  ExpectCatchUp();
}

TEST_F(InformerFaultTest, AResetInTheMiddleOfAList) {
  Serve();
  server().faults().Add(
      {.verb = "list", .resource = "secrets", .reset = Fault::Reset::kMiddle, .times = 2});
  Start();
  EXPECT_TRUE(AwaitVersions(*recorder_, wanted_));
}

TEST_F(InformerFaultTest, BookmarksAreResumedFrom) {
  apiserver::ApiServer::Options options;
  options.bookmark_interval = milliseconds(20);
  // Watches end by their timeout every second or two, between bookmarks.
  Serve(options, {.min_watch = seconds(1)});
  StartSynced();
  // Elsewhere much happens, and the history of before is forgotten.
  informers_->MakeNamespace("elsewhere");
  std::string version;
  for (int i = 0; i < 5; ++i) version = informers_->Label({"elsewhere", "x"}, std::to_string(i));
  EXPECT_TRUE(TestCluster::WaitUntil([&] {
    for (const auto& entry : server().log().Entries()) {
      if (entry.path.find("resourceVersion=" + version) != std::string::npos) return true;
    }
    return false;
  }));
  EXPECT_EQ(Lists(), 1U);
}

TEST_F(InformerFaultTest, ASilentWatchIsBegunAnew) {
  apiserver::ApiServer::Options options;
  options.bookmark_interval = seconds(3600);
  Serve(options, {.idle_watch = milliseconds(300)});
  StartSynced();
  EXPECT_TRUE(TestCluster::WaitUntil([&] { return Watches() >= 3U; }));
  ExpectCatchUp();
  EXPECT_EQ(Lists(), 1U);
}

TEST_F(InformerFaultTest, TenThousandObjects) {
  Serve();
  constexpr int kObjects = 10000;
  std::string yaml;
  for (int i = 0; i < kObjects; ++i) {
    const std::string name = "many-" + std::to_string(i);
    yaml += "---\napiVersion: v1\nkind: Secret\nmetadata: {name: " + name +
            ", namespace: faults}\nstringData: {a: b}\n";
  }
  ASSERT_TRUE(server().Load(yaml, "secrets"));
  Start();
  const auto all_there = [&](const auto& present) { return present.size() == kObjects + 2; };
  EXPECT_TRUE(recorder_->AwaitState(all_there));
  EXPECT_EQ(Lists(), (kObjects + 2 + 499) / 500);
  EXPECT_EQ(recorder_->Count("upsert"), kObjects + 2U);
  ASSERT_TRUE(TestCluster::WaitUntil([&] { return server().watches() == 1; }));
  informers_->Remove({std::string(kNamespace), "many-7"});
  EXPECT_TRUE(
      recorder_->AwaitState([](const auto& present) { return present.size() == kObjects + 1; }));
  server().ExpireWatches("secrets");
  EXPECT_TRUE(TestCluster::WaitUntil([&] { return Lists() > 40 && server().watches() == 1; }));
  EXPECT_EQ(recorder_->Count("upsert"), kObjects + 2U) << "the unchanged are not told again";
}

}  // namespace
}  // namespace escagent::kube
