#include "tests/component/apiserver/cluster_fixture.h"

namespace escagent::apiserver {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using Lines = std::vector<std::string>;

class WatchTest : public ClusterTest {
 protected:
  std::string Revision() const {
    return Get(Core("secrets")).body["metadata"]["resourceVersion"].get<std::string>();
  }
  void Label(const std::string& name, const json& labels) const {
    ASSERT_EQ(Merge(Core("secrets", name), {{"metadata", {{"labels", labels}}}}).status, 200);
  }
};
ESC_AGENT_BOTH_CLUSTERS(WatchTest);

TEST_P(WatchTest, TellsChangesBehindARevision) {
  ASSERT_EQ(Post(Core("secrets"), Secret("before")).status, 201);
  const auto watch = cluster_->Watch(Core("secrets") + "?watch=true&resourceVersion=" + Revision());
  ASSERT_EQ(Post(Core("secrets"), Secret("s")).status, 201);
  Label("s", {{"a", "b"}});
  json last = Get(Core("secrets", "s")).body;
  ASSERT_EQ(Delete(Core("secrets", "s")).status, 200);
  EXPECT_EQ(watch->Summary(3), (Lines{"ADDED s", "MODIFIED s", "DELETED s"}));
  EXPECT_EQ(watch->status(), 200);
  const auto events = watch->Events(3);
  EXPECT_EQ(events[1]["object"], last);
  EXPECT_EQ(events[0]["object"]["kind"], "Secret");
  // The deletion has a revision of its own.
  EXPECT_NE(events[2]["object"]["metadata"]["resourceVersion"],
            last["metadata"]["resourceVersion"]);
  EXPECT_EQ(events[2]["object"]["data"], last["data"]);
}

TEST_P(WatchTest, WithoutARevisionStartsWithWhatThereIs) {
  ASSERT_EQ(Post(Core("secrets"), Secret("a")).status, 201);
  ASSERT_EQ(Post(Core("secrets"), Secret("b")).status, 201);
  const auto watch = cluster_->Watch(Core("secrets") + "?watch=true");
  EXPECT_EQ(watch->Summary(2).size(), 2u);
  ASSERT_EQ(Post(Core("secrets"), Secret("c")).status, 201);
  EXPECT_EQ(watch->Summary(3).back(), "ADDED c");
}

TEST_P(WatchTest, ObjectsEnterAndLeaveASelection) {
  ASSERT_EQ(Post(Core("secrets"), Secret("s")).status, 201);
  const auto watch = cluster_->Watch(Core("secrets") + "?watch=true&labelSelector=in%3Dyes" +
                                     "&resourceVersion=" + Revision());
  Label("s", {{"in", "yes"}});
  Label("s", {{"more", "x"}});
  Label("s", {{"in", "no"}});
  Label("s", {{"more", "y"}});
  Label("s", {{"in", "yes"}});
  EXPECT_EQ(watch->Summary(4), (Lines{"ADDED s", "MODIFIED s", "DELETED s", "ADDED s"}));
}

TEST_P(WatchTest, OfOneName) {
  const auto watch =
      cluster_->Watch(Core("secrets") + "?watch=true&fieldSelector=metadata.name%3Ds" +
                      "&resourceVersion=" + Revision());
  ASSERT_EQ(Post(Core("secrets"), Secret("other")).status, 201);
  ASSERT_EQ(Post(Core("secrets"), Secret("s")).status, 201);
  EXPECT_EQ(watch->Summary(1), Lines{"ADDED s"});
}

TEST_P(WatchTest, MetadataOnly) {
  const auto watch =
      cluster_->Watch(Core("secrets") + "?watch=true&resourceVersion=" + Revision(),
                      {{"Accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}});
  ASSERT_EQ(Post(Core("secrets"), Secret("s")).status, 201);
  json object = watch->Events(1)[0]["object"];
  EXPECT_EQ(object["kind"], "PartialObjectMetadata");
  EXPECT_FALSE(object.contains("data"));
}

TEST_P(WatchTest, SendsInitialEventsAndMarksTheirEnd) {
  ASSERT_EQ(Post(Core("secrets"), Secret("a")).status, 201);
  const auto watch = cluster_->Watch(
      Core("secrets") +
      "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks="
      "true");
  const auto events = watch->Events(2);
  ASSERT_GE(events.size(), 2u);
  EXPECT_EQ(events[0]["type"], "ADDED");
  EXPECT_EQ(events[1]["type"], "BOOKMARK");
  EXPECT_EQ(events[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
  const auto refused = Get(Core("secrets") + "?watch=true&sendInitialEvents=true");
  EXPECT_EQ(refused.status, 422) << refused.text;
}

TEST_P(WatchTest, EndsAfterItsTimeout) {
  const auto watch = cluster_->Watch(Core("secrets") + "?watch=true&timeoutSeconds=1");
  EXPECT_TRUE(watch->AwaitEnd());
}

TEST_P(WatchTest, OfACustomResourceInAnotherVersion) {
  const auto watch = cluster_->Watch(Widgets("", "v1beta1") + "?watch=true");
  ASSERT_EQ(Post(Widgets(), Widget("w", {{"color", "red"}})).status, 201);
  EXPECT_EQ(watch->Events(1)[0]["object"]["apiVersion"], "test.esc-agent.io/v1beta1");
}

class FakeWatchTest : public WatchTest {};
ESC_AGENT_FAKE_CLUSTER(FakeWatchTest);

TEST_P(FakeWatchTest, Bookmarks) {
  const auto watch = cluster_->Watch(Core("secrets") + "?watch=true&allowWatchBookmarks=true" +
                                     "&resourceVersion=" + Revision());
  // Something elsewhere moves the revision on.
  json other = Post(Core("configmaps"),
                    {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "c"}}}})
                   .body;
  const auto revision = std::stoull(other["metadata"]["resourceVersion"].get<std::string>());
  EXPECT_TRUE(watch->WaitFor([&](const std::vector<json>& events) {
    if (events.empty() || events.back()["type"] != "BOOKMARK") return false;
    json metadata = events.back()["object"]["metadata"];
    return std::stoull(metadata["resourceVersion"].get<std::string>()) >= revision;
  }));
}

TEST_P(FakeWatchTest, TooOldIsGone) {
  const std::string revision = Revision();
  ASSERT_EQ(Post(Core("secrets"), Secret("s")).status, 201);
  cluster_->fake().Compact();
  const auto watch = cluster_->Watch(Core("secrets") + "?watch=true&resourceVersion=" + revision);
  const auto events = watch->Events(1);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0]["type"], "ERROR");
  EXPECT_EQ(events[0]["object"]["code"], 410);
  EXPECT_EQ(events[0]["object"]["reason"], "Expired");
  EXPECT_TRUE(watch->AwaitEnd());
}

TEST_P(FakeWatchTest, CanBeCutAndExpired) {
  const std::string path = Core("secrets") + "?watch=true&resourceVersion=" + Revision();
  // The server takes a moment to notice that a reader is gone, so a count is only compared with
  // zero once the watches before are over.
  const auto await_watches = [&](std::size_t count) {
    return TestCluster::WaitUntil([&] { return cluster_->fake().watches() == count; });
  };
  ASSERT_TRUE(await_watches(0));
  const auto cut = cluster_->Watch(path);
  ASSERT_TRUE(await_watches(1));
  cluster_->fake().CutWatches("secrets");
  EXPECT_TRUE(cut->AwaitEnd());
  EXPECT_TRUE(cut->Events(0).empty());

  ASSERT_TRUE(await_watches(0));
  const auto expired = cluster_->Watch(path);
  ASSERT_TRUE(await_watches(1));
  cluster_->fake().ExpireWatches("secrets");
  EXPECT_TRUE(expired->AwaitEnd());
  const auto events = expired->Events(1);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0]["object"]["code"], 410);
}

TEST_P(FakeWatchTest, AStopEndsHundredsOfWatchesAtOnce) {
  auto cluster = TestCluster::Fake();
  ASSERT_TRUE(cluster) << cluster.error().message;
  std::vector<std::unique_ptr<WatchReader>> watches;
  for (int i = 0; i < 300; ++i) {
    watches.push_back((*cluster)->Watch("/api/v1/secrets?watch=true"));
  }
  ASSERT_TRUE(TestCluster::WaitUntil([&] { return (*cluster)->fake().watches() == 300; }));
  ASSERT_EQ((*cluster)->Request("POST", "/api/v1/namespaces/default/secrets", Secret("s")).status,
            201);
  for (const auto& watch : watches) ASSERT_EQ(watch->Summary(1), Lines{"ADDED s"});
  cluster->reset();
  for (const auto& watch : watches) ASSERT_TRUE(watch->AwaitEnd());
}

}  // namespace
}  // namespace escagent::apiserver
