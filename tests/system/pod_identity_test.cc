#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "tests/fakes/fake_oidc_issuer.h"
#include "tests/system/process.h"
#include "tests/system/testbed.h"

// Volumes that are opened with the pod's own identity: the real agent, the real dev server as ESC
// with a cluster's issuer, and a stand-in for kubelet that sends the pods' tokens.

namespace escagent::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;
using Attributes = std::map<std::string, std::string>;

constexpr const char* kIssuer = "https://kubernetes.default.svc";
constexpr seconds kPatience{30};

class PodIdentityTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { EnterPrivateMountNamespace(); }

  void StartNode(const std::string& expiration = "1h") {
    bed_.WriteEnvironment("acme/shop/web", "values: {password: web-first}\n");
    bed_.WriteEnvironment("acme/shop/api", "values: {password: api-first}\n");
    WriteAll(bed_.folder() + "/jwks.json", issuer_.Jwks());
    Allow({"web", "api"});
    StartEsc(expiration);
    bed_.StartKeeper();
    StartAgent();
  }
  void StartEsc(const std::string& expiration = "1h") {
    bed_.StartDevServer({"--oidc-issuer", kIssuer, "--oidc-jwks", bed_.folder() + "/jwks.json",
                         "--oidc-policy", bed_.folder() + "/policy.yaml", "--oidc-max-expiration",
                         expiration});
  }
  void StartAgent() {
    bed_.StartAgent(
        {"--refresh-interval", "1s", "--log-level", "debug", "--audit-log", AuditLog()});
  }
  std::string AuditLog() const { return bed_.folder() + "/audit.log"; }

  // Each of these service accounts may use the environment of its name, and nobody else anything.
  void Allow(const std::vector<std::string>& accounts) const {
    json policies = json::array();
    for (const std::string& account : accounts) {
      policies.push_back({{"decision", "allow"},
                          {"rules", {{"sub", "system:serviceaccount:default:" + account}}},
                          {"login", account},
                          {"environments", {"shop/" + account}}});
    }
    policies.push_back({{"decision", "deny"}, {"rules", {{"sub", "nobody"}}}});
    WriteAll(bed_.folder() + "/policy.yaml", json{{"policies", policies}}.dump());
  }
  // Takes a service account's rights and its access tokens away.
  void Revoke(const std::string& account, const std::vector<std::string>& left) const {
    Allow(left);
    bed_.Debug("DELETE", "/debug/tokens?login=" + account);
  }

  // `claims` are put over those of a good token.
  InlineVolume PodVolume(const std::string& pod, const std::string& account, Attributes more = {},
                         const json& claims = json::object()) const {
    Attributes attributes = {{"environment", "acme/shop/" + account}, {"auth", "pod"}};
    for (auto& [name, value] : more) attributes[name] = value;
    InlineVolume volume = bed_.Volume(pod, std::move(attributes));
    volume.service_account = account;
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    json all = FakeOidcIssuer::PodClaims(kIssuer, "acme", "default", account, now, now + 3600);
    all.update(claims);
    volume.service_account_tokens =
        json{{"urn:pulumi:org:acme",
              {{"token", issuer_.Sign(all)}, {"expirationTimestamp", "2099-01-01T00:00:00Z"}}}}
            .dump();
    return volume;
  }
  Result<std::string> Publish(const InlineVolume& volume) {
    return bed_.kubelet().Publish(bed_.endpoint(), volume);
  }
  static bool Shows(const std::string& target, const std::string& text) {
    return WaitFor([&] { return ReadAll(target + "/password") == text; }, kPatience);
  }
  int Exchanges() const {
    const auto counters = ParseJson(bed_.Debug("GET", "/debug/requests"), "counters");
    return counters ? (*counters)["routes"].value("POST /api/oauth/token", 0) : 0;
  }
  std::string ConditionOf(const InlineVolume& volume) {
    const auto stats = bed_.kubelet().Stats(bed_.endpoint(), volume);
    return stats ? stats->volume_condition().message() : stats.error().message;
  }
  // The audit log's line of a pod's denied mount.
  std::optional<json> DeniedInAudit(const std::string& pod) const {
    std::istringstream lines(ReadAll(AuditLog()));
    for (std::string line; std::getline(lines, line);) {
      const auto event = ParseJson(line, "a line of the audit log");
      if (event && event->value("pod", "") == pod && !event->value("allowed", true)) return *event;
    }
    return std::nullopt;
  }
  // None of the tokens is in anything that the agent says or shows.
  void ExpectNoTokens(const std::vector<InlineVolume>& volumes) {
    const std::string all = bed_.agent().Out() + bed_.agent().Err() +
                            HttpGet(bed_.AgentUrl() + "/metrics") +
                            HttpGet(bed_.AgentUrl() + "/status") + ReadAll(AuditLog());
    for (const InlineVolume& volume : volumes) {
      const auto tokens = ParseJson(volume.service_account_tokens, "tokens");
      const auto jwt = (*tokens)["urn:pulumi:org:acme"]["token"].get<std::string>();
      EXPECT_THAT(all, Not(HasSubstr(jwt)));
      EXPECT_THAT(all, Not(HasSubstr(jwt.substr(0, 40))));
    }
    EXPECT_THAT(all, Not(HasSubstr("access_token")));
  }

  const FakeOidcIssuer issuer_;
  Testbed bed_{ProgramFolder()};
};

TEST_F(PodIdentityTest, ServiceAccountsNeverCross) {
  StartNode();
  const InlineVolume web = PodVolume("web-1", "web");
  InlineVolume api = PodVolume("api-1", "api");
  api.tokens_in_secrets = false;
  const auto web_target = Publish(web);
  const auto api_target = Publish(api);
  ASSERT_TRUE(web_target) << web_target.error().message;
  ASSERT_TRUE(api_target) << api_target.error().message;
  EXPECT_EQ(ReadAll(*web_target + "/password"), "web-first");
  EXPECT_EQ(ReadAll(*api_target + "/password"), "api-first");

  // What is cached for one is not for the other.
  const auto stolen = Publish(PodVolume("web-2", "web", {{"environment", "acme/shop/api"}}));
  ASSERT_FALSE(stolen);
  EXPECT_THAT(stolen.error().message, HasSubstr("HTTP 40"));
  EXPECT_THAT(stolen.error().message, Not(HasSubstr("api-first")));

  // Somebody else's token is none.
  InlineVolume other = PodVolume("web-3", "api");
  other.service_account = "web";
  const auto refused = Publish(other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPermissionDenied);

  const auto stranger = Publish(PodVolume("stranger-1", "stranger"));
  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().code, Code::kPermissionDenied);
  EXPECT_TRUE(WaitFor([this] { return DeniedInAudit("stranger-1").has_value(); }, kPatience));
  const json denied = DeniedInAudit("stranger-1").value_or(json::object());
  EXPECT_EQ(denied.value("environment", ""), "acme/shop/stranger");
  EXPECT_EQ(denied.value("store", ""), "ServiceAccount default/stranger");
  EXPECT_EQ(denied.value("serviceAccount", ""), "stranger");
  ExpectNoTokens({web, api, other});
}

TEST_F(PodIdentityTest, ARevokedIdentity) {
  StartNode();
  const InlineVolume keep = PodVolume("web-1", "web");
  const InlineVolume empty = PodVolume("web-2", "web", {{"onRevoke", "empty"}});
  const InlineVolume api = PodVolume("api-1", "api", {{"onRevoke", "empty"}});
  const auto keep_target = Publish(keep);
  const auto empty_target = Publish(empty);
  const auto api_target = Publish(api);
  ASSERT_TRUE(keep_target && empty_target && api_target);

  Revoke("web", {"api"});
  const auto denied = Publish(PodVolume("web-3", "web"));
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().code, Code::kPermissionDenied);
  EXPECT_TRUE(Shows(*empty_target, ""));
  EXPECT_EQ(ReadAll(*keep_target + "/password"), "web-first");
  EXPECT_EQ(ReadAll(*api_target + "/password"), "api-first");
  EXPECT_THAT(ConditionOf(empty), HasSubstr("onRevoke: empty"));
  EXPECT_THAT(ConditionOf(keep), HasSubstr("ESC refuses the identity"));
  EXPECT_THAT(HttpGet(bed_.AgentUrl() + "/metrics"), HasSubstr("esc_agent_volumes_refused 2"));

  Allow({"web", "api"});
  EXPECT_TRUE(Shows(*empty_target, "web-first"));
  EXPECT_TRUE(Publish(PodVolume("web-4", "web")));
}

TEST_F(PodIdentityTest, AnOutageServesTheKnownOnly) {
  StartNode();
  const auto target = Publish(PodVolume("web-1", "web", {{"onRevoke", "empty"}}));
  ASSERT_TRUE(target);
  bed_.StopDevServer();
  const auto second = Publish(PodVolume("web-2", "web"));
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(ReadAll(*second + "/password"), "web-first");
  EXPECT_EQ(ReadAll(*target + "/password"), "web-first");
  const auto unknown = Publish(PodVolume("api-1", "api"));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kUnavailable);
  StartEsc();
  bed_.WriteEnvironment("acme/shop/web", "values: {password: web-second}\n");
  EXPECT_TRUE(Shows(*target, "web-second"));
  EXPECT_TRUE(Publish(PodVolume("api-1", "api")));
}

TEST_F(PodIdentityTest, TokensAreRenewedBeforeTheyEnd) {
  StartNode("5s");
  const InlineVolume web = PodVolume("web-1", "web");
  const auto target = Publish(web);
  ASSERT_TRUE(target);
  const int before = Exchanges();
  ASSERT_TRUE(WaitFor([&] { return Exchanges() >= before + 3; }, kPatience));
  EXPECT_EQ(ConditionOf(web), "mounted");
  bed_.WriteEnvironment("acme/shop/web", "values: {password: web-second}\n");
  EXPECT_TRUE(Shows(*target, "web-second"));
}

TEST_F(PodIdentityTest, ANewAgentGoesOnFromTheNextPublish) {
  StartNode();
  const auto target = Publish(PodVolume("web-1", "web"));
  ASSERT_TRUE(target);
  bed_.StopAgent();
  StartAgent();
  EXPECT_EQ(ReadAll(*target + "/password"), "web-first");
  bed_.WriteEnvironment("acme/shop/web", "values: {password: web-second}\n");
  // As kubelet does it with requiresRepublish, with a new token.
  ASSERT_TRUE(Publish(PodVolume("web-1", "web")));
  EXPECT_TRUE(Shows(*target, "web-second"));
}

// A good token of the pod lets it in afterwards.
TEST_F(PodIdentityTest, ATokenThatEscDoesNotTakeMountsNothing) {
  StartNode();
  const json expired = {{"iat", 1000}, {"nbf", 1000}, {"exp", 2000}};
  const json other_audience = {{"aud", {"urn:pulumi:org:globex"}}};
  const json other_issuer = {{"iss", "https://elsewhere.example.com"}};
  for (const json& claims : {expired, other_audience, other_issuer}) {
    const InlineVolume volume = PodVolume("web-1", "web", {}, claims);
    const auto refused = Publish(volume);
    ASSERT_FALSE(refused) << claims.dump();
    EXPECT_EQ(refused.error().code, Code::kPermissionDenied) << refused.error().message;
    EXPECT_THAT(refused.error().message, HasSubstr("urn:pulumi:org:acme"));
    ExpectNoTokens({volume});
  }
  // Signed by somebody else with the same names.
  InlineVolume forged = PodVolume("web-1", "web");
  const FakeOidcIssuer forger;
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  const json claims = FakeOidcIssuer::PodClaims(kIssuer, "acme", "default", "web", now, now + 3600);
  forged.service_account_tokens =
      json{{"urn:pulumi:org:acme", {{"token", forger.Sign(claims)}}}}.dump();
  EXPECT_FALSE(Publish(forged));
  EXPECT_THAT(HttpGet(bed_.AgentUrl() + "/metrics"),
              HasSubstr("esc_agent_token_exchanges_total{outcome=\"ok\"} 0"));
  const auto target = Publish(PodVolume("web-1", "web"));
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(ReadAll(*target + "/password"), "web-first");
  EXPECT_THAT(HttpGet(bed_.AgentUrl() + "/metrics"),
              HasSubstr("esc_agent_token_exchanges_total{outcome=\"ok\"} 1"));
}

TEST_F(PodIdentityTest, WithoutATokenTheErrorSaysWhatToAdd) {
  StartNode();
  InlineVolume volume = PodVolume("web-1", "web");
  volume.service_account_tokens.clear();
  const auto refused = Publish(volume);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("tokenRequests"));
}

}  // namespace
}  // namespace escagent::testing
