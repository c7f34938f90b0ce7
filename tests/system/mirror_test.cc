// ExternalSecrets become Secrets: the whole agent, an API server, the offline ESC server.

#include <chrono>
#include <string>

#include "tests/system/mirror_fixture.h"

namespace escagent::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

const MirrorBed::Data kApp = {{"hello", "world"}, {"hello-secret", "secret"}};

INSTANTIATE_TEST_SUITE_P(Api, MirrorTest, ::testing::Values("fake", "real"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(MirrorTest, AnExternalSecretBecomesASecretAsEsoMakesIt) {
  bed_->ApplyClusterStore("store", "app");
  bed_->Apply(bed_->ExternalSecret("app", "store"));
  bed_->StartAgent();
  ASSERT_TRUE(bed_->AwaitSecret("app", kApp));
  ASSERT_TRUE(bed_->AwaitReady(bed_->ObjectPath("app"), "True", "secret synced"));
  EXPECT_TRUE(bed_->AwaitReady(bed_->StorePath("store"), "True", "store validated"));

  const json secret = bed_->Get(bed_->SecretPath("app"));
  const json object = bed_->Get(bed_->ObjectPath("app"));
  EXPECT_EQ(secret["type"], "Opaque");
  EXPECT_EQ(secret["metadata"]["labels"]["reconcile.external-secrets.io/managed"], "true");
  EXPECT_EQ(secret["metadata"]["annotations"]["reconcile.external-secrets.io/data-hash"].size(),
            1U);
  ASSERT_EQ(secret["metadata"]["ownerReferences"].size(), 1U);
  EXPECT_EQ(secret["metadata"]["ownerReferences"][0]["uid"], object["metadata"]["uid"]);
  EXPECT_EQ(secret["metadata"]["ownerReferences"][0]["controller"], true);
  EXPECT_EQ(object["status"]["conditions"][0]["reason"], "SecretSynced");
  EXPECT_EQ(object["status"]["binding"]["name"], "app");
  EXPECT_THAT(object["status"]["syncedResourceVersion"].get<std::string>(),
              ::testing::StartsWith("1-"));
}

TEST_P(MirrorTest, AChangedValueArrivesAndNothingElseIsWritten) {
  bed_->ApplyClusterStore("store", "app");
  bed_->Apply(bed_->ExternalSecret("app", "store"));
  bed_->StartAgent();
  ASSERT_TRUE(bed_->AwaitSecret("app", kApp));
  ASSERT_TRUE(bed_->AwaitReady(bed_->ObjectPath("app"), "True"));
  const json before = bed_->Get(bed_->SecretPath("app"));
  bed_->WriteEnvironment("app", "values: {app: {hello: again, hello-secret: {fn::secret: new}}}\n");
  ASSERT_TRUE(bed_->AwaitSecret("app", {{"hello", "again"}, {"hello-secret", "new"}}));
  EXPECT_NE(bed_->Get(bed_->SecretPath("app"))["metadata"]["annotations"],
            before["metadata"]["annotations"]);
  // Several looks at ESC later everything is as it was.
  const json secret = bed_->Get(bed_->SecretPath("app"));
  const int heads = bed_->node().RequestCount("HEAD");
  ASSERT_TRUE(WaitFor([&] { return bed_->node().RequestCount("HEAD") >= heads + 3; }, seconds(30)));
  const json object = bed_->Get(bed_->ObjectPath("app"));
  EXPECT_EQ(bed_->Get(bed_->SecretPath("app")), secret);
  ASSERT_TRUE(WaitFor([&] { return bed_->node().RequestCount("HEAD") >= heads + 6; }, seconds(30)));
  EXPECT_EQ(bed_->Get(bed_->ObjectPath("app")), object);
}

TEST_P(MirrorTest, TamperingIsRepaired) {
  bed_->ApplyClusterStore("store", "app");
  json object = bed_->ExternalSecret("app", "store");
  object["spec"]["refreshInterval"] = "1h";  // not by the next refresh
  bed_->Apply(object);
  bed_->StartAgent();
  ASSERT_TRUE(bed_->AwaitSecret("app", kApp));
  ASSERT_TRUE(bed_->AwaitReady(bed_->ObjectPath("app"), "True"));
  const std::string path = bed_->SecretPath("app");
  cluster_->Request("PATCH", path, {{"data", {{"hello", "ZXZpbA=="}, {"extra", "ZXZpbA=="}}}},
                    "application/merge-patch+json");
  EXPECT_TRUE(bed_->AwaitSecret("app", kApp));
  cluster_->Request("DELETE", path);
  EXPECT_TRUE(bed_->AwaitSecret("app", kApp));
  const json labels = {{"reconcile.external-secrets.io/managed", nullptr}};
  cluster_->Request("PATCH", path, {{"metadata", {{"labels", labels}}}},
                    "application/merge-patch+json");
  EXPECT_TRUE(WaitFor(
      [&] {
        const json secret = bed_->Get(path);
        return secret["metadata"]
            .value("labels", json::object())
            .contains("reconcile.external-secrets.io/managed");
      },
      seconds(30)));
}

// The walkthrough's manifests with what External Secrets Operator 0.10.4 has made of them: labels,
// hashes and owner as in its contract (reference/eso-compat.md 1.4 and 1.5).
TEST_P(MirrorTest, WhatEsoHasMadeOfTheWalkthroughIsTakenOverAsItIs) {
  bed_->node().WriteEnvironment(
      "acme/eso-esc-demo/esp-esc-app",
      ReadAll(SOURCE_FOLDER "/manifests/examples/walkthrough/environments/acme/"
                            "eso-esc-demo/esp-esc-app.yaml"));
  bed_->Apply({{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "podinfo"}}}});
  bed_->ApplyFile(SOURCE_FOLDER "/manifests/examples/walkthrough/cluster_secret_store.yaml");
  bed_->ApplyFile(SOURCE_FOLDER "/manifests/examples/walkthrough/external_secret.yaml");
  const std::string object =
      "/apis/external-secrets.io/v1beta1/namespaces/podinfo/externalsecrets/esc-secret-store";
  const std::string secret = "/api/v1/namespaces/podinfo/secrets/esc-secret-store";
  const char* merge = "application/merge-patch+json";
  cluster_->Request(
      "PATCH", object,
      {{"metadata",
        {{"finalizers", {"externalsecrets.external-secrets.io/externalsecret-cleanup"}}}}},
      merge);
  cluster_->Request(
      "PATCH", object + "/status",
      {{"status",
        {{"refreshTime", "2026-11-01T00:00:00Z"},
         {"syncedResourceVersion", "1-f47fe3c0b255b6dd8047cdffa772587bb829efe7a1cb70febeda2eb2"},
         {"binding", {{"name", "esc-secret-store"}}},
         {"conditions", json::array({{{"type", "Ready"},
                                      {"status", "True"},
                                      {"reason", "SecretSynced"},
                                      {"message", "secret synced"},
                                      {"lastTransitionTime", "2026-11-01T00:00:00Z"}}})}}}},
      merge);
  const json owner = bed_->Get(object);
  const apiserver::Answer made = cluster_->Request(
      "POST",
      "/api/v1/namespaces/podinfo/secrets"
      "?fieldManager=externalsecrets.external-secrets.io/esc-secret-store",
      {{"apiVersion", "v1"},
       {"kind", "Secret"},
       {"metadata",
        {{"name", "esc-secret-store"},
         {"labels",
          {{"reconcile.external-secrets.io/managed", "true"},
           {"reconcile.external-secrets.io/created-by",
            "46fca1514af4bc098925dcadc96c1397fc1819757b36d8e7c7f95716"}}},
         {"annotations",
          {{"reconcile.external-secrets.io/data-hash",
            "b809ba03067977ba5d2a74e289c62a30894f862ccc6c9e960a3beb0b"}}},
         {"ownerReferences", json::array({{{"apiVersion", "external-secrets.io/v1beta1"},
                                           {"kind", "ExternalSecret"},
                                           {"name", "esc-secret-store"},
                                           {"uid", owner["metadata"]["uid"]},
                                           {"controller", true},
                                           {"blockOwnerDeletion", true}}})}}},
       {"type", "Opaque"},
       {"data", {{"hello", "d29ybGQ="}, {"hello-secret", "d29ybGQ="}}}});
  ASSERT_EQ(made.status, 201) << made.text;
  bed_->StartAgent();
  // It is looked after: what happens at ESC arrives.
  ASSERT_TRUE(bed_->AwaitReady("/apis/external-secrets.io/v1/clustersecretstores/secret-store",
                               "True", "store validated"));
  ASSERT_TRUE(WaitFor([&] { return bed_->node().RequestCount("HEAD") >= 2; }, seconds(60)));
  EXPECT_EQ(bed_->Get(secret), made.body);
  EXPECT_EQ(bed_->Get(object)["status"], owner["status"]);
  bed_->node().WriteEnvironment("acme/eso-esc-demo/esp-esc-app", "values: {app: {hello: moved}}\n");
  EXPECT_TRUE(WaitFor([&] { return bed_->Get(secret)["data"] == json{{"hello", "bW92ZWQ="}}; },
                      seconds(60)));
  // The operator's finalizer does not hold it up.
  bed_->DeleteObject(object);
  EXPECT_TRUE(WaitFor([&] { return bed_->Get(secret).is_null(); }, seconds(30)));
  bed_->DeleteObject("/apis/external-secrets.io/v1/clustersecretstores/secret-store");
}

TEST_P(MirrorTest, TheSecretGoesWithItsExternalSecret) {
  bed_->ApplyClusterStore("store", "app");
  bed_->Apply(bed_->ExternalSecret("app", "store"));
  json kept = bed_->ExternalSecret("kept", "store");
  kept["spec"]["target"] = {{"creationPolicy", "Orphan"}};
  bed_->Apply(kept);
  json renamed = bed_->ExternalSecret("renamed", "store");
  bed_->Apply(renamed);
  bed_->StartAgent();
  ASSERT_TRUE(bed_->AwaitSecret("app", kApp));
  ASSERT_TRUE(bed_->AwaitSecret("kept", kApp));
  ASSERT_TRUE(bed_->AwaitSecret("renamed", kApp));
  bed_->DeleteObject(bed_->ObjectPath("app"));
  EXPECT_TRUE(bed_->AwaitSecret("app", {}));
  bed_->DeleteObject(bed_->ObjectPath("kept"));
  renamed["spec"]["target"] = {{"name", "other"}};
  bed_->Apply(renamed);
  EXPECT_TRUE(bed_->AwaitSecret("other", kApp));
  EXPECT_TRUE(bed_->AwaitSecret("renamed", {}));
  EXPECT_EQ(bed_->SecretData("kept"), kApp);
}

TEST_P(MirrorTest, ManyExternalSecretsOnOneEnvironmentCostOnePoll) {
  bed_->ApplyClusterStore("store", "app");
  for (int i = 0; i < 30; ++i) {
    bed_->Apply(bed_->ExternalSecret("app-" + std::to_string(i), "store"));
  }
  bed_->StartAgent();
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(bed_->AwaitSecret("app-" + std::to_string(i), kApp)) << i;
  }
  // One open for all of them (and one, at most, to validate the store).
  EXPECT_LE(bed_->node().RequestCount("POST"), 2);
}

TEST_P(MirrorTest, TemplatesAndOtherFieldsWorkTogether) {
  bed_->WriteEnvironment("db", R"(values:
  db:
    user: app
    password: {fn::secret: "p&ss"}
    port: 5432
    nested: {a: [1, 2.50, null]}
    nothing: null
)");
  bed_->ApplyClusterStore("store", "db");
  json object = bed_->ExternalSecret("db", "store", "db");
  object["spec"]["data"] =
      json::array({{{"secretKey", "direct"}, {"remoteRef", {{"key", "db.nested.a[1]"}}}}});
  object["spec"]["target"] = {
      {"template",
       {{"type", "kubernetes.io/basic-auth"},
        {"metadata", {{"labels", {{"team", "a"}}}}},
        {"mergePolicy", "Merge"},
        {"data",
         {{"url", "postgres://{{ .user }}:{{ .password | urlquery }}@db:{{ .port }}"},
          {"username", "{{ .user }}"}}}}}};
  bed_->Apply(object);
  bed_->StartAgent();
  EXPECT_TRUE(bed_->AwaitSecret("db", {{"url", "postgres://app:p%26ss@db:5432"},
                                       {"username", "app"},
                                       {"user", "app"},
                                       {"password", "p&ss"},
                                       {"port", "5432"},
                                       {"nested", R"({"a":[1,2.50,null]})"},
                                       {"nothing", ""},
                                       {"direct", "2.50"}}));
  const json secret = bed_->Get(bed_->SecretPath("db"));
  EXPECT_EQ(secret["type"], "kubernetes.io/basic-auth");
  EXPECT_EQ(secret["metadata"]["labels"]["team"], "a");
}

}  // namespace
}  // namespace escagent::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  escagent::testing::EnterPrivateMountNamespace();
  return RUN_ALL_TESTS();
}
