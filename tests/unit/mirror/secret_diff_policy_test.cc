#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "agent/mirror/secret_diff.h"
#include "tests/unit/mirror/secret_diff_fixture.h"

namespace escagent::mirror {
namespace {

using ::testing::HasSubstr;

ExternalSecret WithPolicy(const std::string& policy) {
  return ObjectWith(R"({"target": {"creationPolicy": ")" + policy + R"("}})");
}

std::string OwnerJson(std::string_view api_version, std::string_view kind, std::string_view name) {
  return R"({"metadata": {"ownerReferences": [{"apiVersion": ")" + std::string(api_version) +
         R"(", "kind": ")" + std::string(kind) + R"(", "name": ")" + std::string(name) +
         R"(", "uid": "their-uid", "controller": true}]}})";
}

// The lifecycle matrix: what each creationPolicy does with no Secret, and with somebody's.
TEST_F(SecretDiffTest, LifecycleMatrix) {
  struct Case {
    const char* policy;
    Kind without;
    Kind with;
    bool owns;
    PlainData data;
  };
  const Case cases[] = {
      {"Owner", Kind::kCreate, Kind::kUpdate, true, {{"new", "1"}}},
      {"Orphan", Kind::kCreate, Kind::kUpdate, false, {{"new", "1"}}},
      {"Merge", Kind::kMissing, Kind::kUpdate, false, {{"new", "1"}, {"theirs", "x"}}},
      {"CreateOrMerge", Kind::kCreate, Kind::kUpdate, false, {{"new", "1"}, {"theirs", "x"}}},
      {"None", Kind::kNone, Kind::kNone, false, {}},
  };
  for (const Case& c : cases) {
    secret_ = nullptr;
    EXPECT_EQ(Decide(WithPolicy(c.policy), Data({{"new", "1"}})).kind, c.without) << c.policy;
    SetSecret(R"({"data": {"theirs": "eA=="}})");
    const SecretAction action = Decide(WithPolicy(c.policy), Data({{"new", "1"}}));
    ASSERT_EQ(action.kind, c.with) << c.policy;
    if (action.kind != Kind::kUpdate) continue;
    EXPECT_EQ(DataOf(action), c.data) << c.policy;
    EXPECT_EQ(MetadataOf(action, "ownerReferences").is_array(), c.owns) << c.policy;
    EXPECT_EQ(MetadataOf(action, "labels").contains(kCreatedByLabel), c.owns) << c.policy;
    EXPECT_EQ(MetadataOf(action, "labels")[kManagedLabel], "true") << c.policy;
  }
}

// ESO's mergeWithConflict: a key of somebody else's is taken, the rest stays.
TEST_F(SecretDiffTest, MergeTakesKeysAndHashesTheWhole) {
  SetSecret(R"({"data": {"shared": "dGhlaXJz", "theirs": "eA=="}})");
  const ExternalSecret object = WithPolicy("Merge");
  const SecretAction action = Decide(object, Data({{"shared", "ours"}}));
  ASSERT_EQ(action.kind, Kind::kUpdate);
  EXPECT_TRUE(action.data_changed);
  EXPECT_EQ(DataOf(action), (PlainData{{"shared", "ours"}, {"theirs", "x"}}));
  EXPECT_EQ(MetadataOf(action, "annotations")[kDataHashAnnotation],
            DataHash(Data({{"shared", "ours"}, {"theirs", "x"}})));
}

TEST_F(SecretDiffTest, MergeRemovesItsOwnKeysOnly) {
  SetSecret(R"({"data": {"ours": "b2xk", "theirs": "eA=="},
      "metadata": {"managedFields": [
        {"manager": "externalsecrets.external-secrets.io/app",
         "fieldsV1": {"f:data": {".": {}, "f:ours": {}}}},
        {"manager": "helm", "fieldsV1": {"f:data": {"f:theirs": {}}}}]}})");
  const ExternalSecret object = WithPolicy("Merge");
  EXPECT_EQ(DataOf(Decide(object, Data({{"new", "1"}}))),
            (PlainData{{"new", "1"}, {"theirs", "x"}}));
  EXPECT_EQ(DataOf(Decide(object, SecretData())), (PlainData{{"theirs", "x"}}));
}

TEST_F(SecretDiffTest, AnotherExternalSecretsTargetIsRefusedUnderEveryPolicy) {
  for (const char* version : {"external-secrets.io/v1", "external-secrets.io/v1beta1"}) {
    for (const char* policy : {"Owner", "Orphan", "Merge", "CreateOrMerge"}) {
      SetSecret(OwnerJson(version, "ExternalSecret", "another"));
      const SecretAction action = Decide(WithPolicy(policy), Data({{"k", "v"}}));
      ASSERT_EQ(action.kind, Kind::kRefuse) << policy;
      EXPECT_EQ(action.reason, RefusalReason::kOwnedByAnotherExternalSecret);
      EXPECT_THAT(action.error.message, HasSubstr("another controls Secret app"));
    }
  }
}

TEST_F(SecretDiffTest, AForeignControllerIsRefusedUnderOwnerOnly) {
  for (const auto& [version, kind] : {std::pair{"cert-manager.io/v1", "Certificate"},
                                      std::pair{"example.com/v1", "ExternalSecret"}}) {
    SetSecret(OwnerJson(version, kind, "cert"));
    const SecretAction action = Decide(WithPolicy("Owner"), Data({{"k", "v"}}));
    ASSERT_EQ(action.kind, Kind::kRefuse) << kind;
    EXPECT_EQ(action.reason, RefusalReason::kForeignOwner);
    EXPECT_THAT(action.error.message,
                HasSubstr("Secret app is controlled by " + std::string(kind) + " cert"));
    const SecretAction merge = Decide(WithPolicy("Merge"), Data({{"k", "v"}}));
    ASSERT_EQ(merge.kind, Kind::kUpdate) << kind;
    EXPECT_EQ(MetadataOf(merge, "ownerReferences")[0]["uid"], "their-uid");
  }
}

TEST_F(SecretDiffTest, AnOwnerThatIsOneNoMoreLetsGo) {
  const ExternalSecret owner = WithPolicy("Owner");
  Apply(Decide(owner, Data({{"k", "v"}})), owner);
  // As after a restore that lost the managed fields.
  secret_["metadata"].erase("managedFields");
  const SecretAction action = Decide(WithPolicy("Orphan"), Data({{"k", "v"}}));
  ASSERT_EQ(action.kind, Kind::kUpdate);
  EXPECT_FALSE(action.data_changed);
  EXPECT_TRUE(MetadataOf(action, "ownerReferences").is_null());
  EXPECT_FALSE(MetadataOf(action, "labels").contains(kCreatedByLabel));
}

TEST_F(SecretDiffTest, OnlyItsOwnSecretIsDeleted) {
  const ExternalSecret object = ObjectWith(R"({"target": {"deletionPolicy": "Delete"}})");
  const auto decide = [&] {
    const auto existing = ParseExistingSecret(secret_, FieldManager("app"));
    return DecideDeletion(object, &*existing);
  };
  EXPECT_EQ(DecideDeletion(object, nullptr).kind, Kind::kNone);
  Apply(Decide(object, Data({{"k", "v"}})), object);
  const SecretAction ours = decide();
  EXPECT_EQ(ours.kind, Kind::kDelete);
  EXPECT_EQ(ours.uid, "secret-uid");
  EXPECT_EQ(ours.resource_version, "100");
  secret_["metadata"].erase("ownerReferences");
  EXPECT_EQ(decide().kind, Kind::kDelete) << "its label says whose it is";
  secret_["metadata"].erase("labels");
  EXPECT_EQ(decide().kind, Kind::kRefuse);
  EXPECT_EQ(decide().reason, RefusalReason::kNotOurs);
  SetSecret(OwnerJson("external-secrets.io/v1", "ExternalSecret", "another"));
  secret_["metadata"]["labels"] = {{kCreatedByLabel, CreatedByHash("podinfo", "app")}};
  EXPECT_EQ(decide().kind, Kind::kRefuse) << "its owner counts more than its label";
}

// ESO's deleteOrphanedSecrets: the target was renamed.
TEST(IsOrphan, IsASecretOfAnEarlierTargetName) {
  const ExternalSecret object = ObjectWith(R"({"target": {"name": "renamed"}})");
  const StringMap ours = {{kCreatedByLabel, CreatedByHash("podinfo", "app")}};
  EXPECT_TRUE(IsOrphan(object, "app", ours));
  EXPECT_FALSE(IsOrphan(object, "renamed", ours));
  EXPECT_FALSE(IsOrphan(object, "app", {}));
  EXPECT_FALSE(IsOrphan(object, "app", {{kCreatedByLabel, CreatedByHash("podinfo", "other")}}));
}

}  // namespace
}  // namespace escagent::mirror
