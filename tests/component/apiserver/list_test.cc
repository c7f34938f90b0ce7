#include "tests/component/apiserver/cluster_fixture.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

constexpr const char* kPartialList =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
constexpr const char* kPartial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

class ListTest : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    if (cluster_ == nullptr) return;
    for (const char* name : {"a", "b", "c"}) {
      json secret = Secret(name);
      secret["metadata"]["labels"] = {{"name", name}, {"all", "yes"}};
      ASSERT_EQ(Post(Core("secrets"), secret).status, 201);
    }
  }

  std::string NamesFor(const std::string& query) const {
    Answer answer = Get(Core("secrets") + "?" + query);
    if (answer.status != 200) return std::to_string(answer.status);
    std::string names;
    for (const json& item : answer.body["items"]) {
      names += item["metadata"]["name"].get<std::string>();
    }
    return names;
  }
};
ESC_AGENT_BOTH_CLUSTERS(ListTest);

TEST_P(ListTest, ItemsOfBuiltInKindsHaveNoKind) {
  Answer list = Get(Core("secrets"));
  EXPECT_EQ(list.body["kind"], "SecretList");
  EXPECT_EQ(list.body["apiVersion"], "v1");
  ASSERT_EQ(list.body["items"].size(), 3u);
  EXPECT_FALSE(list.body["items"][0].contains("kind"));
  EXPECT_FALSE(list.body["items"][0].contains("apiVersion"));
  EXPECT_EQ(list.body["items"][0]["data"], (json{{"a", "MQ=="}}));
  ASSERT_EQ(Post(Widgets(), Widget("w", {{"color", "red"}})).status, 201);
  EXPECT_EQ(Get(Widgets()).body["items"][0]["kind"], "Widget");
}

TEST_P(ListTest, Selectors) {
  EXPECT_EQ(NamesFor("labelSelector=all%3Dyes"), "abc");
  EXPECT_EQ(NamesFor("labelSelector=name%3D%3Da"), "a");
  EXPECT_EQ(NamesFor("labelSelector=name%21%3Da"), "bc");
  EXPECT_EQ(NamesFor("labelSelector=name+in+(a,c)"), "ac");
  EXPECT_EQ(NamesFor("labelSelector=name+notin+(a),all"), "bc");
  EXPECT_EQ(NamesFor("labelSelector=%21name"), "");
  EXPECT_EQ(NamesFor("labelSelector=none"), "");
  EXPECT_EQ(NamesFor("fieldSelector=metadata.name%3Db"), "b");
  EXPECT_EQ(NamesFor("fieldSelector=metadata.name%21%3Db"), "ac");
  EXPECT_EQ(NamesFor("fieldSelector=metadata.namespace%3D" + namespace_), "abc");
  EXPECT_EQ(NamesFor("fieldSelector=type%3DOpaque"), "abc");
  EXPECT_EQ(NamesFor("fieldSelector=spec.none%3Db"), "400");
  EXPECT_EQ(NamesFor("labelSelector=a+b+c"), "400");
}

TEST_P(ListTest, InPieces) {
  Answer first = Get(Core("secrets") + "?limit=2");
  ASSERT_EQ(first.body["items"].size(), 2u);
  EXPECT_EQ(first.body["metadata"]["remainingItemCount"], 1);
  const std::string token = first.body["metadata"]["continue"].get<std::string>();
  // What is made in between is not in the list that was begun.
  ASSERT_EQ(Post(Core("secrets"), Secret("d")).status, 201);
  Answer second = Get(Core("secrets") + "?limit=2&continue=" + token);
  ASSERT_EQ(second.status, 200) << second.text;
  ASSERT_EQ(second.body["items"].size(), 1u);
  EXPECT_EQ(second.body["items"][0]["metadata"]["name"], "c");
  EXPECT_FALSE(second.body["metadata"].contains("continue"));
  EXPECT_EQ(second.body["metadata"]["resourceVersion"], first.body["metadata"]["resourceVersion"]);
  EXPECT_EQ(Get(Core("secrets") + "?continue=nonsense").status, 400);
}

TEST_P(ListTest, MetadataOnly) {
  Answer one = cluster_->Request("GET", Core("secrets", "a"), nullptr, "", {{"Accept", kPartial}});
  EXPECT_EQ(one.body["kind"], "PartialObjectMetadata");
  EXPECT_EQ(one.body["apiVersion"], "meta.k8s.io/v1");
  EXPECT_EQ(one.body["metadata"]["labels"]["name"], "a");
  EXPECT_EQ(one.body.size(), 3u) << one.text;
  Answer list = cluster_->Request("GET", Core("secrets"), nullptr, "", {{"Accept", kPartialList}});
  EXPECT_EQ(list.body["kind"], "PartialObjectMetadataList");
  ASSERT_EQ(list.body["items"].size(), 3u);
  EXPECT_FALSE(list.text.contains("MQ=="));
  EXPECT_EQ(
      cluster_->Request("GET", Core("secrets"), nullptr, "", {{"Accept", "text/html"}}).status,
      406);
}

TEST_P(ListTest, ARevisionThatIsNotThereYet) {
  Answer answer =
      Get(Core("secrets") + "?resourceVersion=999999999&resourceVersionMatch=" + "NotOlderThan");
  EXPECT_EQ(answer.status, 504);
  EXPECT_TRUE(answer.body["message"].get<std::string>().contains("Too large resource version"));
  EXPECT_EQ(Get(Core("secrets") + "?resourceVersion=x").status, 400);
}

TEST_P(ListTest, DeletesACollection) {
  EXPECT_EQ(Delete(Core("secrets") + "?labelSelector=name+in+(a,b)").status, 200);
  EXPECT_EQ(NamesFor(""), "c");
}

class FakeListTest : public ListTest {};
ESC_AGENT_FAKE_CLUSTER(FakeListTest);

TEST_P(FakeListTest, ACompactedListGoesOnInconsistently) {
  const std::string token = Get(Core("secrets") + "?limit=1").body["metadata"]["continue"];
  cluster_->fake().Compact();
  Answer expired = Get(Core("secrets") + "?limit=1&continue=" + token);
  EXPECT_EQ(expired.status, 410);
  EXPECT_EQ(expired.body["reason"], "Expired");
  const std::string other = expired.body["metadata"]["continue"];
  Answer rest = Get(Core("secrets") + "?continue=" + other);
  EXPECT_EQ(rest.status, 200) << rest.text;
  EXPECT_EQ(rest.body["items"].size(), 2u);
}

}  // namespace
}  // namespace escagent::apiserver
