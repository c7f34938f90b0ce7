#include "tests/system/mirror_namespaces_fixture.h"

#include <iostream>
#include <optional>
#include <utility>

#include "base/secret.h"
#include "base/strings.h"
#include "base/yaml.h"

namespace escagent::testing {
namespace {

using nlohmann::json;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kManifests = SOURCE_FOLDER "/manifests";

std::string Encoded(const std::string& text) {
  SecretBuilder builder;
  EncodeBase64(text, builder);
  return std::string(builder.Reveal());
}

}  // namespace

void MirrorNamespacesTest::SetUp() {
  const bool real = std::string(GetParam()) == "real";
  auto started =
      real ? apiserver::TestCluster::Real() : apiserver::TestCluster::Fake({.rbac = true});
  if (!started && real) GTEST_SKIP() << started.error().message;
  ASSERT_TRUE(started) << started.error().message;
  cluster_ = *std::move(started);
  for (const char* folder : {"/crds", "/rbac/agent"}) {
    const Status applied = cluster_->Apply(kManifests + folder);
    ASSERT_TRUE(applied) << applied.error().message;
  }
  bed_ = std::make_unique<MirrorBed>(*cluster_, "scope");
  for (const std::string& name : {here_, there_, beyond_}) {
    bed_->Apply({{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", name}}}});
    ApplyStore(name);
  }
  UseServiceAccount();
  if (!real) cluster_->fake().log().Reset();
}

void MirrorNamespacesTest::TearDown() {
  if (has_agent_ && HasFailure()) std::cout << bed_->AgentLog() << "\n";
  bed_.reset();
}

void MirrorNamespacesTest::GrantRole(const std::string& name_space) const {
  std::string text = ReadAll(kManifests + "/rbac/namespaced/role.yaml");
  const std::string from = "  namespace: podinfo\n";
  const std::string to = "  namespace: " + name_space + "\n";
  std::size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos);
  for (; at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  const Status applied = cluster_->ApplyText(text);
  ASSERT_TRUE(applied) << applied.error().message;
}

void MirrorNamespacesTest::UseServiceAccount() const {
  const apiserver::Answer answer =
      cluster_->Request("POST", "/api/v1/namespaces/esc-agent/serviceaccounts/esc-agent/token",
                        {{"apiVersion", "authentication.k8s.io/v1"},
                         {"kind", "TokenRequest"},
                         {"spec", {{"audiences", json::array()}, {"expirationSeconds", 3600}}}});
  ASSERT_EQ(answer.status, 201) << answer.body.dump();
  const Result<YAML::Node> admin = ParseYaml(ReadAll(cluster_->kubeconfig()), "kubeconfig");
  ASSERT_TRUE(admin) << admin.error().message;
  YAML::Node config = YAML::Clone(*admin);
  YAML::Node user;
  user["token"] = answer.body["status"]["token"].get<std::string>();
  config["users"][0]["user"] = user;
  config["contexts"][0]["context"]["namespace"] = "esc-agent";
  YAML::Emitter text;
  text << config;
  const std::string path = cluster_->folder() + "/agent.kubeconfig";
  WriteAll(path, text.c_str());
  bed_->UseAccount(path, "esc-agent");
}

void MirrorNamespacesTest::StartAgent(const std::vector<std::string>& flags) {
  bed_->StartAgent(0, flags);
  has_agent_ = true;
}

void MirrorNamespacesTest::ApplyStore(const std::string& name_space) const {
  bed_->Apply({{"apiVersion", "v1"},
               {"kind", "Secret"},
               {"metadata", {{"name", "pulumi"}, {"namespace", name_space}}},
               {"data", {{"pat", Encoded(bed_->node().token())}}}});
  json store = bed_->ClusterStore("own", "app");
  store["kind"] = "SecretStore";
  store["metadata"] = {{"name", "own"}, {"namespace", name_space}};
  store["spec"]["provider"]["pulumi"]["accessToken"]["secretRef"] = {{"name", "pulumi"},
                                                                     {"key", "pat"}};
  bed_->Apply(store);
}

json MirrorNamespacesTest::ExternalSecret(const std::string& name_space,
                                          const std::string& name) const {
  json object = bed_->ExternalSecret(name, "");
  object["metadata"]["namespace"] = name_space;
  object["spec"]["secretStoreRef"] = {{"kind", "SecretStore"}, {"name", "own"}};
  return object;
}

json MirrorNamespacesTest::PushSecret(const std::string& name_space) const {
  const json match = {{"secretKey", "a"}, {"remoteRef", {{"remoteKey", "app.pushed"}}}};
  return {{"apiVersion", "external-secrets.io/v1alpha1"},
          {"kind", "PushSecret"},
          {"metadata", {{"name", "push"}, {"namespace", name_space}}},
          {"spec",
           {{"secretStoreRefs", json::array({{{"kind", "SecretStore"}, {"name", "own"}}})},
            {"deletionPolicy", "Delete"},
            {"selector", {{"secret", {{"name", "source"}}}}},
            {"data", json::array({{{"match", match}}})}}}};
}

void MirrorNamespacesTest::ApplySource(const std::string& name_space) const {
  bed_->Apply({{"apiVersion", "v1"},
               {"kind", "Secret"},
               {"metadata", {{"name", "source"}, {"namespace", name_space}}},
               {"stringData", {{"a", "from-kubernetes"}}}});
}

void MirrorNamespacesTest::ApplyDeployment(const std::string& name_space) const {
  const json labels = {{"app", "reader"}};
  const json container = {{"name", "main"},
                          {"image", "busybox"},
                          {"envFrom", json::array({{{"secretRef", {{"name", "app"}}}}})}};
  bed_->Apply({{"apiVersion", "apps/v1"},
               {"kind", "Deployment"},
               {"metadata",
                {{"name", "reader"},
                 {"namespace", name_space},
                 {"annotations", {{"esc-agent.io/restart-on-change", "true"}}}}},
               {"spec",
                {{"selector", {{"matchLabels", labels}}},
                 {"template",
                  {{"metadata", {{"labels", labels}}},
                   {"spec", {{"containers", json::array({container})}}}}}}}});
}

Result<std::string> MirrorNamespacesTest::Publish(const std::string& name_space,
                                                  std::map<std::string, std::string> attributes) {
  const std::string pod = "pod-" + std::to_string(++pods_);
  bed_->Apply(
      {{"apiVersion", "v1"},
       {"kind", "Pod"},
       {"metadata", {{"name", pod}, {"namespace", name_space}}},
       {"spec", {{"containers", json::array({{{"name", "main"}, {"image", "busybox"}}})}}}});
  const std::string uid = bed_->Get(Path(name_space, "pods", pod))["metadata"]["uid"];
  InlineVolume volume = bed_->Volume(pod, uid, std::move(attributes));
  volume.pod_namespace = name_space;
  return bed_->Publish(volume);
}

std::string MirrorNamespacesTest::Path(const std::string& name_space, const std::string& plural,
                                       const std::string& name) {
  static const std::map<std::string, std::string> groups = {
      {"pods", "/api/v1"},
      {"secrets", "/api/v1"},
      {"deployments", "/apis/apps/v1"},
      {"pushsecrets", "/apis/external-secrets.io/v1alpha1"},
      {"externalsecrets", "/apis/external-secrets.io/v1"},
      {"secretstores", "/apis/external-secrets.io/v1"}};
  return groups.at(plural) + "/namespaces/" + name_space + "/" + plural + "/" + name;
}

std::string MirrorNamespacesTest::SecretValue(const std::string& name_space,
                                              const std::string& name,
                                              const std::string& key) const {
  const json object = bed_->Get(Path(name_space, "secrets", name));
  if (!object.is_object() || !object.contains("data")) return "";
  const std::optional<Secret> bytes = DecodeBase64(object["data"].value(key, ""));
  return bytes ? std::string(bytes->Reveal()) : "(not base64)";
}

bool MirrorNamespacesTest::AwaitValue(const std::string& name_space, const std::string& name,
                                      const std::string& key, const std::string& value) const {
  return AwaitThat([&] { return SecretValue(name_space, name, key) == value; });
}

bool MirrorNamespacesTest::AwaitReady(const std::string& path, const std::string& status,
                                      const std::string& text) const {
  return AwaitThat([&] {
    const MirrorBed::Ready ready = bed_->ReadyOf(path);
    return ready.status == status && ready.message.find(text) != std::string::npos;
  });
}

void MirrorNamespacesTest::ExpectNoRequestBeyond() const {
  EXPECT_THAT(bed_->AgentLog(), Not(AnyOf(HasSubstr("cannot follow"), HasSubstr("forbidden"),
                                          HasSubstr("cannot be followed"))));
  if (!cluster_->IsFake()) return;
  int requests = 0;
  for (const apiserver::RequestLog::Entry& entry : cluster_->fake().log().Entries()) {
    if (entry.user != "system:serviceaccount:esc-agent:esc-agent") continue;
    ++requests;
    EXPECT_NE(entry.status, 403) << entry.method << " " << entry.path;
    EXPECT_THAT(entry.path, AnyOf(HasSubstr("/namespaces/" + here_ + "/"),
                                  HasSubstr("/namespaces/" + there_ + "/"),
                                  HasSubstr("/namespaces/esc-agent/leases"),
                                  HasSubstr("/namespaces/esc-agent/configmaps"),
                                  // What the agent may do itself, which needs no right.
                                  HasSubstr("/selfsubjectaccessreviews")));
  }
  EXPECT_GT(requests, 0);
  EXPECT_EQ(cluster_->fake().log().Total("list", "secrets"), 0U);
}

}  // namespace escagent::testing
