#include "agent/mirror/push_secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/mirror/push_objects.h"

namespace escagent::mirror {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using store::StoreKind;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(PushSecretTest, Defaults) {
  const PushSecret push =
      GoodPush(R"({"data": [{"match": {"secretKey": "k", "remoteRef": {"remoteKey": "a.b"}}}]})");
  EXPECT_EQ(push.namespace_name, "podinfo");
  EXPECT_EQ(push.name, "push");
  EXPECT_EQ(push.generation, 3);
  EXPECT_FALSE(push.deleting);
  const PushSecretSpec& spec = push.spec;
  EXPECT_EQ(spec.refresh_interval, hours(1));
  EXPECT_EQ(spec.update_policy, UpdatePolicy::kReplace);
  EXPECT_EQ(spec.deletion_policy, PushDeletionPolicy::kNone);
  EXPECT_EQ(spec.secret_name, "source");
  EXPECT_FALSE(spec.secret_template);
  ASSERT_EQ(spec.stores.size(), 1u);
  EXPECT_TRUE(spec.stores[0].Means(kAppStore, {}));
  ASSERT_EQ(spec.data.size(), 1u);
  EXPECT_EQ(spec.data[0].secret_key, "k");
  EXPECT_EQ(spec.data[0].target.path.ToString(), "a.b");
  EXPECT_FALSE(spec.data[0].reverse_unicode);
}

TEST(PushSecretTest, Everything) {
  const PushSecret push = ParsePush(PushJson(R"({
      "refreshInterval": "10m", "updatePolicy": "IfNotExists", "deletionPolicy": "Delete",
      "secretStoreRefs": [{"name": "all", "kind": "ClusterSecretStore"},
                          {"labelSelector": {"matchLabels": {"push": "yes"}}}],
      "selector": {"secret": {"selector": {"matchExpressions": [
          {"key": "tier", "operator": "In", "values": ["a", "b"]},
          {"key": "old", "operator": "DoesNotExist"}]}}},
      "data": [{"match": {"remoteRef": {"remoteKey": "app[\"a.b\"]", "property": "c[0]"}},
                "conversionStrategy": "ReverseUnicode", "metadata": {"x": [1]}}],
      "dataTo": [{"storeRef": {"name": "app"}, "match": {"regexp": "^db"}, "remoteKey": "db.all",
                  "rewrite": [{"regexp": {"source": "-", "target": "_"}},
                              {"transform": {"template": "{{ .value | lower }}"}}]}],
      "template": {"data": {"k": "{{ .k }}"}}})"));
  EXPECT_EQ(push.spec_problems, std::vector<std::string>());
  const PushSecretSpec& spec = push.spec;
  EXPECT_EQ(spec.refresh_interval, minutes(10));
  EXPECT_EQ(spec.update_policy, UpdatePolicy::kIfNotExists);
  EXPECT_EQ(spec.deletion_policy, PushDeletionPolicy::kDelete);
  ASSERT_TRUE(spec.secret_selector);
  EXPECT_TRUE(spec.secret_selector->Matches({{"tier", "b"}}));
  EXPECT_FALSE(spec.secret_selector->Matches({{"tier", "b"}, {"old", ""}}));
  EXPECT_EQ(spec.data[0].target.path.ToString(), "app[\"a.b\"].c[0]");
  EXPECT_TRUE(spec.data[0].reverse_unicode);
  ASSERT_EQ(spec.data_to.size(), 1u);
  EXPECT_EQ(spec.data_to[0].regexp, "^db");
  EXPECT_EQ(spec.data_to[0].rewrite.size(), 2u);
  EXPECT_EQ(spec.data_to[0].target->path.ToString(), "db.all");
  EXPECT_TRUE(spec.secret_template);
}

TEST(PushSecretTest, StoresAreThoseOfTheOwnNamespace) {
  const PushSecret push = ParsePush(PushJson(R"({
      "secretStoreRefs": [{"name": "all", "kind": "ClusterSecretStore"},
                          {"labelSelector": {"matchLabels": {"push": "yes"}}}],
      "selector": {"secret": {"name": "s"}}})"));
  const PushStoreRef& by_name = push.spec.stores.at(0);
  EXPECT_TRUE(by_name.Means({StoreKind::kClusterSecretStore, "", "all"}, {}));
  EXPECT_FALSE(by_name.Means({StoreKind::kSecretStore, "podinfo", "all"}, {}));
  const PushStoreRef& by_label = push.spec.stores.at(1);
  EXPECT_TRUE(by_label.Means(kAppStore, {{"push", "yes"}}));
  EXPECT_FALSE(by_label.Means(kAppStore, {{"push", "no"}}));
  EXPECT_FALSE(by_label.Means({StoreKind::kSecretStore, "other", "app"}, {{"push", "yes"}}));
}

struct ProblemCase {
  const char* name;
  const char* fields;
  const char* problem;
};

class PushProblemTest : public testing::TestWithParam<ProblemCase> {};

TEST_P(PushProblemTest, IsNamed) {
  const PushSecret push = ParsePush(PushJsonWith(GetParam().fields));
  EXPECT_THAT(push.spec_problems, Contains(HasSubstr(GetParam().problem)));
}

INSTANTIATE_TEST_SUITE_P(
    Problems, PushProblemTest,
    testing::Values(
        ProblemCase{"NoStore", R"({"secretStoreRefs": []})", "secretStoreRefs: must name a store"},
        ProblemCase{"StoreTwice", R"({"secretStoreRefs": [{"name": "a", "labelSelector": {}}]})",
                    "exactly one of name, labelSelector"},
        ProblemCase{"Generator", R"({"selector": {"generatorRef": {"kind": "x", "name": "y"}}})",
                    "generators are not supported"},
        ProblemCase{"NoSource", R"({"selector": {"secret": {}}})", "exactly one of name, selector"},
        ProblemCase{"NoRemoteKey", R"({"data": [{"match": {"secretKey": "k", "remoteRef": {}}}]})",
                    "remoteKey: must be the path of a property"},
        ProblemCase{"BadPath", R"({"data": [{"match": {"remoteRef": {"remoteKey": "a..b"}}}]})",
                    "expected a name"},
        ProblemCase{"IndexFirst", R"({"data": [{"match": {"remoteRef": {"remoteKey": "[0]"}}}]})",
                    "must be the path of a property"},
        ProblemCase{"BadRegexp",
                    R"({"dataTo": [{"storeRef": {"name": "a"}, "match": {"regexp": "("}}]})",
                    "is not a regular expression"},
        ProblemCase{"Merge",
                    R"({"dataTo": [{"storeRef": {"name": "a"}, "rewrite": [{"merge": {}}]}]})",
                    "merge is not possible"},
        ProblemCase{"Policy", R"({"updatePolicy": "Always"})",
                    "must be one of Replace, IfNotExists"},
        ProblemCase{
            "Operator",
            R"({"selector": {"secret": {"selector": {"matchExpressions": [{"key": "a"}]}}}})",
            "operator: is required"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(PushSecretTest, NeedsAnIdentity) {
  nlohmann::json object = PushJsonWith("{}");
  object["metadata"].erase("uid");
  EXPECT_EQ(ParsePushSecret(object).error().code, Code::kInvalidArgument);
  object = PushJsonWith("{}");
  object["apiVersion"] = "external-secrets.io/v1";
  EXPECT_EQ(ParsePushSecret(object).error().code, Code::kInvalidArgument);
}

TEST(PushSecretTest, ReadsItsStatus) {
  nlohmann::json object = PushJsonWith("{}");
  object["metadata"]["deletionTimestamp"] = "2026-11-28T10:00:00Z";
  object["metadata"]["finalizers"] = {kPushSecretFinalizer};
  object["status"] = Json(R"({
      "refreshTime": "2026-11-28T10:00:00Z", "syncedResourceVersion": "3-x",
      "conditions": [{"type": "Ready", "status": "True", "reason": "Synced"}],
      "syncedPushSecrets": {"SecretStore/app": {"a": {}}}})");
  const PushSecret push = ParsePush(object);
  EXPECT_TRUE(push.deleting);
  EXPECT_THAT(push.finalizers, ElementsAre(kPushSecretFinalizer));
  EXPECT_TRUE(push.status.refresh_time);
  EXPECT_EQ(push.status.synced_resource_version, "3-x");
  ASSERT_EQ(push.status.conditions.size(), 1u);
  EXPECT_TRUE(push.status.synced["SecretStore/app"].contains("a"));
}

}  // namespace
}  // namespace escagent::mirror
