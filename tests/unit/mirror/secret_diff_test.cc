#include "agent/mirror/secret_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/mirror/secret_diff_fixture.h"

namespace escagent::mirror {
namespace {

using ::testing::HasSubstr;

constexpr char kWorldHash[] = "b809ba03067977ba5d2a74e289c62a30894f862ccc6c9e960a3beb0b";

SecretData World() { return Data({{"hello", "world"}, {"hello-secret", "world"}}); }

// The Secret that ESO made of the same ExternalSecret: same marks, an owner of the old API version.
constexpr char kMadeByEso[] = R"({
    "data": {"hello": "d29ybGQ=", "hello-secret": "d29ybGQ="},
    "metadata": {
      "labels": {"reconcile.external-secrets.io/managed": "true",
                 "reconcile.external-secrets.io/created-by": "CREATED-BY", "others": "stay"},
      "annotations": {"reconcile.external-secrets.io/data-hash":
                      "b809ba03067977ba5d2a74e289c62a30894f862ccc6c9e960a3beb0b"},
      "ownerReferences": [{"apiVersion": "external-secrets.io/v1beta1", "kind": "ExternalSecret",
                           "name": "app", "uid": "es-uid", "controller": true,
                           "blockOwnerDeletion": true}]}})";

class AdoptionTest : public SecretDiffTest {
 protected:
  void SetUp() override {
    std::string text = kMadeByEso;
    text.replace(text.find("CREATED-BY"), 10, CreatedByHash("podinfo", "app"));
    SetSecret(text);
  }
};

TEST_F(AdoptionTest, ASecretMadeByEsoStaysUntouched) {
  const SecretAction action = Decide(ObjectWith(), World());
  EXPECT_EQ(action.kind, Kind::kNone);
  EXPECT_FALSE(action.data_changed);
}

TEST_F(AdoptionTest, ANewUidTakesTheSecretOver) {
  secret_["metadata"]["ownerReferences"][0]["uid"] = "uid-of-a-deleted-one";
  const SecretAction action = Decide(ObjectWith(), World());
  ASSERT_EQ(action.kind, Kind::kUpdate);
  EXPECT_FALSE(action.data_changed);
  EXPECT_EQ(MetadataOf(action, "ownerReferences"),
            Json(R"([{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
                      "name": "app", "uid": "es-uid", "controller": true,
                      "blockOwnerDeletion": true}])"));
}

// ESO's checkSecretDataHashAnnotationChange.
TEST_F(AdoptionTest, ATamperedHashIsRepaired) {
  secret_["metadata"]["annotations"][kDataHashAnnotation] = "tampered";
  const SecretAction action = Decide(ObjectWith(), World());
  ASSERT_EQ(action.kind, Kind::kUpdate);
  EXPECT_FALSE(action.data_changed);
  EXPECT_EQ(MetadataOf(action, "annotations")[kDataHashAnnotation], kWorldHash);
}

TEST_F(AdoptionTest, TamperedDataIsRepaired) {
  secret_["data"]["hello"] = Encode("tampered");
  secret_["data"]["added"] = Encode("by somebody");
  const SecretAction action = Decide(ObjectWith(), World());
  ASSERT_EQ(action.kind, Kind::kUpdate);
  EXPECT_TRUE(action.data_changed);
  EXPECT_EQ(DataOf(action), Plain(World()));
  EXPECT_EQ(action.uid, "secret-uid");
  EXPECT_EQ(action.resource_version, "100");
  EXPECT_EQ(MetadataOf(action, "uid"), "secret-uid");
  EXPECT_EQ(MetadataOf(action, "resourceVersion"), "100");
  EXPECT_EQ(MetadataOf(action, "labels")["others"], "stay");
}

TEST_F(AdoptionTest, ALostLabelIsRepaired) {
  secret_["metadata"]["labels"].erase(kManagedLabel);
  const SecretAction action = Decide(ObjectWith(), World());
  ASSERT_EQ(action.kind, Kind::kUpdate);
  EXPECT_EQ(MetadataOf(action, "labels")[kManagedLabel], "true");
}

TEST_F(SecretDiffTest, ANewSecretHasEverything) {
  const SecretAction action = Decide(ObjectWith(R"({"target": {"immutable": true, "template":
          {"type": "example.com/t", "metadata": {"finalizers": ["example.com/f"]}}}})"),
                                     World());
  ASSERT_EQ(action.kind, Kind::kCreate);
  EXPECT_TRUE(action.data_changed);
  EXPECT_EQ(action.body.json(),
            Json(R"({"apiVersion": "v1", "kind": "Secret", "type": "example.com/t",
                     "immutable": true,
                     "data": {"hello": "d29ybGQ=", "hello-secret": "d29ybGQ="},
                     "metadata": {"namespace": "podinfo", "name": "app",
                       "finalizers": ["example.com/f"],
                       "labels": {"reconcile.external-secrets.io/managed": "true",
                                  "reconcile.external-secrets.io/created-by": ")" +
                 CreatedByHash("podinfo", "app") + R"("},
                       "annotations": {"reconcile.external-secrets.io/data-hash": ")" +
                 kWorldHash + R"("},
                       "ownerReferences": [{"apiVersion": "external-secrets.io/v1",
                         "kind": "ExternalSecret", "name": "app", "uid": "es-uid",
                         "controller": true, "blockOwnerDeletion": true}]}})"));
}

TEST_F(SecretDiffTest, WhatWasWrittenIsNotWrittenAgain) {
  for (const char* spec :
       {"{}", R"({"target": {"creationPolicy": "Orphan"}})",
        R"({"target": {"creationPolicy": "CreateOrMerge"}})", R"({"target": {"immutable": true}})",
        R"({"target": {"template": {"type": "kubernetes.io/basic-auth",
                                    "metadata": {"labels": {"a": "b"}, "finalizers": ["x/y"]}}}})"}) {
    secret_ = nullptr;
    const ExternalSecret object = ObjectWith(spec);
    Apply(Decide(object, World()), object);
    EXPECT_EQ(Decide(object, World()).kind, Kind::kNone) << spec;
    EXPECT_NE(Decide(object, Data({{"hello", "new"}})).kind, Kind::kNone) << spec;
  }
}

// ESO's removeOutdatedLabelsAnnotations, for names of every length (there stale ones survive for
// names of 28 to 63 characters).
TEST_F(SecretDiffTest, OutdatedLabelsAndAnnotationsGo) {
  for (const std::size_t length : {3U, 27U, 28U, 63U, 253U}) {
    secret_ = nullptr;
    ExternalSecret object = ObjectWith();
    object.name = std::string(length, 'n');
    object.labels = {{"old", "1"}, {"kept", "1"}};
    object.annotations = {{"old", "1"}, {"kept", "1"}};
    Apply(Decide(object, World()), object);
    secret_["metadata"]["labels"]["of-others"] = "1";
    secret_["metadata"]["annotations"]["of-others"] = "1";
    object.labels.erase("old");
    object.annotations.erase("old");
    const SecretAction action = Decide(object, World());
    ASSERT_EQ(action.kind, Kind::kUpdate) << length;
    EXPECT_FALSE(action.data_changed);
    for (const char* map : {"labels", "annotations"}) {
      EXPECT_FALSE(MetadataOf(action, map).contains("old")) << length;
      EXPECT_TRUE(MetadataOf(action, map).contains("kept"));
      EXPECT_TRUE(MetadataOf(action, map).contains("of-others"));
    }
  }
}

// ESO's templateShouldRewrite: what a template makes is written over what is there.
TEST_F(SecretDiffTest, AnUnownedSecretIsAdoptedAndItsDataReplaced) {
  SetSecret(R"({"data": {"old": "b2xk"}})");
  const SecretAction action =
      Decide(ObjectWith(R"({"target": {"template": {"data": {"t": "{{ .hello }}!"}}}})"), World());
  ASSERT_EQ(action.kind, Kind::kUpdate);
  EXPECT_EQ(DataOf(action), (PlainData{{"t", "world!"}}));
  EXPECT_EQ(MetadataOf(action, "ownerReferences")[0]["uid"], "es-uid");
}

TEST_F(SecretDiffTest, ImmutableDataIsRefused) {
  const ExternalSecret object = ObjectWith(R"({"target": {"immutable": true}})");
  Apply(Decide(object, World()), object);
  const SecretAction action = Decide(object, Data({{"hello", "rotated"}}));
  ASSERT_EQ(action.kind, Kind::kRefuse);
  EXPECT_EQ(action.reason, RefusalReason::kImmutable);
  EXPECT_EQ(action.error.code, Code::kFailedPrecondition);
  EXPECT_EQ(action.error.message.find("rotated"), std::string::npos);
  // Metadata may change, and immutability cannot be taken back.
  ExternalSecret changed = ObjectWith();
  changed.labels["new"] = "1";
  const SecretAction update = Decide(changed, World());
  ASSERT_EQ(update.kind, Kind::kUpdate);
  EXPECT_EQ(update.body.json()["immutable"], true);
}

TEST_F(SecretDiffTest, AnotherTypeIsRefused) {
  SetSecret(R"({"type": "kubernetes.io/tls", "data": {"hello": "d29ybGQ="}})");
  const SecretAction action =
      Decide(ObjectWith(R"({"target": {"template": {"type": "Opaque"}}})"), World());
  ASSERT_EQ(action.kind, Kind::kRefuse);
  EXPECT_EQ(action.reason, RefusalReason::kTypeChange);
  EXPECT_THAT(action.error.message, HasSubstr("Secret app has type kubernetes.io/tls, which "
                                              "Kubernetes does not allow to change to Opaque"));
  // Without a type of its own the template takes what is there.
  const SecretAction untyped = Decide(ObjectWith(R"({"target": {"template": {}}})"), World());
  ASSERT_EQ(untyped.kind, Kind::kUpdate);
  EXPECT_EQ(untyped.body.json()["type"], "kubernetes.io/tls");
}

TEST_F(SecretDiffTest, FinalizersAndOwnersOfOthersStay) {
  SetSecret(R"({"metadata": {"finalizers": ["example.com/theirs"], "ownerReferences": [
      {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "c-uid"}]}})");
  const SecretAction action = Decide(
      ObjectWith(R"({"target": {"template": {"metadata": {"finalizers": ["example.com/ours"]}}}})"),
      World());
  ASSERT_EQ(action.kind, Kind::kUpdate);
  EXPECT_EQ(MetadataOf(action, "finalizers"),
            Json(R"(["example.com/theirs", "example.com/ours"])"));
  EXPECT_EQ(MetadataOf(action, "ownerReferences").size(), 2U);
  EXPECT_EQ(MetadataOf(action, "ownerReferences")[0],
            Json(R"({"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "c-uid"})"));
}

TEST_F(AdoptionTest, IntactUntilSomebodyChangesIt) {
  const auto intact = [this] { return ParseExistingSecret(secret_, "m")->IsIntact(); };
  EXPECT_TRUE(intact());
  const nlohmann::json good = secret_;
  secret_["data"]["added"] = "";
  EXPECT_FALSE(intact());
  secret_ = good;
  secret_["metadata"]["labels"].erase(kManagedLabel);
  EXPECT_FALSE(intact());
  secret_ = good;
  secret_["metadata"].erase("annotations");
  EXPECT_FALSE(intact());
}

TEST(ParseExistingSecret, NeedsAnIdentityAndBase64) {
  EXPECT_FALSE(ParseExistingSecret(Json(R"({"metadata": {"uid": "u"}})"), "m"));
  EXPECT_FALSE(ParseExistingSecret(Json(R"({"metadata": {"resourceVersion": "1"}})"), "m"));
  const auto existing = ParseExistingSecret(
      Json(R"({"metadata": {"uid": "u", "resourceVersion": "1", "name": "s", "namespace": "n"},
               "data": {"a": "eA==", "b": "", "c": null}, "immutable": true})"),
      "m");
  ASSERT_TRUE(existing);
  EXPECT_EQ(Plain(existing->data), (PlainData{{"a", "x"}, {"b", ""}, {"c", ""}}));
  EXPECT_TRUE(existing->immutable);
  const auto bad = ParseExistingSecret(
      Json(R"({"metadata": {"uid": "u", "resourceVersion": "1", "name": "s", "namespace": "n"},
               "data": {"a": "not base64!"}})"),
      "m");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message, "read Secret n/s: the value of key \"a\" is not base64");
}

}  // namespace
}  // namespace escagent::mirror
