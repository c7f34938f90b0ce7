// What can be wrong about a store, an ExternalSecret or a Secret: each ends in a False condition
// with its cause, an event, and recovers by itself when the cause goes.

#include <chrono>
#include <string>

#include "tests/system/mirror_fixture.h"

namespace escagent::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::HasSubstr;

const MirrorBed::Data kApp = {{"hello", "world"}, {"hello-secret", "secret"}};
constexpr char kMergePatch[] = "application/merge-patch+json";

class MirrorBadInputTest : public MirrorTest {
 protected:
  void SetUp() override {
    MirrorTest::SetUp();
    if (bed_ != nullptr) bed_->StartAgent();
  }

  // The object is not ready, and says why.
  void ExpectFailure(const std::string& object, const std::string& cause) {
    EXPECT_TRUE(bed_->AwaitReady(bed_->ObjectPath(object), "False", cause))
        << bed_->ReadyOf(bed_->ObjectPath(object)).message;
    EXPECT_EQ(bed_->ReadyOf(bed_->ObjectPath(object)).reason, "SecretSyncedError");
    ExpectEvent(object, cause);
  }
  void ExpectRecovery(const std::string& object) {
    EXPECT_TRUE(bed_->AwaitReady(bed_->ObjectPath(object), "True"))
        << bed_->ReadyOf(bed_->ObjectPath(object)).message;
  }
  // A Warning about the object whose message has the text.
  void ExpectEvent(const std::string& object, const std::string& text) {
    std::string seen;
    EXPECT_TRUE(WaitFor(
        [&] {
          const json list = bed_->Get("/api/v1/namespaces/" + bed_->name() + "/events");
          if (!list.is_object()) return false;
          seen.clear();
          for (const json& event : list["items"]) {
            if (event["involvedObject"].value("name", "") != object) continue;
            const std::string message = event.value("message", "");
            seen += message + "\n";
            if (event.value("type", "") == "Warning" && message.find(text) != std::string::npos) {
              return true;
            }
          }
          return false;
        },
        seconds(30)))
        << "events of " << object << ":\n"
        << seen;
  }
  void ApplyToken(const std::string& secret, const std::string& token) {
    bed_->Apply({{"apiVersion", "v1"},
                 {"kind", "Secret"},
                 {"metadata", {{"name", secret}, {"namespace", bed_->name()}}},
                 {"stringData", {{"token", token}}}});
  }
  // A SecretStore of the test's namespace whose token is in Secret `secret`.
  void ApplyStoreWithToken(const std::string& store, const std::string& secret) {
    json object = bed_->ClusterStore(store, "app");
    object["kind"] = "SecretStore";
    object["metadata"] = {{"name", store}, {"namespace", bed_->name()}};
    object["spec"]["provider"]["pulumi"]["accessToken"]["secretRef"] = {{"name", secret},
                                                                        {"key", "token"}};
    bed_->Apply(object);
  }
  json OfLocalStore(const std::string& name, const std::string& store) {
    json object = bed_->ExternalSecret(name, store);
    object["spec"]["secretStoreRef"] = {{"kind", "SecretStore"}, {"name", store}};
    return object;
  }
  std::string LocalStorePath(const std::string& store) const {
    return "/apis/external-secrets.io/v1/namespaces/" + bed_->name() + "/secretstores/" + store;
  }
};

INSTANTIATE_TEST_SUITE_P(Api, MirrorBadInputTest, ::testing::Values("fake", "real"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(MirrorBadInputTest, NoStore) {
  bed_->Apply(bed_->ExternalSecret("app", "store"));
  ExpectFailure("app", "could not get ClusterSecretStore");
  bed_->ApplyClusterStore("store", "app");
  ExpectRecovery("app");
}

TEST_P(MirrorBadInputTest, NoTokenThenAWrongOneThenAnother) {
  ApplyStoreWithToken("store", "token");
  bed_->Apply(OfLocalStore("app", "store"));
  ExpectFailure("app", "token");
  EXPECT_TRUE(bed_->AwaitReady(LocalStorePath("store"), "False", "token"));
  ApplyToken("token", "pul-wrong-0123456789");
  ExpectFailure("app", "401");
  EXPECT_TRUE(bed_->AwaitReady(LocalStorePath("store"), "False", "401"));
  ApplyToken("token", bed_->node().token());
  ExpectRecovery("app");
  EXPECT_TRUE(bed_->AwaitReady(LocalStorePath("store"), "True"));
  EXPECT_EQ(bed_->AgentLog().find("pul-wrong-0123456789"), std::string::npos);
}

TEST_P(MirrorBadInputTest, ATokenThatIsNotValidAnyMore) {
  ApplyToken("token", bed_->node().token());
  ApplyStoreWithToken("store", "token");
  bed_->Apply(OfLocalStore("app", "store"));
  ExpectRecovery("app");
  ApplyToken("token", "pul-revoked");
  ExpectFailure("app", "401");
  EXPECT_EQ(bed_->SecretData("app"), kApp);  // what was there stays
  ApplyToken("token", bed_->node().token());
  ExpectRecovery("app");
}

TEST_P(MirrorBadInputTest, NoEnvironment) {
  bed_->ApplyClusterStore("store", "missing");
  bed_->Apply(bed_->ExternalSecret("app", "store"));
  ExpectFailure("app", "missing");
  EXPECT_TRUE(bed_->AwaitReady(bed_->StorePath("store"), "False", "missing"));
  bed_->WriteEnvironment("missing", "values: {app: {now: here}}\n");
  ExpectRecovery("app");
  EXPECT_TRUE(bed_->AwaitSecret("app", {{"now", "here"}}));
  EXPECT_TRUE(bed_->AwaitReady(bed_->StorePath("store"), "True"));
}

TEST_P(MirrorBadInputTest, WrongPath) {
  bed_->ApplyClusterStore("store", "app");
  bed_->Apply(bed_->ExternalSecret("app", "store", "ap"));
  ExpectFailure("app", "app");  // the nearest one
  bed_->WriteEnvironment("app", "values: {ap: {now: here}}\n");
  ExpectRecovery("app");
}

TEST_P(MirrorBadInputTest, KeysThatCollideOrAreTooLong) {
  bed_->WriteEnvironment("app", "values: {app: {\"a b\": secret-1, \"a/b\": secret-2}}\n");
  bed_->ApplyClusterStore("store", "app");
  bed_->Apply(bed_->ExternalSecret("app", "store"));
  ExpectFailure("app", "collision");
  bed_->WriteEnvironment("app", "values: {app: {" + std::string(254, 'k') + ": secret-1}}\n");
  ExpectFailure("app", "invalid");
  bed_->WriteEnvironment("app", "values: {app: {good: one}}\n");
  ExpectRecovery("app");
}

TEST_P(MirrorBadInputTest, ASecretThatIsSomebodyElses) {
  bed_->ApplyClusterStore("store", "app");
  bed_->Apply({{"apiVersion", "v1"},
               {"kind", "ConfigMap"},
               {"metadata", {{"name", "owner"}, {"namespace", bed_->name()}}}});
  const json owner = bed_->Get("/api/v1/namespaces/" + bed_->name() + "/configmaps/owner");
  bed_->Apply({{"apiVersion", "v1"},
               {"kind", "Secret"},
               {"metadata",
                {{"name", "app"},
                 {"namespace", bed_->name()},
                 {"ownerReferences", json::array({{{"apiVersion", "v1"},
                                                   {"kind", "ConfigMap"},
                                                   {"name", "owner"},
                                                   {"uid", owner["metadata"]["uid"]},
                                                   {"controller", true}}})}}},
               {"stringData", {{"theirs", "kept"}}}});
  bed_->Apply(bed_->ExternalSecret("app", "store"));
  ExpectFailure("app", "ownership");
  EXPECT_EQ(bed_->SecretData("app"), (MirrorBed::Data{{"theirs", "kept"}}));
  bed_->DeleteObject(bed_->SecretPath("app"));
  ExpectRecovery("app");
}

TEST_P(MirrorBadInputTest, TwoExternalSecretsForOneSecret) {
  bed_->ApplyClusterStore("store", "app");
  bed_->Apply(bed_->ExternalSecret("app", "store"));
  ExpectRecovery("app");
  json other = bed_->ExternalSecret("other", "store");
  other["spec"]["target"] = {{"name", "app"}};
  bed_->Apply(other);
  ExpectFailure("other", "another ExternalSecret");
  ExpectRecovery("app");
  bed_->DeleteObject(bed_->ObjectPath("app"));
  ExpectRecovery("other");
}

TEST_P(MirrorBadInputTest, AnImmutableSecretAndAnotherType) {
  bed_->ApplyClusterStore("store", "app");
  json object = bed_->ExternalSecret("app", "store");
  object["spec"]["target"] = {{"immutable", true}};
  bed_->Apply(object);
  ExpectRecovery("app");
  bed_->WriteEnvironment("app", "values: {app: {hello: other}}\n");
  ExpectFailure("app", "immutable");
  EXPECT_EQ(bed_->SecretData("app"), kApp);

  json typed = bed_->ExternalSecret("typed", "store");
  bed_->Apply(typed);
  ExpectRecovery("typed");
  typed["spec"]["target"]["template"] = {{"type", "kubernetes.io/basic-auth"}};
  bed_->Apply(typed);
  ExpectFailure("typed", "type");
}

TEST_P(MirrorBadInputTest, ATemplateThatIsWrong) {
  bed_->ApplyClusterStore("store", "app");
  json object = bed_->ExternalSecret("app", "store");
  object["spec"]["target"]["template"]["data"]["x"] = "{{ .hello | frobnicate }}";
  bed_->Apply(object);
  ExpectFailure("app", "function \"frobnicate\" not defined");
  object["spec"]["target"]["template"]["data"]["x"] = "{{ .absent }}";
  bed_->Apply(object);
  ExpectFailure("app", "absent");
  object["spec"]["target"]["template"]["data"]["x"] = "{{ .hello }}!";
  bed_->Apply(object);
  ExpectRecovery("app");
  EXPECT_TRUE(bed_->AwaitSecret("app", {{"x", "world!"}}));
}

TEST_P(MirrorBadInputTest, ANamespaceThatTheStoreDoesNotAdmit) {
  bed_->ApplyClusterStore(
      "store", "app", json::array({{{"namespaceSelector", {{"matchLabels", {{"esc", "yes"}}}}}}}));
  bed_->Apply(bed_->ExternalSecret("app", "store"));
  ExpectFailure("app", "is not allowed from namespace");
  cluster_->Request("PATCH", "/api/v1/namespaces/" + bed_->name(),
                    {{"metadata", {{"labels", {{"esc", "yes"}}}}}}, kMergePatch);
  ExpectRecovery("app");
  cluster_->Request("PATCH", "/api/v1/namespaces/" + bed_->name(),
                    {{"metadata", {{"labels", {{"esc", nullptr}}}}}}, kMergePatch);
  ExpectFailure("app", "is not allowed from namespace");
}

TEST_P(MirrorBadInputTest, AnotherControllersStoreIsLeftAlone) {
  json store = bed_->ClusterStore("store", "app");
  store["spec"]["controller"] = "default";
  bed_->Apply(store);
  bed_->Apply(bed_->ExternalSecret("app", "store"));
  bed_->ApplyClusterStore("ours", "app");
  bed_->Apply(bed_->ExternalSecret("ours", "ours"));
  ExpectRecovery("ours");
  EXPECT_EQ(bed_->ReadyOf(bed_->ObjectPath("app")).status, "");
  EXPECT_EQ(bed_->ReadyOf(bed_->StorePath("store")).status, "");
  store["spec"]["controller"] = "esc-agent";
  bed_->Apply(store);
  ExpectRecovery("app");
}

}  // namespace
}  // namespace escagent::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  escagent::testing::EnterPrivateMountNamespace();
  return RUN_ALL_TESTS();
}
