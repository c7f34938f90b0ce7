#include "agent/doctor/rights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "base/file.h"
#include "base/yaml.h"
#include "tests/fakes/fake_kube_api.h"

namespace escagent::doctor {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

// "patch secrets", "patch secretstores.external-secrets.io/status in shop"
std::string Describe(const json& attributes) {
  std::string text = attributes.value("verb", "") + " " + attributes.value("resource", "");
  if (!attributes.value("group", "").empty()) text += "." + attributes.value("group", "");
  if (attributes.contains("subresource")) text += "/" + attributes.value("subresource", "");
  if (attributes.contains("namespace")) text += " in " + attributes.value("namespace", "");
  return text;
}

class RightsTest : public ::testing::Test {
 protected:
  RightsTest() {
    api_.create = [this](const kube::Resource& resource,
                         const kube::Object& object) -> Result<kube::Object> {
      EXPECT_EQ(resource.plural, "selfsubjectaccessreviews");
      const std::string asked = Describe(object.json()["spec"]["resourceAttributes"]);
      asked_.insert(asked);
      return kube::Object(json{{"status", {{"allowed", !refused_.contains(asked)}}}});
    };
  }
  Findings Check(const Agent& agent) { return CheckRights(api_, agent, {}); }

  const Agent whole_{.mirror = true, .scope = {}, .own_namespace = "esc-agent"};
  testing::FakeKubeApi api_;
  std::set<std::string> refused_;
  std::set<std::string> asked_;
};

// The rules of an RBAC file, as Describe gives them.
std::set<std::string> RulesOf(const std::string& path) {
  std::set<std::string> rules;
  const Result<Secret> text = ReadFile(path);
  EXPECT_TRUE(text) << path;
  if (!text) return rules;
  const auto documents = ParseYamlStream(text->Reveal(), "manifest");
  EXPECT_TRUE(documents);
  for (const auto& [document, _] : documents.value_or(std::vector<YamlDocument>())) {
    for (const YAML::Node& rule : document["rules"]) {
      for (const YAML::Node& group : rule["apiGroups"]) {
        if (group.as<std::string>() == "storage.k8s.io") continue;  // for the doctor itself
        for (const YAML::Node& resource : rule["resources"]) {
          for (const YAML::Node& verb : rule["verbs"]) {
            const std::string name = resource.as<std::string>();
            const std::size_t slash = std::min(name.find('/'), name.size());
            const std::string of = group.as<std::string>();
            rules.insert(verb.as<std::string>() + " " + name.substr(0, slash) +
                         (of.empty() ? "" : "." + of) + name.substr(slash));
          }
        }
      }
    }
  }
  return rules;
}

TEST_F(RightsTest, TheTableIsWhatTheManifestsGive) {
  std::set<std::string> given;
  for (const char* file : {RBAC_FILES}) given.merge(RulesOf(file));
  std::set<std::string> table;
  for (const Right& right : AllRights()) {
    const kube::AccessQuestion& q = right.question;
    table.insert(q.verb + " " + q.resource + (q.group.empty() ? "" : "." + q.group) +
                 (q.subresource.empty() ? "" : "/" + q.subresource));
  }
  EXPECT_EQ(table, given);
}

TEST_F(RightsTest, AllAreThere) {
  const Findings found = Check(whole_);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].verdict, Verdict::kOk) << found[0].text;
  EXPECT_TRUE(asked_.contains("watch clustersecretstores.external-secrets.io"));
  EXPECT_TRUE(asked_.contains("update leases.coordination.k8s.io in esc-agent"));
}

TEST_F(RightsTest, ThoseThatLackAreListed) {
  refused_ = {"create secrets", "patch secrets", "watch secretstores.external-secrets.io",
              "patch events", "list deployments.apps"};
  const Findings found = Check(whole_);
  ASSERT_EQ(found.size(), 4U);
  EXPECT_THAT(found[0].text, HasSubstr("watch secretstores.external-secrets.io"));
  EXPECT_EQ(found[0].verdict, Verdict::kFailed);
  EXPECT_THAT(found[1].text, HasSubstr("create, patch secrets:"));
  EXPECT_EQ(found[1].verdict, Verdict::kFailed);
  EXPECT_THAT(found[2].text, HasSubstr("patch events"));
  EXPECT_EQ(found[2].verdict, Verdict::kWarning);
  EXPECT_THAT(found[3].text, HasSubstr("list deployments.apps"));
  EXPECT_EQ(found[3].verdict, Verdict::kWarning);
}

TEST_F(RightsTest, WithoutAMirrorItsRightsAreNotNeeded) {
  refused_ = {"create secrets"};
  const Findings found = Check({.mirror = false, .scope = {}, .own_namespace = "esc-agent"});
  EXPECT_EQ(asked_.count("list externalsecrets.external-secrets.io"), 0U);
  EXPECT_EQ(asked_.count("update leases.coordination.k8s.io in esc-agent"), 0U);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].verdict, Verdict::kWarning) << "for mirrorTo only";
}

TEST_F(RightsTest, InSomeNamespacesOnly) {
  refused_ = {"get secrets in b"};
  const auto scope = kube::NamespaceScope::Parse("a,b");
  ASSERT_TRUE(scope);
  const Findings found = Check({.mirror = true, .scope = *scope, .own_namespace = "esc-agent"});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_THAT(found[0].text, HasSubstr("get secrets in namespace b"));
  EXPECT_TRUE(asked_.contains("get secrets in a"));
  for (const std::string& asked : asked_) {
    EXPECT_THAT(asked, HasSubstr(" in ")) << "a right in the whole cluster";
    EXPECT_EQ(asked.find("cluster"), std::string::npos) << asked;
  }
}

TEST_F(RightsTest, AnApiServerThatDoesNotAnswerIsNoMissingRight) {
  api_.create = [](const kube::Resource&, const kube::Object&) -> Result<kube::Object> {
    return Unavailable("away");
  };
  const Findings found = Check(whole_);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].verdict, Verdict::kSkipped);
}

}  // namespace
}  // namespace escagent::doctor
