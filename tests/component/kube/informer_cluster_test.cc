#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/thread.h"
#include "tests/component/kube/informer_cluster_fixture.h"

// Informers over real HTTP: what holds for every API server, asked of the one for tests and, where
// KUBEBUILDER_ASSETS names its programs, of kube-apiserver.

namespace escagent::kube {
namespace {

using apiserver::TestCluster;

class InformerClusterTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    // One real one for all: it takes seconds to start.
    static std::unique_ptr<InformerCluster> real;
    if (GetParam() && real != nullptr) {
      informers_ = real.get();
    } else {
      auto cluster = GetParam() ? TestCluster::Real() : TestCluster::Fake();
      if (!cluster) GTEST_SKIP() << cluster.error().message;
      mine_ = std::make_unique<InformerCluster>(*std::move(cluster), InformerPool::Options{});
      informers_ = mine_.get();
      if (GetParam()) {
        real = std::move(mine_);
        // Ended with the suite: no server outlives the program.
        end_real_ = [] { real.reset(); };
      }
    }
    static int namespaces = 0;
    namespace_ = "informers-" + std::to_string(++namespaces);
    informers_->MakeNamespace(namespace_);
  }
  static void TearDownTestSuite() {
    if (end_real_ != nullptr) end_real_();
  }

  InformerHandle Start(std::shared_ptr<InformerRecorder> recorder, bool watch_only = false) {
    Selection selection{.resource = Secrets(), .namespace_name = namespace_};
    selection.watch_only = watch_only;
    return informers_->pool().Start(std::move(selection), std::move(recorder));
  }
  std::string Label(const std::string& name, const std::string& value) {
    return informers_->Label({namespace_, name}, value);
  }
  void Remove(const std::string& name) { informers_->Remove({namespace_, name}); }

  static void (*end_real_)();
  std::unique_ptr<InformerCluster> mine_;
  InformerCluster* informers_ = nullptr;
  std::string namespace_;
  std::shared_ptr<InformerRecorder> recorder_ = std::make_shared<InformerRecorder>();
};

void (*InformerClusterTest::end_real_)() = nullptr;

TEST_P(InformerClusterTest, FollowsChanges) {
  Versions wanted{{"a", Label("a", "1")}, {"b", Label("b", "1")}};
  const InformerHandle handle = Start(recorder_);
  EXPECT_TRUE(AwaitVersions(*recorder_, wanted));
  wanted["c"] = Label("c", "1");
  wanted["a"] = Label("a", "2");
  Remove("b");
  wanted.erase("b");
  EXPECT_TRUE(AwaitVersions(*recorder_, wanted));
  EXPECT_EQ(recorder_->Count("synced"), 1U);
  EXPECT_EQ(recorder_->Count("health"), 0U);
}

TEST_P(InformerClusterTest, WatchesWhatMayNotBeListed) {
  Versions wanted{{"a", Label("a", "1")}};
  const InformerHandle handle = Start(recorder_, /*watch_only=*/true);
  EXPECT_TRUE(AwaitVersions(*recorder_, wanted));
  EXPECT_EQ(recorder_->Await(2).at(1), "synced");
  wanted["b"] = Label("b", "1");
  Remove("a");
  wanted.erase("a");
  EXPECT_TRUE(AwaitVersions(*recorder_, wanted));
}

TEST_P(InformerClusterTest, OneObjectByItsName) {
  Label("other", "1");
  Selection selection{.resource = Secrets(), .namespace_name = namespace_};
  selection.field_selector = "metadata.name=wanted";
  selection.watch_only = true;
  const InformerHandle handle = informers_->pool().Start(std::move(selection), recorder_);
  EXPECT_EQ(recorder_->Await(1).at(0), "synced") << "there is nothing yet";
  const std::string version = Label("wanted", "1");
  EXPECT_TRUE(AwaitVersions(*recorder_, {{"wanted", version}}));
  Remove("wanted");
  EXPECT_TRUE(AwaitVersions(*recorder_, {}));
}

TEST_P(InformerClusterTest, LabelsDecideWhoIsSeen) {
  Label("a", "yes");
  Label("b", "no");
  Selection selection{.resource = Secrets(), .namespace_name = namespace_};
  selection.label_selector = "value=yes";
  selection.metadata_only = true;
  const InformerHandle handle = informers_->pool().Start(std::move(selection), recorder_);
  EXPECT_TRUE(recorder_->AwaitState([](const auto& present) { return present.size() == 1; }));
  Label("a", "no");
  EXPECT_TRUE(recorder_->AwaitState([](const auto& present) { return present.empty(); }));
  const std::string version = Label("b", "yes");
  EXPECT_TRUE(AwaitVersions(*recorder_, {{"b", version}}));
}

TEST_P(InformerClusterTest, AReplacedObjectIsDeletedFirst) {
  Label("a", "1");
  const InformerHandle handle = Start(recorder_);
  EXPECT_TRUE(recorder_->AwaitState([](const auto& present) { return present.size() == 1; }));
  Remove("a");
  const std::string version = Label("a", "2");
  EXPECT_TRUE(AwaitVersions(*recorder_, {{"a", version}}));
  EXPECT_EQ(recorder_->Count("delete"), 1U);
}

TEST_P(InformerClusterTest, HundredsAtOnce) {
  constexpr int kInformers = 150;
  const std::string version = Label("a", "1");
  std::vector<std::shared_ptr<InformerRecorder>> recorders;
  std::vector<InformerHandle> handles;
  for (int i = 0; i < kInformers; ++i) {
    recorders.push_back(std::make_shared<InformerRecorder>());
    handles.push_back(Start(recorders.back(), /*watch_only=*/i % 2 == 0));
  }
  for (const auto& recorder : recorders) {
    EXPECT_TRUE(AwaitVersions(*recorder, {{"a", version}}));
  }
  const std::string next = Label("a", "2");
  for (const auto& recorder : recorders) {
    EXPECT_TRUE(AwaitVersions(*recorder, {{"a", next}}));
    EXPECT_EQ(recorder->Count("health"), 0U);
  }
}

TEST_P(InformerClusterTest, EndsUnderLoad) {
  std::atomic<bool> stop = false;
  const auto writer = StartThread("writer", [&] {
    for (int i = 0; !stop; ++i) Label("a", std::to_string(i));
  });
  for (int i = 0; i < 30; ++i) {
    auto recorder = std::make_shared<InformerRecorder>();
    InformerHandle handle = Start(recorder);
    recorder->Await(static_cast<std::size_t>(i % 4));
    handle = {};
    const std::size_t calls = recorder->Await(0).size();
    EXPECT_EQ(recorder->Await(0).size(), calls);
    EXPECT_EQ(recorder.use_count(), 1);
  }
  stop = true;
}

INSTANTIATE_TEST_SUITE_P(Clusters, InformerClusterTest, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "Real" : "Fake"; });

}  // namespace
}  // namespace escagent::kube
