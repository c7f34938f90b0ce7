#include "agent/mirror/external_secret_status.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/mirror/test_objects.h"

namespace escagent::mirror {
namespace {

using std::chrono::system_clock;

const system_clock::time_point kThen = system_clock::time_point(std::chrono::seconds(1'000'000));
const system_clock::time_point kNow = kThen + std::chrono::hours(1);
constexpr char kThenText[] = "1970-01-12T13:46:40Z";
constexpr char kNowText[] = "1970-01-12T14:46:40Z";

// The object with its status as after this patch.
ExternalSecret Patched(const ExternalSecret& object, const nlohmann::json& patch) {
  nlohmann::json json = ObjectJson(
      R"({"secretStoreRef": {"name": "store"}, "dataFrom": [{"extract": {"key": "app"}}]})");
  json["metadata"]["annotations"] = object.annotations;
  json.merge_patch(patch);
  return Parse(json);
}

ExternalSecret SyncedThen() {
  const ExternalSecret object = ObjectWith();
  return Patched(object, StatusPatch(object, Synced(object, true), kThen).value());
}

TEST(StatusPatch, FirstSyncWritesEverything) {
  const ExternalSecret object = ObjectWith();
  EXPECT_EQ(StatusPatch(object, Synced(object, true), kNow).value(), Json(R"({"status": {
                "conditions": [{"type": "Ready", "status": "True", "reason": "SecretSynced",
                                "message": "secret synced",
                                "lastTransitionTime": "1970-01-12T14:46:40Z"}],
                "binding": {"name": "app"}, "refreshTime": "1970-01-12T14:46:40Z",
                "syncedResourceVersion": ")" + SyncedResourceVersion(object) +
                                                                          R"("}})"));
}

// ESO writes the status at every refresh, which is one write of etcd an object an interval.
TEST(StatusPatch, NothingNewIsNotWritten) {
  const ExternalSecret object = SyncedThen();
  EXPECT_EQ(StatusPatch(object, Synced(object, false), kNow), std::nullopt);
  const Error error{.code = Code::kUnavailable, .message = "open environment a/b/c: timed out"};
  const SyncOutcome failed = Failed(FailedStep::kSource, error);
  const ExternalSecret broken = Patched(object, StatusPatch(object, failed, kNow).value());
  EXPECT_EQ(StatusPatch(broken, failed, kNow + std::chrono::hours(1)), std::nullopt);
}

TEST(StatusPatch, ChangedDataMovesTheRefreshTimeOnly) {
  const ExternalSecret object = SyncedThen();
  EXPECT_EQ(StatusPatch(object, Synced(object, true), kNow).value(),
            Json(R"({"status": {"refreshTime": "1970-01-12T14:46:40Z"}})"));
}

TEST(StatusPatch, AChangedObjectIsNoted) {
  ExternalSecret object = SyncedThen();
  object.annotations["force-sync"] = "1";
  const auto patch = StatusPatch(object, Synced(object, false), kNow);
  ASSERT_TRUE(patch);
  EXPECT_EQ(patch->at("status"),
            (nlohmann::json{{"refreshTime", kNowText},
                            {"syncedResourceVersion", SyncedResourceVersion(object)}}));
}

TEST(StatusPatch, AFailureSaysWhyAndKeepsTheRest) {
  const ExternalSecret object = SyncedThen();
  const Error error{.code = Code::kNotFound, .message = "open environment a/b/c: no such thing"};
  EXPECT_EQ(StatusPatch(object, Failed(FailedStep::kSource, error), kNow).value(),
            Json(R"({"status": {"conditions": [
                {"type": "Ready", "status": "False", "reason": "SecretSyncedError",
                 "message": "could not get secret data from provider: open environment a/b/c: no such thing",
                 "lastTransitionTime": "1970-01-12T14:46:40Z"}]}})"));
}

TEST(StatusPatch, TheTransitionTimeMovesWithTheStatusOnly) {
  const ExternalSecret object = SyncedThen();
  const auto retained = StatusPatch(object, Retained(), kNow);
  ASSERT_TRUE(retained);
  EXPECT_EQ(retained->at("/status/conditions/0/lastTransitionTime"_json_pointer), kThenText);
  EXPECT_EQ(retained->at("/status/conditions/0/message"_json_pointer),
            "secret retained due to DeletionPolicy=Retain");
  EXPECT_EQ(retained->at("/status/refreshTime"_json_pointer), kNowText);
}

TEST(StatusPatch, OtherConditionsAreKept) {
  ExternalSecret object = ObjectWith();
  object.status.conditions.push_back({.type = "Deleted", .status = "True", .reason = "R"});
  const auto patch = StatusPatch(object, Missing(), kNow);
  ASSERT_TRUE(patch);
  const nlohmann::json& conditions = patch->at("status").at("conditions");
  ASSERT_EQ(conditions.size(), 2U);
  EXPECT_EQ(conditions[0], Json(R"({"type": "Deleted", "status": "True", "reason": "R"})"));
  EXPECT_EQ(conditions[1]["reason"], "SecretMissing");
  EXPECT_FALSE(patch->at("status").contains("binding"));
}

TEST(Outcomes, HaveEsosTextsAndTheCause) {
  struct Case {
    SyncOutcome outcome;
    const char* reason;
    const char* message;
  };
  const Error why{.code = Code::kFailedPrecondition, .message = "why"};
  const std::vector<std::string> problems = {"spec.a: is bad", "spec.b: is worse"};
  const Case cases[] = {
      {Deleted(true), "SecretDeleted", "secret deleted due to DeletionPolicy=Delete"},
      {Missing(), "SecretMissing", "secret will not be created due to CreationPolicy=Merge"},
      {Failed(FailedStep::kUpdate, why), "SecretSyncedError", "could not update secret: why"},
      {Failed(FailedStep::kDelete, why), "SecretSyncedError", "could not delete secret: why"},
      {Failed(FailedStep::kOrphans, why), "SecretSyncedError",
       "could not delete orphaned secrets: why"},
      {Refused(RefusalReason::kOwnedByAnotherExternalSecret, why), "SecretSyncedError",
       "target is owned by another ExternalSecret: why"},
      {Refused(RefusalReason::kForeignOwner, why), "SecretSyncedError",
       "failed to take ownership of target secret: why"},
      {Refused(RefusalReason::kImmutable, why), "SecretSyncedError",
       "could not update secret, target is immutable: why"},
      {Refused(RefusalReason::kTypeChange, why), "SecretSyncedError",
       "could not update secret: why"},
      {Refused(RefusalReason::kNotOurs, why), "SecretSyncedError", "could not delete secret: why"},
      {InvalidSpec(problems), "SecretSyncedError",
       "invalid spec: spec.a: is bad; spec.b: is worse"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(c.outcome.reason, c.reason);
    EXPECT_EQ(c.outcome.message, c.message);
    EXPECT_EQ(c.outcome.ready, c.outcome.reason != "SecretSyncedError");
  }
  const Error endless{.code = Code::kInternal, .message = std::string(100'000, 'x')};
  EXPECT_LT(Failed(FailedStep::kUpdate, endless).message.size(), 1100U);
}

TEST(Outcomes, BindingNamesTheSecretUnlessThereIsNone) {
  EXPECT_EQ(Synced(ObjectWith(R"({"target": {"name": "t"}})"), true).binding_name, "t");
  EXPECT_EQ(Synced(ObjectWith(R"({"target": {"creationPolicy": "None"}})"), true).binding_name, "");
}

// ESO's deletionPolicyRetainEmptyData and its siblings.
TEST(OnEmptyData, DeletionPolicyDecides) {
  const auto decide = [](const char* policy, const SecretData& data) {
    return OnEmptyData(
        ObjectWith(R"({"target": {"deletionPolicy": ")" + std::string(policy) + R"("}})").spec,
        data);
  };
  EXPECT_EQ(decide("Retain", {}), EmptyData::kRetain);
  EXPECT_EQ(decide("Delete", {}), EmptyData::kDelete);
  EXPECT_EQ(decide("Merge", {}), EmptyData::kWrite);
  for (const char* policy : {"Retain", "Delete", "Merge"}) {
    EXPECT_EQ(decide(policy, Data({{"k", ""}})), EmptyData::kWrite) << policy;
  }
}

}  // namespace
}  // namespace escagent::mirror
