// Restart on rotation, and ClusterExternalSecrets.

#include <chrono>
#include <string>

#include "tests/system/mirror_fixture.h"

namespace escagent::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;

const MirrorBed::Data kApp = {{"hello", "world"}, {"hello-secret", "secret"}};

class MirrorMoreTest : public MirrorTest {
 protected:
  void ApplyDeployment(const std::string& name, bool wants_restart) {
    json annotations = json::object();
    if (wants_restart) annotations["esc-agent.io/restart-on-change"] = "true";
    const json labels = {{"app", name}};
    const json env =
        json::array({{{"name", "HELLO"},
                      {"valueFrom", {{"secretKeyRef", {{"name", "app"}, {"key", "hello"}}}}}}});
    const json container = {{"name", "main"}, {"image", "busybox"}, {"env", env}};
    bed_->Apply(
        {{"apiVersion", "apps/v1"},
         {"kind", "Deployment"},
         {"metadata", {{"name", name}, {"namespace", bed_->name()}, {"annotations", annotations}}},
         {"spec",
          {{"selector", {{"matchLabels", labels}}},
           {"template",
            {{"metadata", {{"labels", labels}}},
             {"spec", {{"containers", json::array({container})}}}}}}}});
  }
  json Deployment(const std::string& name) const {
    return bed_->Get("/apis/apps/v1/namespaces/" + bed_->name() + "/deployments/" + name);
  }
  static json Annotations(const json& deployment) {
    return deployment["spec"]["template"]["metadata"].value("annotations", json::object());
  }
};

INSTANTIATE_TEST_SUITE_P(Api, MirrorMoreTest, ::testing::Values("fake", "real"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(MirrorMoreTest, AWorkloadThatAsksForItIsRestartedOnceForAChange) {
  bed_->ApplyClusterStore("store", "app");
  bed_->Apply(bed_->ExternalSecret("app", "store"));
  bed_->StartAgent();
  ASSERT_TRUE(bed_->AwaitSecret("app", kApp));
  ApplyDeployment("asks", true);
  ApplyDeployment("silent", false);
  bed_->WriteEnvironment("app", "values: {app: {hello: again}}\n");
  ASSERT_TRUE(bed_->AwaitSecret("app", {{"hello", "again"}}));
  ASSERT_TRUE(WaitFor([&] { return !Annotations(Deployment("asks")).empty(); }, seconds(30)));
  EXPECT_TRUE(Annotations(Deployment("silent")).empty());
  EXPECT_TRUE(Annotations(Deployment("asks")).contains("secret.esc-agent.io/app"));
  // The mark comes off, and nothing more happens.
  EXPECT_TRUE(WaitFor(
      [&] {
        return !bed_->Get(bed_->SecretPath("app"))["metadata"]["annotations"].contains(
            "esc-agent.io/restart-pending");
      },
      seconds(30)));
  const json generation = Deployment("asks")["metadata"]["generation"];
  const int heads = bed_->node().RequestCount("HEAD");
  ASSERT_TRUE(WaitFor([&] { return bed_->node().RequestCount("HEAD") >= heads + 3; }, seconds(30)));
  EXPECT_EQ(Deployment("asks")["metadata"]["generation"], generation);
}

TEST_P(MirrorMoreTest, AClusterExternalSecretIsInTheNamespacesItSelects) {
  bed_->ApplyClusterStore("store", "app");
  const std::string other = bed_->name() + "-other";
  bed_->Apply({{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", other}}}});
  json spec = bed_->ExternalSecret("unused", "store")["spec"];
  const std::string name = bed_->name();
  bed_->Apply({{"apiVersion", "external-secrets.io/v1"},
               {"kind", "ClusterExternalSecret"},
               {"metadata", {{"name", name}}},
               {"spec",
                {{"externalSecretName", "everywhere"},
                 {"namespaceSelectors", json::array({{{"matchLabels", {{"team", name}}}}})},
                 {"externalSecretSpec", spec}}}});
  bed_->StartAgent();
  const auto label = [&](const std::string& name_space, const json& value) {
    cluster_->Request("PATCH", "/api/v1/namespaces/" + name_space,
                      {{"metadata", {{"labels", {{"team", value}}}}}},
                      "application/merge-patch+json");
  };
  const std::string path = "/apis/external-secrets.io/v1/clusterexternalsecrets/" + name;
  label(bed_->name(), name);
  EXPECT_TRUE(bed_->AwaitSecret("everywhere", kApp));
  label(other, name);
  EXPECT_TRUE(WaitFor(
      [&] {
        const json object = bed_->Get(path);
        return object["status"].value("provisionedNamespaces", json::array()) ==
               json::array({bed_->name(), other});
      },
      seconds(30)));
  EXPECT_TRUE(bed_->AwaitReady(path, "True"));
  label(bed_->name(), nullptr);
  EXPECT_TRUE(
      WaitFor([&] { return bed_->Get(bed_->ObjectPath("everywhere")).is_null(); }, seconds(30)));
  EXPECT_TRUE(bed_->AwaitSecret("everywhere", {}));
  bed_->DeleteObject(path);
  EXPECT_TRUE(WaitFor(
      [&] {
        return bed_
            ->Get("/apis/external-secrets.io/v1/namespaces/" + other +
                  "/externalsecrets/everywhere")
            .is_null();
      },
      seconds(30)));
}

}  // namespace
}  // namespace escagent::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  escagent::testing::EnterPrivateMountNamespace();
  return RUN_ALL_TESTS();
}
