#include "agent/mirror/cluster_external_secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>

#include "tests/unit/mirror/test_objects.h"

namespace escagent::mirror {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = ExternalSecretAction::Kind;

constexpr std::chrono::system_clock::time_point kNow{std::chrono::seconds(1767225600)};
constexpr char kSpec[] = R"({
    "externalSecretSpec": {"secretStoreRef": {"name": "app"}, "refreshInterval": "1h0m0s",
                           "data": [{"secretKey": "a", "remoteRef": {"key": "b"}}]},
    "externalSecretMetadata": {"labels": {"team": "x"}, "annotations": {"note": "y"}},
    "namespaceSelectors": [{"matchLabels": {"kind": "web"}}]})";

nlohmann::json ClusterJson(std::string_view spec) {
  nlohmann::json object = Json(R"({
      "apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret",
      "metadata": {"name": "shared", "uid": "ces-uid", "resourceVersion": "7", "generation": 3}})");
  object["spec"] = Json(spec);
  return object;
}

ClusterExternalSecret ParseCluster(const nlohmann::json& object) {
  Result<ClusterExternalSecret> parsed = ParseClusterExternalSecret(object);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return std::move(parsed).value_or(ClusterExternalSecret());
}
ClusterExternalSecret ParseSpec(std::string_view spec) { return ParseCluster(ClusterJson(spec)); }

// What the API server makes of a POST.
kube::Object Stored(const ClusterExternalSecret& wanted) {
  ExternalSecretAction action = DecideExternalSecret(wanted, "web", nullptr);
  EXPECT_EQ(action.kind, Kind::kCreate);
  nlohmann::json& metadata = action.body.json()["metadata"];
  metadata["uid"] = "es-uid";
  metadata["resourceVersion"] = "9";
  metadata["generation"] = 1;
  action.body.json()["status"]["refreshTime"] = "2026-01-01T00:00:00Z";
  return std::move(action.body);
}

TEST(ClusterExternalSecret, ReadsItsFields) {
  nlohmann::json json = ClusterJson(kSpec);
  json["spec"]["externalSecretName"] = "app";
  json["spec"]["refreshTime"] = "90s";
  json["status"] = Json(R"({"externalSecretName": "app", "provisionedNamespaces": ["a", "b"],
      "failedNamespaces": [{"namespace": "c", "reason": "r"}],
      "conditions": [{"type": "Ready", "status": "False", "message": "m"}]})");
  const ClusterExternalSecret object = ParseCluster(json);
  EXPECT_EQ(object.name, "shared");
  EXPECT_EQ(object.external_secret_name, "app");
  EXPECT_EQ(object.refresh_interval, std::chrono::seconds(90));
  EXPECT_EQ(object.external_secret_labels.at("team"), "x");
  EXPECT_THAT(object.status.provisioned_namespaces, ElementsAre("a", "b"));
  EXPECT_THAT(object.status.failed_namespaces, ElementsAre(NamespaceFailure{"c", "r"}));
  EXPECT_THAT(object.spec_problems, IsEmpty());
  EXPECT_EQ(ParseSpec(kSpec).external_secret_name, "shared");
  EXPECT_FALSE(ParseClusterExternalSecret(ObjectJson("{}")));
}

TEST(ClusterExternalSecret, SelectsByNameAndByAnySelector) {
  const ClusterExternalSecret object = ParseSpec(R"({
      "externalSecretSpec": {}, "namespaces": ["named"],
      "namespaceSelector": {"matchLabels": {"old": "1"}},
      "namespaceSelectors": [
        {"matchLabels": {"kind": "web"}},
        {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}]}]})");
  EXPECT_TRUE(object.Selects("named", {}));
  EXPECT_TRUE(object.Selects("x", {{"old", "1"}}));
  EXPECT_TRUE(object.Selects("x", {{"kind", "web"}}));
  EXPECT_TRUE(object.Selects("x", {{"tier", "b"}}));
  EXPECT_FALSE(object.Selects("x", {{"kind", "job"}, {"tier", "c"}, {"old", "2"}}));
  EXPECT_FALSE(ParseSpec(R"({"externalSecretSpec": {}})").Selects("x", {})) << "none is given";
  EXPECT_TRUE(
      ParseSpec(R"({"externalSecretSpec": {}, "namespaceSelectors": [{}]})").Selects("x", {}))
      << "an empty one selects all";
}

TEST(ClusterExternalSecret, WantsWhatItSaysAndNothingElse) {
  const ClusterExternalSecret wanted = ParseSpec(kSpec);
  const kube::Object stored = Stored(wanted);
  const nlohmann::json& json = stored.json();
  EXPECT_EQ(json["metadata"]["name"], "shared");
  EXPECT_EQ(json["metadata"]["namespace"], "web");
  EXPECT_EQ(json["metadata"]["labels"], Json(R"({"team": "x"})"));
  EXPECT_EQ(json["metadata"]["annotations"], Json(R"({"note": "y"})"));
  EXPECT_EQ(json["spec"], wanted.external_secret_spec);
  EXPECT_EQ(json["metadata"]["ownerReferences"],
            Json(R"([{"apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret",
                      "name": "shared", "uid": "ces-uid", "controller": true,
                      "blockOwnerDeletion": true}])"));
  EXPECT_EQ(DecideExternalSecret(wanted, "web", &stored).kind, Kind::kNone);
}

TEST(ClusterExternalSecret, RepairsWhatSomebodyEdited) {
  const ClusterExternalSecret wanted = ParseSpec(kSpec);
  const auto repaired = [&](const char* pointer, const nlohmann::json& value) {
    kube::Object edited = Stored(wanted);
    edited.json()[nlohmann::json::json_pointer(pointer)] = value;
    ExternalSecretAction action = DecideExternalSecret(wanted, "web", &edited);
    EXPECT_EQ(action.kind, Kind::kReplace) << pointer;
    EXPECT_EQ(action.body.json(), Stored(wanted).json()) << pointer;
  };
  repaired("/spec/refreshInterval", "5s");
  repaired("/spec/dataFrom", nlohmann::json::array());
  repaired("/metadata/labels/team", "z");
  repaired("/metadata/labels/other", "z");
  repaired("/metadata/annotations/external-secrets.io~1force-sync", "1");
  repaired("/metadata/ownerReferences/0/uid", "of a former object of this name");
}

TEST(ClusterExternalSecret, KeepsFinalizersAndOtherOwners) {
  const ClusterExternalSecret wanted = ParseSpec(kSpec);
  kube::Object stored = Stored(wanted);
  nlohmann::json& metadata = stored.json()["metadata"];
  metadata["finalizers"] = nlohmann::json::array({"f"});
  metadata["ownerReferences"].push_back(
      Json(R"({"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "u"})"));
  metadata["ownerReferences"][0]["apiVersion"] = "external-secrets.io/v1beta1";
  EXPECT_EQ(DecideExternalSecret(wanted, "web", &stored).kind, Kind::kNone);
  metadata["labels"].erase("team");
  const ExternalSecretAction action = DecideExternalSecret(wanted, "web", &stored);
  ASSERT_EQ(action.kind, Kind::kReplace);
  EXPECT_EQ(action.body.json()["metadata"]["finalizers"], nlohmann::json::array({"f"}));
  EXPECT_EQ(action.body.json()["metadata"]["ownerReferences"].size(), 2U);
  EXPECT_EQ(action.body.ResourceVersion(), "9");
}

TEST(ClusterExternalSecret, LeavesAnothersAlone) {
  const ClusterExternalSecret wanted = ParseSpec(kSpec);
  kube::Object stored = Stored(wanted);
  nlohmann::json& owners = stored.json()["metadata"]["ownerReferences"];
  owners[0]["name"] = "another";
  EXPECT_EQ(DecideExternalSecret(wanted, "web", &stored).kind, Kind::kConflict);
  owners[0]["name"] = "shared";
  owners[0]["apiVersion"] = "example.com/v1";
  EXPECT_EQ(DecideExternalSecret(wanted, "web", &stored).kind, Kind::kConflict);
  owners.clear();
  EXPECT_EQ(DecideExternalSecret(wanted, "web", &stored).kind, Kind::kConflict);
}

TEST(ClusterExternalSecret, HandsForceSyncOn) {
  nlohmann::json json = ClusterJson(kSpec);
  json["metadata"]["annotations"] =
      Json(R"({"external-secrets.io/force-sync": "17", "other": "1"})");
  const kube::Object stored = Stored(ParseCluster(json));
  EXPECT_EQ(stored.json()["metadata"]["annotations"],
            Json(R"({"note": "y", "external-secrets.io/force-sync": "17"})"));
}

TEST(ClusterStatusPatch, SaysWhatHappenedOnce) {
  nlohmann::json json = ClusterJson(kSpec);
  const ProvisionOutcome good{.provisioned = {"b", "a"}, .failed = {}};
  auto patch = ClusterStatusPatch(ParseCluster(json), good, kNow);
  ASSERT_TRUE(patch);
  json.merge_patch(*patch);
  EXPECT_EQ(json["status"], Json(R"({
      "externalSecretName": "shared", "provisionedNamespaces": ["a", "b"],
      "conditions": [{"type": "Ready", "status": "True",
                      "lastTransitionTime": "2026-01-01T00:00:00Z"}]})"));
  EXPECT_FALSE(ClusterStatusPatch(ParseCluster(json), good, kNow + std::chrono::hours(1)));

  const ProvisionOutcome bad{.provisioned = {"a"}, .failed = {{"d", "2"}, {"c", "1"}}};
  patch = ClusterStatusPatch(ParseCluster(json), bad, kNow + std::chrono::hours(1));
  ASSERT_TRUE(patch);
  json.merge_patch(*patch);
  EXPECT_EQ(json["status"]["provisionedNamespaces"], Json(R"(["a"])"));
  EXPECT_EQ(json["status"]["failedNamespaces"],
            Json(R"([{"namespace": "c", "reason": "1"}, {"namespace": "d", "reason": "2"}])"));
  EXPECT_EQ(json["status"]["conditions"][0]["status"], "False");
  EXPECT_EQ(json["status"]["conditions"][0]["message"], "one or more namespaces failed");
  EXPECT_FALSE(ClusterStatusPatch(ParseCluster(json), bad, kNow + std::chrono::hours(2)));
}

TEST(ClusterStatusPatch, NamesWhatIsWrongWithTheSpec) {
  const ClusterExternalSecret object = ParseSpec(R"({"externalSecretSpec": {},
      "namespaceSelectors": [{"matchExpressions": [{"key": "a", "operator": "Near"}]}]})");
  ASSERT_FALSE(object.spec_problems.empty());
  const auto patch = ClusterStatusPatch(object, {}, kNow);
  ASSERT_TRUE(patch);
  EXPECT_FALSE((*patch)["status"].contains("provisionedNamespaces"));
  EXPECT_THAT((*patch)["status"]["conditions"][0]["message"].get<std::string>(),
              HasSubstr("namespaceSelectors[0].matchExpressions[0].operator"));
}

}  // namespace
}  // namespace escagent::mirror
