#include "tests/component/apiserver/cluster_fixture.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

class CustomResourcesTest : public ClusterTest {};
ESC_AGENT_BOTH_CLUSTERS(CustomResourcesTest);

TEST_P(CustomResourcesTest, UnknownFieldsArePruned) {
  json spec = {
      {"color", "red"}, {"unknown", 1}, {"open", {{"kept", true}}}, {"tags", {{"any", "x"}}}};
  Answer made = Post(Widgets(), Widget("w", spec));
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_FALSE(made.body["spec"].contains("unknown"));
  EXPECT_EQ(made.body["spec"]["open"], (json{{"kept", true}}));
  EXPECT_EQ(made.Header("Warning"), "299 - \"unknown field \\\"spec.unknown\\\"\"");
  Answer strict = Post(Widgets() + "?fieldValidation=Strict", Widget("x", spec));
  EXPECT_EQ(strict.status, 400);
  EXPECT_TRUE(strict.body["message"].get<std::string>().ends_with(
      "strict decoding error: unknown field \"spec.unknown\""))
      << strict.text;
}

TEST_P(CustomResourcesTest, DefaultsAreFilledIn) {
  Answer made = Post(Widgets(), Widget("w", {{"color", "red"}, {"size", nullptr}}));
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.body["spec"]["size"], 3);
}

TEST_P(CustomResourcesTest, WhatDoesNotFitTheSchemaIsInvalid) {
  Answer answer =
      Post(Widgets(),
           Widget("w", {{"color", "blue"}, {"size", 10}, {"code", "ABC"}, {"tags", {{"a", 1}}}}));
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.body["details"]["kind"], "Widget");
  EXPECT_EQ(answer.body["details"]["group"], "test.esc-agent.io");
  EXPECT_EQ(
      CausesOf(answer),
      (std::vector<std::string>{
          "spec.code: Invalid value: \"ABC\": spec.code in body should match '^[a-z]+$'",
          "spec.color: Unsupported value: \"blue\": supported values: \"red\", \"green\"",
          "spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9",
          "spec.tags.a: Invalid value: \"integer\": spec.tags.a in body must be of type string: "
          "\"integer\""}));
  Answer missing = Post(Widgets(), Widget("w", json::object()));
  EXPECT_EQ(CausesOf(missing), std::vector<std::string>{"spec.color: Required value"});
  Answer lengthy = Post(Widgets(), Widget("w", {{"color", "red"}, {"code", "abcdef"}}));
  EXPECT_EQ(CausesOf(lengthy),
            std::vector<std::string>{"spec.code: Too long: may not be more than 5 bytes"});
}

TEST_P(CustomResourcesTest, EveryVersionShowsTheSameObject) {
  json made = Post(Widgets(), Widget("w", {{"color", "red"}})).body;
  json old = Get(Widgets("w", "v1beta1")).body;
  EXPECT_EQ(old["apiVersion"], "test.esc-agent.io/v1beta1");
  old["apiVersion"] = made["apiVersion"];
  EXPECT_EQ(old, made);
  EXPECT_EQ(Merge(Widgets("w", "v1beta1"), {{"spec", {{"size", 5}}}}).status, 200);
  EXPECT_EQ(Get(Widgets("w")).body["spec"]["size"], 5);
  json list = Get(Widgets("", "v1beta1")).body;
  EXPECT_EQ(list["kind"], "WidgetList");
  EXPECT_EQ(list["items"][0]["apiVersion"], "test.esc-agent.io/v1beta1");
}

TEST_P(CustomResourcesTest, SelectableFields) {
  ASSERT_EQ(Post(Widgets(), Widget("r", {{"color", "red"}})).status, 201);
  ASSERT_EQ(Post(Widgets(), Widget("g", {{"color", "green"}})).status, 201);
  Answer red = Get(Widgets() + "?fieldSelector=spec.color%3Dred");
  ASSERT_EQ(red.status, 200) << red.text;
  ASSERT_EQ(red.body["items"].size(), 1u);
  EXPECT_EQ(red.body["items"][0]["metadata"]["name"], "r");
  EXPECT_EQ(Get(Widgets() + "?fieldSelector=spec.size%3D3").status, 400);
}

TEST_P(CustomResourcesTest, AreInTheDiscovery) {
  json list = Get("/apis/test.esc-agent.io/v1").body;
  bool found = false;
  for (const json& resource : list["resources"]) {
    if (resource["name"] != "widgets") continue;
    found = true;
    EXPECT_EQ(resource["kind"], "Widget");
    EXPECT_EQ(resource["namespaced"], true);
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(Get("/version").status, 200);
}

}  // namespace
}  // namespace escagent::apiserver
