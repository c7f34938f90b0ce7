#include "tests/component/apiserver/cluster_fixture.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

class ApplyTest : public ClusterTest {
 protected:
  // The fieldsV1 of a manager's entry; null when it has none.
  static json FieldsOf(const json& object, const std::string& manager,
                       const std::string& subresource = "") {
    for (const json& entry : object["metadata"].value("managedFields", json::array())) {
      if (entry["manager"] == manager && entry.value("subresource", "") == subresource) {
        return entry["fieldsV1"];
      }
    }
    return nullptr;
  }
};
ESC_AGENT_BOTH_CLUSTERS(ApplyTest);

TEST_P(ApplyTest, CreatesAndRecordsTheOwner) {
  json secret = Secret("s", {{"a", "MQ=="}});
  secret["metadata"]["labels"] = {{"l", "1"}};
  secret["type"] = "Opaque";
  Answer made = Apply(Core("secrets", "s"), secret, "one");
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(FieldsOf(made.body, "one"), json::parse(R"({"f:data": {"f:a": {}},
      "f:metadata": {"f:labels": {"f:l": {}}}, "f:type": {}})"));
  json entry = made.body["metadata"]["managedFields"][0];
  EXPECT_EQ(entry["operation"], "Apply");
  EXPECT_EQ(entry["apiVersion"], "v1");
  EXPECT_EQ(entry["fieldsType"], "FieldsV1");
  Answer again = Apply(Core("secrets", "s"), secret, "one");
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body, made.body);
}

TEST_P(ApplyTest, WhatIsNotAppliedAnyMoreGoes) {
  json secret = Secret("s", {{"a", "MQ=="}, {"b", "Mg=="}});
  secret["metadata"]["annotations"] = {{"x", "1"}};
  ASSERT_EQ(Apply(Core("secrets", "s"), secret, "one").status, 201);
  ASSERT_EQ(Apply(Core("secrets", "s"), Secret("s", {{"c", "Mw=="}}), "two").status, 200);
  Answer less = Apply(Core("secrets", "s"), Secret("s", {{"a", "MQ=="}}), "one");
  ASSERT_EQ(less.status, 200) << less.text;
  EXPECT_EQ(less.body["data"], (json{{"a", "MQ=="}, {"c", "Mw=="}}));
  EXPECT_FALSE(less.body["metadata"].contains("annotations"));
}

TEST_P(ApplyTest, WhatIsSharedStays) {
  json secret = Secret("s", {{"a", "MQ=="}});
  ASSERT_EQ(Apply(Core("secrets", "s"), secret, "one").status, 201);
  ASSERT_EQ(Apply(Core("secrets", "s"), secret, "two").status, 200);
  Answer none = Apply(Core("secrets", "s"), Secret("s", json::object()), "one");
  EXPECT_EQ(none.body["data"], (json{{"a", "MQ=="}}));
}

TEST_P(ApplyTest, AnotherManagersFieldConflicts) {
  ASSERT_EQ(Apply(Core("secrets", "s"), Secret("s", {{"a", "MQ=="}}), "one").status, 201);
  json other = Secret("s", {{"a", "Mg=="}});
  Answer conflict = Apply(Core("secrets", "s"), other, "two");
  EXPECT_EQ(conflict.status, 409);
  EXPECT_EQ(conflict.body["reason"], "Conflict");
  EXPECT_EQ(conflict.body["message"],
            "Apply failed with 1 conflict: conflict with \"one\": .data.a");
  EXPECT_EQ(CausesOf(conflict), std::vector<std::string>{".data.a: conflict with \"one\""});
  Answer forced = Apply(Core("secrets", "s"), other, "two", /*force=*/true);
  ASSERT_EQ(forced.status, 200) << forced.text;
  EXPECT_EQ(forced.body["data"]["a"], "Mg==");
  EXPECT_EQ(FieldsOf(forced.body, "one"), nullptr);
}

TEST_P(ApplyTest, UpdatesOwnWhatTheyChange) {
  ASSERT_EQ(Apply(Core("secrets", "s"), Secret("s", {{"a", "MQ=="}}), "one").status, 201);
  Answer patched = cluster_->Request("PATCH", Core("secrets", "s") + "?fieldManager=editor",
                                     {{"data", {{"a", "Mg=="}}}}, "application/merge-patch+json");
  ASSERT_EQ(patched.status, 200);
  EXPECT_EQ(FieldsOf(patched.body, "editor"), json::parse(R"({"f:data": {"f:a": {}}})"));
  EXPECT_EQ(FieldsOf(patched.body, "one"), nullptr);
  Answer conflict = Apply(Core("secrets", "s"), Secret("s", {{"a", "MQ=="}}), "one");
  EXPECT_EQ(conflict.status, 409);
  EXPECT_TRUE(conflict.body["message"].get<std::string>().starts_with(
      "Apply failed with 1 conflict: conflict with \"editor\" using v1"))
      << conflict.text;
}

TEST_P(ApplyTest, ListsByKey) {
  ASSERT_EQ(
      Apply(Widgets("w"),
            Widget("w", {{"color", "red"}, {"parts", {{{"name", "p"}, {"count", 1}}}}}), "one")
          .status,
      201);
  Answer two =
      Apply(Widgets("w"), Widget("w", {{"color", "red"}, {"parts", {{{"name", "q"}}}}}), "two");
  ASSERT_EQ(two.status, 200) << two.text;
  EXPECT_EQ(two.body["spec"]["parts"].size(), 2u);
  EXPECT_EQ(FieldsOf(two.body, "two"), json::parse(R"({"f:spec": {"f:color": {}, "f:parts":
      {"k:{\"name\":\"q\"}": {".": {}, "f:name": {}}}}})"));
  Answer gone = Apply(Widgets("w"), Widget("w", {{"color", "red"}}), "one");
  EXPECT_EQ(gone.body["spec"]["parts"], json::parse(R"([{"name": "q"}])"));
}

TEST_P(ApplyTest, OwnerReferencesAreSharedByUid) {
  const auto owner = [](const char* uid) {
    return json{{"apiVersion", "v1"}, {"kind", "Pod"}, {"name", uid}, {"uid", uid}};
  };
  json secret = Secret("s");
  json live = Post(Core("configmaps"),
                   {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "o"}}}})
                  .body;
  json first = owner("one");
  first["uid"] = live["metadata"]["uid"];
  secret["metadata"]["ownerReferences"] = {first};
  ASSERT_EQ(Apply(Core("secrets", "s"), secret, "one").status, 201);
  secret["metadata"]["ownerReferences"] = {owner("two")};
  Answer both = Apply(Core("secrets", "s"), secret, "two");
  ASSERT_EQ(both.status, 200) << both.text;
  EXPECT_EQ(both.body["metadata"]["ownerReferences"].size(), 2u);
  secret["metadata"].erase("ownerReferences");
  Answer one = Apply(Core("secrets", "s"), secret, "two");
  ASSERT_EQ(one.body["metadata"]["ownerReferences"].size(), 1u) << one.text;
  EXPECT_EQ(one.body["metadata"]["ownerReferences"][0]["uid"], live["metadata"]["uid"]);
}

TEST_P(ApplyTest, TheStatusHasManagersOfItsOwn) {
  ASSERT_EQ(Post(Widgets(), Widget("w", {{"color", "red"}})).status, 201);
  json status = {{"apiVersion", "test.esc-agent.io/v1"},
                 {"kind", "Widget"},
                 {"metadata", {{"name", "w"}}},
                 {"status", {{"phase", "Good"}}}};
  Answer applied = Apply(Widgets("w") + "/status", status, "agent");
  ASSERT_EQ(applied.status, 200) << applied.text;
  EXPECT_EQ(applied.body["status"]["phase"], "Good");
  EXPECT_EQ(FieldsOf(applied.body, "agent", "status"),
            json::parse(R"({"f:status": {"f:phase": {}}})"));
}

TEST_P(ApplyTest, NeedsAManagerAndAName) {
  Answer unnamed =
      cluster_->Request("PATCH", Core("secrets", "s"), Secret("s"), "application/apply-patch+yaml");
  EXPECT_EQ(unnamed.status, 422) << unnamed.text;
  EXPECT_EQ(Apply(Core("secrets", "s"), {{"data", {{"a", "MQ=="}}}}, "one").status, 400);
}

TEST_P(ApplyTest, AStaleRevisionConflicts) {
  json made = Apply(Core("secrets", "s"), Secret("s"), "one").body;
  ASSERT_EQ(Apply(Core("secrets", "s"), Secret("s", {{"a", "Mg=="}}), "one").status, 200);
  json stale = Secret("s");
  stale["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"];
  EXPECT_EQ(Apply(Core("secrets", "s"), stale, "one").status, 409);
}

}  // namespace
}  // namespace escagent::apiserver
