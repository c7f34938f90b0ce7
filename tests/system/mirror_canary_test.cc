// No value and no token in anything that the mirror shows: objects' statuses, events, logs,
// metrics, the status page. Marked values go through successes and every kind of failure.

#include <chrono>
#include <string>

#include "tests/system/canary.h"
#include "tests/system/mirror_fixture.h"

namespace escagent::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr char kMark[] = "cnry7f3a91canary";

class MirrorCanaryTest : public MirrorTest {
 protected:
  void Check(const std::string& what, const std::string& text) {
    EXPECT_EQ(canary_.FindIn(text), "") << "a value or token of ours leaks into " << what;
  }
  // An ExternalSecret that fails because of what `change` does to it.
  template <class Change>
  void AddFailure(const std::string& name, const Change& change) {
    json object = bed_->ExternalSecret(name, "store", "app");
    change(object["spec"]);
    bed_->Apply(object);
    failures_.push_back(name);
  }
  void CheckEverything() {
    const std::string base = "/apis/external-secrets.io/v1/";
    const std::string mine = "namespaces/" + bed_->name() + "/";
    for (const std::string& path :
         {base + mine + "externalsecrets", base + mine + "secretstores",
          base + "clustersecretstores", "/api/v1/" + mine + "events",
          "/apis/coordination.k8s.io/v1/namespaces/" + bed_->name() + "-agents/leases",
          "/apis/external-secrets.io/v1alpha1/" + mine + "pushsecrets"}) {
      const apiserver::Answer answer = cluster_->Request("GET", path);
      EXPECT_EQ(answer.status, 200) << path;
      Check(path, answer.text);
    }
    const std::string log = bed_->AgentLog();
    Check("the agent's log", log);
    const std::size_t at = log.rfind("127.0.0.1:", log.find("http listening") + 100);
    ASSERT_NE(at, std::string::npos);
    const std::string url = "http://" + log.substr(at, log.find('"', at) - at);
    for (const char* page : {"/metrics", "/status", "/"}) Check(page, HttpGet(url + page));
  }

  const Canary canary_{kMark};
  std::vector<std::string> failures_;
};

INSTANTIATE_TEST_SUITE_P(Api, MirrorCanaryTest, ::testing::Values("fake", "real"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(MirrorCanaryTest, NothingSecretComesOut) {
  const std::string m = kMark;
  bed_->WriteEnvironment("app",
                         "values:\n  app: {user: " + m + "-user, password: {fn::secret: " + m +
                             "-password}, broken: \"" + m + "/\\n{{\"}\n  bad: {\"a b\": " + m +
                             "-1, \"a/b\": " + m + "-2}\n  list: [" + m + "]\n");
  bed_->ApplyClusterStore("store", "app");
  bed_->Apply(bed_->ExternalSecret("good", "store", "app"));
  AddFailure("collision", [](json& spec) { spec["dataFrom"][0]["extract"]["key"] = "bad"; });
  AddFailure("no-path", [](json& spec) { spec["dataFrom"][0]["extract"]["key"] = "app.nothing"; });
  AddFailure("no-object", [](json& spec) { spec["dataFrom"][0]["extract"]["key"] = "app.user"; });
  AddFailure("decoding",
             [](json& spec) { spec["dataFrom"][0]["extract"]["decodingStrategy"] = "Base64"; });
  const auto with_template = [](const std::string& text) {
    return [text](json& spec) { spec["target"]["template"]["data"]["x"] = text; };
  };
  AddFailure("template", with_template("{{ .password | fromJson | toYaml | nothing }}"));
  AddFailure("template-fail", with_template("{{ fail .password }}"));
  AddFailure("template-index", with_template("{{ index .password \"x\" }}"));
  AddFailure("template-field", with_template("{{ .password.field }}"));
  AddFailure("template-label", [](json& spec) {
    spec["target"]["template"]["metadata"]["labels"]["x"] = "{{ .broken }}";
  });
  AddFailure("template-keys", [](json& spec) {
    spec["target"]["template"]["templateFrom"] =
        json::array({{{"literal", "{{ .broken }}: x"}, {"target", "Labels"}}});
  });
  bed_->Apply({{"apiVersion", "v1"},
               {"kind", "Secret"},
               {"metadata", {{"name", "wrong-token"}, {"namespace", bed_->name()}}},
               {"stringData", {{"token", m + "-token"}, {"line", m + "\n-token"}}}});
  for (const char* key : {"token", "line"}) {
    json store = bed_->ClusterStore("unused", "app");
    store["kind"] = "SecretStore";
    store["metadata"] = {{"name", key}, {"namespace", bed_->name()}};
    store["spec"]["provider"]["pulumi"]["accessToken"]["secretRef"] = {{"name", "wrong-token"},
                                                                       {"key", key}};
    bed_->Apply(store);
    AddFailure(std::string("of-") + key, [&](json& spec) {
      spec["secretStoreRef"] = {{"kind", "SecretStore"}, {"name", key}};
    });
  }
  bed_->Apply({{"apiVersion", "external-secrets.io/v1alpha1"},
               {"kind", "PushSecret"},
               {"metadata", {{"name", "push"}, {"namespace", bed_->name()}}},
               {"spec",
                {{"secretStoreRefs", json::array({{{"kind", "SecretStore"}, {"name", "token"}}})},
                 {"selector", {{"secret", {{"name", "wrong-token"}}}}},
                 {"data", json::array({{{"match",
                                         {{"secretKey", "token"},
                                          {"remoteRef", {{"remoteKey", "list.x"}}}}}}})}}}});
  bed_->StartAgent(0, {"--log-level", "debug"});
  EXPECT_TRUE(bed_->AwaitReady(bed_->ObjectPath("good"), "True"));
  for (const std::string& name : failures_) {
    EXPECT_TRUE(bed_->AwaitReady(bed_->ObjectPath(name), "False")) << name;
  }
  EXPECT_TRUE(bed_->AwaitReady(
      "/apis/external-secrets.io/v1alpha1/namespaces/" + bed_->name() + "/pushsecrets/push",
      "False"));
  // Events come last.
  EXPECT_TRUE(WaitFor(
      [&] {
        const json events = bed_->Get("/api/v1/namespaces/" + bed_->name() + "/events");
        return events.is_object() && events["items"].size() >= failures_.size();
      },
      seconds(30)));
  CheckEverything();
  Process doctor({bed_->node().program(), "doctor", "--kubeconfig", cluster_->kubeconfig(),
                  "--esc-url", bed_->node().esc_url(), "--mirror", "on"},
                 {}, bed_->node().folder() + "/doctor");
  EXPECT_EQ(doctor.Wait(seconds(30)), 1);
  // It has looked at the store whose token is wrong.
  EXPECT_NE(doctor.Out().find("FAIL  store SecretStore " + bed_->name() + "/token"),
            std::string::npos);
  Check("what the doctor prints", doctor.Out() + doctor.Err());
  // The mark is in the Secret, or this test looks for the wrong thing.
  EXPECT_NE(canary_.FindIn(bed_->Get(bed_->SecretPath("good")).dump()), "");
}

}  // namespace
}  // namespace escagent::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  escagent::testing::EnterPrivateMountNamespace();
  return RUN_ALL_TESTS();
}
