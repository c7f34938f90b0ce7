#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "tests/system/mirror_fixture.h"
#include "tests/system/process.h"

// A store with auth.oidcConfig: a real kube-apiserver issues the service account's tokens, the real
// dev server checks them with the cluster's keys, and the real agent exchanges them.

namespace escagent::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::HasSubstr;

class OidcStoreTest : public MirrorTest {
 protected:
  void SetUp() override {
    MirrorTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (IsFake()) GTEST_SKIP() << "the stand-in's tokens have no signature";
    const std::string folder = bed_->node().folder();
    WriteAll(folder + "/jwks.json", DumpJson(bed_->Get("/openid/v1/jwks")));
    Decide("allow");
    const json issuer = bed_->Get("/.well-known/openid-configuration")["issuer"];
    bed_->node().StopDevServer();
    // Access tokens end so soon that some do during the test.
    bed_->node().StartDevServer({"--oidc-issuer", issuer.get<std::string>(), "--oidc-jwks",
                                 folder + "/jwks.json", "--oidc-policy", folder + "/policy.yaml",
                                 "--oidc-max-expiration", "6s"});
    bed_->Apply({{"apiVersion", "v1"},
                 {"kind", "ServiceAccount"},
                 {"metadata", {{"name", "esc"}, {"namespace", bed_->name()}}}});
    json store = bed_->ClusterStore("oidc", "app");
    json& provider = store["spec"]["provider"]["pulumi"];
    provider.erase("accessToken");
    provider["auth"]["oidcConfig"] = {
        {"organization", "acme"},
        {"serviceAccountRef", {{"name", "esc"}, {"namespace", bed_->name()}}}};
    name_ = store["metadata"]["name"].get<std::string>();
    bed_->Apply(store);
    bed_->StartAgent(0, {"--refresh-interval", "1s"});
  }
  void TearDown() override {
    if (!name_.empty()) bed_->DeleteObject(bed_->StorePath("oidc"));
    MirrorTest::TearDown();
  }
  // What the service account may do.
  void Decide(const std::string& decision) const {
    const json policy = {{"decision", decision},
                         {"rules", {{"sub", "system:serviceaccount:" + bed_->name() + ":esc"}}},
                         {"login", "esc"}};
    WriteAll(bed_->node().folder() + "/policy.yaml", json{{"policies", {policy}}}.dump());
  }
  int Exchanges() const {
    const auto counters = ParseJson(bed_->node().Debug("GET", "/debug/requests"), "counters");
    return counters ? (*counters)["routes"].value("POST /api/oauth/token", 0) : 0;
  }
  Result<std::string> Mount(const std::string& pod) const {
    return bed_->Publish(
        bed_->Volume(pod, bed_->MakePod(pod), {{"clusterSecretStore", name_}, {"path", "app"}}));
  }

  std::string name_;  // the store's, in full
};

INSTANTIATE_TEST_SUITE_P(Api, OidcStoreTest, ::testing::Values("fake", "real"),
                         [](const auto& parameter) { return std::string(parameter.param); });

TEST_P(OidcStoreTest, IsUsedRenewedAndRevoked) {
  bed_->Apply(bed_->ExternalSecret("app", "oidc"));
  EXPECT_TRUE(bed_->AwaitSecret("app", {{"hello", "world"}, {"hello-secret", "secret"}}));
  EXPECT_TRUE(bed_->AwaitReady(bed_->StorePath("oidc"), "True"));
  const auto first = Mount("first");
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(ReadAll(*first + "/hello"), "world");

  EXPECT_TRUE(WaitFor([&] { return Exchanges() >= 3; }, seconds(60))) << "tokens are renewed";
  bed_->WriteEnvironment("app", "values: {app: {hello: again}}\n");
  EXPECT_TRUE(WaitFor([&] { return ReadAll(*first + "/hello") == "again"; }, seconds(30)));

  Decide("deny");
  bed_->node().Debug("DELETE", "/debug/tokens?login=esc");
  // What is mounted may be published again: each attempt is another pod's.
  int attempts = 0;
  Result<std::string> refused = std::unexpected(Error{});
  EXPECT_TRUE(WaitFor(
      [&] {
        refused = Mount("late-" + std::to_string(++attempts));
        return !refused;
      },
      seconds(60)));
  EXPECT_EQ(refused.error().code, Code::kPermissionDenied);
  EXPECT_THAT(refused.error().message, HasSubstr("denies"));
  EXPECT_EQ(ReadAll(*first + "/hello"), "again") << "what is mounted stays (onRevoke: keep)";
}

}  // namespace
}  // namespace escagent::testing
