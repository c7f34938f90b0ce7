// PushSecrets: from Kubernetes Secrets into ESC, without harm to the definition.

#include <chrono>
#include <string>

#include "tests/system/mirror_fixture.h"

namespace escagent::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

// Of an environment that imports another one of its project.
std::string DefinitionOf(const std::string& project) {
  return "# what the team shares\nimports:\n  - " + project + R"(/base  # below everything
values:
  # kept
  app: {name: shop, url: "https://${app.name}.example.com"}
  computed:
    fn::toBase64: ${app.name}
)";
}

class MirrorPushTest : public MirrorTest {
 protected:
  void SetUp() override {
    MirrorTest::SetUp();
    if (bed_ == nullptr) return;
    bed_->WriteEnvironment("base", "values: {shared: from-base}\n");
    bed_->WriteEnvironment("pushed", DefinitionOf(bed_->name()));
    bed_->ApplyClusterStore("store", "pushed");
    ApplySource({{"password", "first"}, {"dotted.key", "second"}});
    bed_->StartAgent();
  }

  void ApplySource(const json& data) {
    bed_->Apply({{"apiVersion", "v1"},
                 {"kind", "Secret"},
                 {"metadata", {{"name", "source"}, {"namespace", bed_->name()}}},
                 {"stringData", data}});
  }
  json PushSecret(const std::string& name) const {
    return {{"apiVersion", "external-secrets.io/v1alpha1"},
            {"kind", "PushSecret"},
            {"metadata", {{"name", name}, {"namespace", bed_->name()}}},
            {"spec",
             {{"refreshInterval", "1h"},
              {"secretStoreRefs",
               json::array({{{"kind", "ClusterSecretStore"}, {"name", bed_->name() + "-store"}}})},
              {"selector", {{"secret", {{"name", "source"}}}}},
              {"data", json::array({{{"match",
                                      {{"secretKey", "password"},
                                       {"remoteRef", {{"remoteKey", "db.password"}}}}}}})}}}};
  }
  std::string PushPath(const std::string& name) const {
    return "/apis/external-secrets.io/v1alpha1/namespaces/" + bed_->name() + "/pushsecrets/" + name;
  }
  // The definition on the offline server's disk.
  std::string Definition() const {
    return ReadAll(bed_->node().folder() + "/definitions/acme/" + bed_->name() + "/pushed.yaml");
  }
  // What an ExternalSecret over the whole environment has.
  bool AwaitValue(const std::string& key, const std::string& value) {
    json object = bed_->ExternalSecret("look", "store");
    object["spec"].erase("dataFrom");
    object["spec"]["data"] = json::array({{{"secretKey", "it"}, {"remoteRef", {{"key", key}}}}});
    bed_->Apply(object);
    return bed_->AwaitSecret("look", {{"it", value}});
  }
};

INSTANTIATE_TEST_SUITE_P(Api, MirrorPushTest, ::testing::Values("fake", "real"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(MirrorPushTest, AValueIsPushedAndTheRestOfTheDefinitionStays) {
  bed_->Apply(PushSecret("push"));
  ASSERT_TRUE(bed_->AwaitReady(PushPath("push"), "True", "synced successfully"))
      << bed_->ReadyOf(PushPath("push")).message;
  EXPECT_TRUE(AwaitValue("db.password", "first"));
  EXPECT_TRUE(AwaitValue("shared", "from-base"));
  EXPECT_TRUE(AwaitValue("computed", "c2hvcA=="));
  const std::string definition = Definition();
  EXPECT_THAT(definition, ::testing::StartsWith(DefinitionOf(bed_->name())));  // comments and all
  EXPECT_THAT(definition, HasSubstr("fn::secret"));
  // A change of the source is seen at once, not after the refresh interval.
  ApplySource({{"password", "changed"}, {"dotted.key", "second"}});
  EXPECT_TRUE(AwaitValue("db.password", "changed"));
}

TEST_P(MirrorPushTest, NothingIsWrittenWhenItIsThere) {
  bed_->Apply(PushSecret("push"));
  ASSERT_TRUE(bed_->AwaitReady(PushPath("push"), "True"));
  const int updates = bed_->node().RequestCount("PATCH");
  EXPECT_EQ(updates, 1);
  const json before = bed_->Get(PushPath("push"));
  // Asked for again, by another agent that remembers nothing.
  bed_->StopAgent();
  bed_->StartAgent();
  cluster_->Request("PATCH", PushPath("push"),
                    {{"metadata", {{"annotations", {{"force-sync", "1"}}}}}},
                    "application/merge-patch+json");
  ASSERT_TRUE(WaitFor(
      [&] {
        return bed_->Get(PushPath("push"))["status"]["syncedResourceVersion"] !=
               before["status"]["syncedResourceVersion"];
      },
      seconds(30)));
  EXPECT_EQ(bed_->node().RequestCount("PATCH"), updates);
}

TEST_P(MirrorPushTest, OneUpdateForAllEntriesAndKeysWithDots) {
  json push = PushSecret("push");
  push["spec"]["data"].push_back(
      {{"match",
        {{"secretKey", "dotted.key"}, {"remoteRef", {{"remoteKey", "db[\"dotted.key\"]"}}}}}});
  bed_->Apply(push);
  ASSERT_TRUE(bed_->AwaitReady(PushPath("push"), "True"));
  EXPECT_EQ(bed_->node().RequestCount("PATCH"), 1);
  EXPECT_TRUE(AwaitValue("db[\"dotted.key\"]", "second"));
}

TEST_P(MirrorPushTest, WhatExistsStaysWithIfNotExists) {
  json push = PushSecret("push");
  push["spec"]["updatePolicy"] = "IfNotExists";
  push["spec"]["data"][0]["match"]["remoteRef"]["remoteKey"] = "shared";  // imported
  push["spec"]["data"].push_back(
      {{"match", {{"secretKey", "dotted.key"}, {"remoteRef", {{"remoteKey", "fresh"}}}}}});
  bed_->Apply(push);
  ASSERT_TRUE(bed_->AwaitReady(PushPath("push"), "True"));
  EXPECT_TRUE(AwaitValue("fresh", "second"));
  EXPECT_TRUE(AwaitValue("shared", "from-base"));
}

TEST_P(MirrorPushTest, WhatWasPushedGoesWithItWhenThePolicyIsDelete) {
  json push = PushSecret("push");
  push["spec"]["deletionPolicy"] = "Delete";
  bed_->Apply(push);
  ASSERT_TRUE(bed_->AwaitReady(PushPath("push"), "True"));
  ASSERT_TRUE(AwaitValue("db.password", "first"));
  bed_->DeleteObject(PushPath("push"));
  EXPECT_TRUE(WaitFor([&] { return bed_->Get(PushPath("push")).is_null(); }, seconds(30)));
  EXPECT_THAT(Definition(), Not(HasSubstr("password")));
  EXPECT_TRUE(AwaitValue("shared", "from-base"));
}

TEST_P(MirrorPushTest, WhatIsWrongIsSaidAndRecovers) {
  json push = PushSecret("push");
  push["spec"]["data"][0]["match"]["secretKey"] = "absent";
  bed_->Apply(push);
  EXPECT_TRUE(bed_->AwaitReady(PushPath("push"), "False", "absent"));
  ApplySource({{"absent", "here"}});
  EXPECT_TRUE(bed_->AwaitReady(PushPath("push"), "True"));
  push["spec"]["data"][0]["match"]["remoteRef"]["remoteKey"] = "computed.below";
  bed_->Apply(push);
  EXPECT_TRUE(bed_->AwaitReady(PushPath("push"), "False", "computed"));
  EXPECT_EQ(bed_->AgentLog().find("here\""), std::string::npos);
}

TEST_P(MirrorPushTest, AnothersPushSecretKeepsItsFinalizers) {
  json store = bed_->ClusterStore("theirs", "pushed");
  store["spec"]["controller"] = "default";
  bed_->Apply(store);
  json theirs = PushSecret("theirs");
  theirs["spec"]["secretStoreRefs"][0]["name"] = bed_->name() + "-theirs";
  theirs["spec"]["deletionPolicy"] = "Delete";
  bed_->Apply(theirs);
  json marked = PushSecret("marked");
  marked["spec"]["secretStoreRefs"][0]["name"] = bed_->name() + "-theirs";
  marked["metadata"]["finalizers"] = {"pushsecret.externalsecrets.io/finalizer"};
  bed_->Apply(marked);
  bed_->Apply(PushSecret("ours"));
  ASSERT_TRUE(bed_->AwaitReady(PushPath("ours"), "True", "synced successfully"));
  const json before = bed_->Get(PushPath("marked"));
  bed_->DeleteObject(PushPath("marked"));
  // Ours is worked on after them.
  bed_->DeleteObject(PushPath("ours"));
  EXPECT_TRUE(WaitFor([&] { return bed_->Get(PushPath("ours")).is_null(); }, seconds(30)));
  EXPECT_FALSE(bed_->Get(PushPath("theirs"))["metadata"].contains("finalizers"));
  EXPECT_EQ(bed_->Get(PushPath("marked"))["metadata"]["finalizers"],
            before["metadata"]["finalizers"]);
  EXPECT_EQ(bed_->ReadyOf(PushPath("theirs")).status, "");
  // Its controller finishes.
  cluster_->Request("PATCH", PushPath("marked"), {{"metadata", {{"finalizers", nullptr}}}},
                    "application/merge-patch+json");
}

}  // namespace
}  // namespace escagent::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  escagent::testing::EnterPrivateMountNamespace();
  return RUN_ALL_TESTS();
}
