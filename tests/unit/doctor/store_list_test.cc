#include "agent/doctor/store_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/store/store_object.h"
#include "tests/fakes/fake_cluster.h"

namespace escagent::doctor {
namespace {

using nlohmann::json;
using store::StoreKind;
using testing::FakeCluster;
using ::testing::HasSubstr;

constexpr char kDefault[] = "https://esc.example/api/esc";

class StoreListTest : public ::testing::Test {
 protected:
  StoreListTest() {
    cluster_.Put(kube::Secrets(), {{"metadata", {{"name", "token"}, {"namespace", "shop"}}},
                                   {"data", {{"t", "cHVsLTE="}}}});
  }
  void Put(const std::string& name, const json& provider, const std::string& controller = "") {
    cluster_.Put(store::StoreResource(StoreKind::kSecretStore),
                 {{"metadata", {{"name", name}, {"namespace", "shop"}}},
                  {"spec", {{"controller", controller}, {"provider", provider}}}});
  }
  static json Pulumi(const std::string& secret) {
    return {{"pulumi",
             {{"organization", "acme"},
              {"project", "web"},
              {"environment", "dev"},
              {"accessToken", {{"secretRef", {{"name", secret}, {"key", "t"}}}}}}}};
  }
  StoreList List(const std::string& namespaces = "") {
    return ListClusterStores(api_, *kube::NamespaceScope::Parse(namespaces), "esc-agent", kDefault,
                             {});
  }

  FakeCluster cluster_;
  FakeCluster::Client api_{cluster_};
};

TEST_F(StoreListTest, OursWithTheirTokens) {
  Put("app", Pulumi("token"));
  Put("lost", Pulumi("gone"));
  Put("vault", {{"vault", json::object()}});
  Put("other", Pulumi("token"), "another");
  const StoreList list = List();
  ASSERT_EQ(list.stores.size(), 2U);
  EXPECT_EQ(list.stores[0].name, "SecretStore shop/app");
  EXPECT_EQ(list.stores[0].api_url, kDefault);
  EXPECT_EQ(list.stores[0].token_place, "Secret shop/token, key t");
  EXPECT_TRUE(list.stores[0].token);
  ASSERT_FALSE(list.stores[1].token);
  EXPECT_THAT(list.stores[1].token.error().message, HasSubstr("there is no such Secret"));
  ASSERT_EQ(list.findings.size(), 1U);
  EXPECT_EQ(list.findings[0].text, "2 of another provider or controller class");
}

TEST_F(StoreListTest, AStoreThatIsWrongFails) {
  json provider = Pulumi("token");
  provider["pulumi"].erase("environment");
  Put("app", provider);
  const StoreList list = List();
  EXPECT_TRUE(list.stores.empty());
  ASSERT_EQ(list.findings.size(), 1U);
  EXPECT_EQ(list.findings[0].verdict, Verdict::kFailed);
}

TEST_F(StoreListTest, NoneAndNoneToBeSeen) {
  EXPECT_EQ(List().findings.at(0).text, "there are none in all namespaces");
  Put("app", Pulumi("token"));
  EXPECT_TRUE(List("other").stores.empty()) << "of a namespace that is not served";
  EXPECT_EQ(List("shop").stores.size(), 1U);
  api_.SetFault([](std::string_view, const kube::ObjectKey&) -> Status {
    return PermissionDenied("forbidden");
  });
  EXPECT_EQ(List().findings.at(0).verdict, Verdict::kSkipped);
}

TEST_F(StoreListTest, Files) {
  std::string folder = ::testing::TempDir() + "/doctor.XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  EXPECT_EQ(ListFileStores(folder, kDefault).findings.at(0).verdict, Verdict::kSkipped);
  std::ofstream(folder + "/app.yaml")
      << "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: {name: app}\n"
         "spec: {provider: {pulumi: {organization: acme, project: web, environment: dev, "
         "accessToken: {secretRef: {name: \"file:token\"}}}}}\n";
  std::ofstream(folder + "/token") << "pul-1\n";
  StoreList list = ListFileStores(folder, kDefault);
  ASSERT_EQ(list.stores.size(), 1U);
  EXPECT_EQ(list.stores[0].token_place, "file:token");
  EXPECT_TRUE(list.stores[0].token);
  EXPECT_TRUE(list.findings.empty());
  std::ofstream(folder + "/bad.yaml") << "kind: [\n";
  list = ListFileStores(folder, kDefault);
  EXPECT_EQ(list.stores.size(), 1U);
  EXPECT_EQ(list.findings.at(0).verdict, Verdict::kFailed);
  std::filesystem::remove_all(folder);
  EXPECT_EQ(ListFileStores(folder, kDefault).findings.at(0).verdict, Verdict::kFailed);
}

}  // namespace
}  // namespace escagent::doctor
