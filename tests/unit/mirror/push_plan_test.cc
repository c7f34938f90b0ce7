#include "agent/mirror/push_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "agent/mirror/push_status.h"
#include "base/duration.h"
#include "tests/unit/mirror/push_objects.h"

namespace escagent::mirror {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kOneKey =
    R"({"data": [{"match": {"secretKey": "k", "remoteRef": {"remoteKey": "app", "property": "p"}}}]})";

class PushPlanTest : public testing::Test {
 protected:
  // Plans for kAppStore and applies the edits to `definition_`; its status is the object's then.
  PushPlan Run(PushSecret& push, const SecretData& data, const esc::Value* opened = nullptr) {
    const PushSource source{"source", &data};
    auto items = PushItemsFor(push, kAppStore, {}, std::span(&source, 1));
    EXPECT_TRUE(items) << items.error().message;
    return Apply(push, *std::move(items), opened);
  }

  PushPlan Apply(PushSecret& push, std::vector<PushItem> items,
                 const esc::Value* opened = nullptr) {
    auto plan =
        PlanPush(push, kAppStore, std::move(items), {.definition = &definition_, .opened = opened});
    EXPECT_TRUE(plan) << plan.error().message;
    auto edited = edit::ApplyEdits(definition_, plan->edits);
    EXPECT_TRUE(edited) << edited.error().message;
    definition_ = std::move(edited->yaml);
    changes_ = edited->changes;
    push.status.synced = {{SyncedStoreKey(kAppStore), plan->synced}};
    return *std::move(plan);
  }

  Secret definition_ = Secret(std::string_view("# mine\nvalues:\n  x: ${y}\n"));
  std::size_t changes_ = 0;
};

TEST_F(PushPlanTest, PushesOnce) {
  PushSecret push = GoodPush(kOneKey);
  const PushPlan plan = Run(push, Data({{"k", "v"}}));
  EXPECT_EQ(definition_.Reveal(),
            "# mine\nvalues:\n  x: ${y}\n  app:\n    p:\n      fn::secret: \"v\"\n");
  EXPECT_EQ(plan.synced, Json(R"({"app/p": {"conversionStrategy": "None", "match": {
      "secretKey": "k", "remoteRef": {"remoteKey": "app", "property": "p"}}}})"));
  Run(push, Data({{"k", "v"}}));
  EXPECT_EQ(changes_, 0u);
  Run(push, Data({{"k", "w"}}));
  EXPECT_EQ(changes_, 1u);
  EXPECT_THAT(std::string(definition_.Reveal()), HasSubstr("fn::secret: \"w\""));
}

TEST_F(PushPlanTest, RemovesWhatIsGoneIfAsked) {
  constexpr const char* kAll =
      R"({"deletionPolicy": "Delete", "data": [{"match": {"remoteRef": {"remoteKey": "app"}}}]})";
  PushSecret push = GoodPush(kAll);
  Run(push, Data({{"a", "1"}, {"b", "2"}}));
  const PushPlan plan = Run(push, Data({{"b", "2"}}));
  EXPECT_EQ(definition_.Reveal(),
            "# mine\nvalues:\n  x: ${y}\n  app:\n    b:\n      fn::secret: \"2\"\n");
  EXPECT_TRUE(plan.synced.contains("app/b"));
  EXPECT_FALSE(plan.synced.contains("app/a"));
  // The whole object goes.
  Apply(push, {});
  EXPECT_EQ(definition_.Reveal(), "# mine\nvalues:\n  x: ${y}\n  app: {}\n");
  EXPECT_EQ(push.status.synced["SecretStore/app"], Json("{}"));
}

TEST_F(PushPlanTest, ForgetsWhatIsGoneIfNot) {
  PushSecret push = GoodPush(R"({"data": [{"match": {"remoteRef": {"remoteKey": "app"}}}]})");
  Run(push, Data({{"a", "1"}, {"b", "2"}}));
  const PushPlan plan = Run(push, Data({{"b", "2"}}));
  EXPECT_EQ(changes_, 0u);
  EXPECT_FALSE(plan.synced.contains("app/a"));
}

TEST_F(PushPlanTest, NeverRemovesWhatIsNoPushedSecret) {
  PushSecret push = GoodPush(R"({"deletionPolicy": "Delete"})");
  push.status.synced = Json(R"({"SecretStore/app": {
      "x": {"match": {"remoteRef": {"remoteKey": "x"}}}, "odd": 5,
      "y": {"match": {"remoteRef": {"remoteKey": "not..a path"}}}}})");
  Apply(push, {});
  EXPECT_EQ(definition_.Reveal(), "# mine\nvalues:\n  x: ${y}\n");
}

TEST_F(PushPlanTest, MovesAValueToAnotherPath) {
  PushSecret push = GoodPush(
      R"({"deletionPolicy": "Delete",
          "data": [{"match": {"secretKey": "k", "remoteRef": {"remoteKey": "app"}}}]})");
  Run(push, Data({{"k", "v"}}));
  PushSecret moved = GoodPush(
      R"({"deletionPolicy": "Delete", "data": [{"match": {"secretKey": "k",
          "remoteRef": {"remoteKey": "app.sub"}}}]})");
  moved.status.synced = push.status.synced;
  Run(moved, Data({{"k", "v"}}));
  EXPECT_EQ(definition_.Reveal(),
            "# mine\nvalues:\n  x: ${y}\n  app:\n    sub:\n      fn::secret: \"v\"\n");
}

TEST_F(PushPlanTest, IfNotExistsLeavesWhatIsThere) {
  PushSecret push = GoodPush(
      R"({"updatePolicy": "IfNotExists", "data": [
          {"match": {"secretKey": "k", "remoteRef": {"remoteKey": "x"}}},
          {"match": {"secretKey": "k", "remoteRef": {"remoteKey": "imported"}}},
          {"match": {"secretKey": "k", "remoteRef": {"remoteKey": "new"}}}]})");
  const esc::Value opened = ValueOf(R"({"x": "1", "imported": "2"})");
  const PushPlan plan = Run(push, Data({{"k", "v"}}), &opened);
  EXPECT_EQ(definition_.Reveal(), "# mine\nvalues:\n  x: ${y}\n  new:\n    fn::secret: \"v\"\n");
  EXPECT_EQ(plan.left_alone, 2u);
  EXPECT_TRUE(plan.synced.contains("new"));
  // Others wrote it: it must not be removed with the PushSecret.
  EXPECT_FALSE(plan.synced.contains("x"));
  const PushPlan again = Run(push, Data({{"k", "changed"}}), &opened);
  EXPECT_EQ(changes_, 0u);
  EXPECT_TRUE(again.synced.contains("new"));
}

TEST(PushStoresTest, KnowsStoresOfTheStatus) {
  PushSecret push = GoodPush("{}");
  push.status.synced =
      Json(R"({"ClusterSecretStore/all": {}, "SecretStore/app": {}, "Odd/x": {}})");
  EXPECT_THAT(
      SyncedStores(push),
      ElementsAre(store::StoreId{store::StoreKind::kClusterSecretStore, "", "all"}, kAppStore));
  EXPECT_EQ(SyncedStoreKey(kAppStore), "SecretStore/app");
}

class PushStatusTest : public testing::Test {
 protected:
  const std::chrono::system_clock::time_point now_{std::chrono::hours(500000)};
  PushSecret push_ = GoodPush(kOneKey);
};

TEST_F(PushStatusTest, SaysThatItIsSynced) {
  const auto patch =
      PushStatusPatch(push_, Pushed(push_, true, Json(R"({"SecretStore/app": {"a": {}}})")), now_);
  ASSERT_TRUE(patch);
  const nlohmann::json& status = (*patch)["status"];
  EXPECT_EQ(status["conditions"][0]["status"], "True");
  EXPECT_EQ(status["conditions"][0]["reason"], "Synced");
  EXPECT_EQ(status["conditions"][0]["message"], "PushSecret synced successfully");
  EXPECT_EQ(status["refreshTime"], FormatTime(now_));
  EXPECT_EQ(status["syncedResourceVersion"],
            "3-f47fe3c0b255b6dd8047cdffa772587bb829efe7a1cb70febeda2eb2");
  EXPECT_EQ(status["syncedPushSecrets"], Json(R"({"SecretStore/app": {"a": {}}})"));
}

TEST_F(PushStatusTest, WritesNothingWhenNothingChanged) {
  nlohmann::json object = PushJsonWith(kOneKey);
  const nlohmann::json synced = Json(R"({"SecretStore/app": {"a": {"x": 1}, "b": {}}})");
  object.update(*PushStatusPatch(push_, Pushed(push_, true, synced), now_));
  const PushSecret after = ParsePush(object);
  EXPECT_FALSE(PushStatusPatch(after, Pushed(after, false, synced), now_ + std::chrono::hours(1)));
  // What is gone must be null in a merge patch.
  const auto patch =
      PushStatusPatch(after, Pushed(after, true, Json(R"({"SecretStore/app": {"b": {}}})")), now_);
  EXPECT_EQ((*patch)["status"]["syncedPushSecrets"],
            Json(R"({"SecretStore/app": {"a": null, "b": {}}})"));
}

TEST_F(PushStatusTest, SaysWhatFailed) {
  const Error error{Code::kUnavailable, "update the definition of environment a/b/c: HTTP 503", {}};
  const auto message = [&](const PushOutcome& outcome) {
    const auto patch = PushStatusPatch(push_, outcome, now_);
    EXPECT_TRUE(patch);
    const nlohmann::json& status = (*patch)["status"];
    EXPECT_EQ(status["conditions"][0]["status"], "False");
    EXPECT_FALSE(status.contains("refreshTime"));
    return status["conditions"][0]["reason"].get<std::string>() + ": " +
           status["conditions"][0]["message"].get<std::string>();
  };
  EXPECT_EQ(message(PushToStoreFailed(kAppStore, error, nlohmann::json::object())),
            "Errored: set secret failed: could not write to target secretstore app: update the "
            "definition of environment a/b/c: HTTP 503");
  EXPECT_EQ(message(SourceMissing(Error{Code::kNotFound, "no such Secret", {}})),
            "Errored: could not get source secret: no such Secret");
  EXPECT_EQ(message(SourceDeleted("s", nlohmann::json::object())),
            "SourceDeleted: source secret s was deleted");
  EXPECT_EQ(message(PushFailed("secret key k does not exist")),
            "Errored: set secret failed: secret key k does not exist");
  const std::vector<std::string> problems = {"spec.a: x", "spec.b: y"};
  EXPECT_EQ(message(InvalidPushSpec(problems)), "Errored: invalid spec: spec.a: x; spec.b: y");
}

TEST_F(PushStatusTest, IfNotExistsSaysSo) {
  const PushSecret push = GoodPush(R"({"updatePolicy": "IfNotExists"})");
  EXPECT_EQ(Pushed(push, false, nlohmann::json::object()).message,
            "PushSecret synced successfully. Existing secrets in providers unchanged.");
}

}  // namespace
}  // namespace escagent::mirror
