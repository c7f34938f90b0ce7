#include "agent/doctor/identity_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/fakes/fake_cluster.h"
#include "tests/fakes/fake_kube_api.h"

namespace escagent::doctor {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kDriverOfPods[] = "csi.esc-agent.io";

class PodTokensTest : public ::testing::Test {
 protected:
  void PutDriver(const std::vector<std::string>& audiences) {
    json spec = json::object();
    for (const std::string& audience : audiences) {
      spec["tokenRequests"].push_back({{"audience", audience}, {"expirationSeconds", 3600}});
    }
    cluster_.Put(kube::CsiDrivers(), {{"metadata", {{"name", kDriverOfPods}}}, {"spec", spec}});
  }
  void PutPod(const std::string& name, const std::string& node, const json& attributes,
              const std::string& driver = kDriverOfPods) {
    const json volume = {{"name", "esc"},
                         {"csi", {{"driver", driver}, {"volumeAttributes", attributes}}}};
    cluster_.Put({"", "v1", "pods", "Pod"},
                 {{"metadata", {{"namespace", "shop"}, {"name", name}}},
                  {"spec", {{"nodeName", node}, {"volumes", {{{"name", "tmp"}}, volume}}}}});
  }
  static json AsPod(const std::string& environment) {
    return {{"environment", environment}, {"auth", "pod"}};
  }
  Findings Check(const std::string& node = "node-1") {
    return CheckPodTokens(api_, kDriverOfPods, node, {});
  }

  testing::FakeCluster cluster_;
  testing::FakeCluster::Client api_{cluster_};
};

TEST_F(PodTokensTest, AnAudienceForEachOrganizationThatPodsAskFor) {
  PutDriver({"urn:pulumi:org:acme"});
  PutPod("web-1", "node-1", AsPod("acme/shop/web"));
  Findings found = Check();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].verdict, Verdict::kOk);

  PutPod("api-1", "node-1", AsPod("globex/shop/api@3"));
  PutPod("api-2", "node-1", AsPod("globex/shop/api"));
  found = Check();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].verdict, Verdict::kFailed);
  EXPECT_THAT(found[0].text, AllOf(HasSubstr("pod shop/api-1 and 1 more"), HasSubstr("globex"),
                                   HasSubstr("urn:pulumi:org:acme")));
  EXPECT_THAT(found[0].advice, AllOf(HasSubstr("urn:pulumi:org:globex"), HasSubstr(kDriverOfPods)));
}

TEST_F(PodTokensTest, WhoElseUsesTheDriverNeedsNone) {
  PutDriver({});
  PutPod("stores-1", "node-1", {{"secretStore", "app"}});
  PutPod("elsewhere-1", "node-2", AsPod("acme/shop/web"));
  PutPod("foreign-1", "node-1", AsPod("acme/shop/web"), "other.csi.io");
  const Findings found = Check();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].verdict, Verdict::kSkipped);
  EXPECT_THAT(found[0].text, HasSubstr("no pod of the node needs them"));
}

TEST_F(PodTokensTest, WhatCannotBeSeenIsSkipped) {
  EXPECT_TRUE(Check().empty()) << "without a driver there is nothing to say";
  PutDriver({});
  EXPECT_EQ(Check("").at(0).verdict, Verdict::kSkipped);
  api_.SetFault([](std::string_view verb, const kube::ObjectKey&) -> Status {
    if (verb == "list") return PermissionDenied("forbidden");
    return {};
  });
  const Finding finding = Check().at(0);
  EXPECT_EQ(finding.verdict, Verdict::kSkipped);
  EXPECT_THAT(finding.advice, HasSubstr("tokenRequests"));
}

TEST(AccountTokensTest, TheRightToAskForThem) {
  testing::FakeKubeApi api;
  api.create = [](const kube::Resource&, const kube::Object& object) -> Result<kube::Object> {
    const json& asked = object.json()["spec"]["resourceAttributes"];
    EXPECT_EQ(asked.value("verb", ""), "create");
    EXPECT_EQ(asked.value("resource", "") + "/" + asked.value("subresource", ""),
              "serviceaccounts/token");
    const bool allowed = asked.value("name", "") == "web" && asked.value("namespace", "") == "shop";
    return kube::Object(json{{"status", {{"allowed", allowed}}}});
  };
  const Findings found = CheckAccountTokens(
      api, {{"SecretStore shop/a", {"shop", "web"}}, {"SecretStore shop/b", {"shop", "other"}}},
      {});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].verdict, Verdict::kSkipped);
  EXPECT_EQ(found[1].verdict, Verdict::kFailed);
  EXPECT_EQ(found[1].check, "store SecretStore shop/b");
  EXPECT_THAT(found[1].text, HasSubstr("shop/other"));
  EXPECT_THAT(found[1].advice, AllOf(HasSubstr("resourceNames [other]"), HasSubstr("shop")));
}

}  // namespace
}  // namespace escagent::doctor
