#include "esc/devserver/access_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace escagent::devserver {
namespace {

using ::testing::HasSubstr;

const nlohmann::json kClaims = {
    {"sub", "system:serviceaccount:shop:web"},
    {"aud", {"x", "urn:pulumi:org:acme"}},
    {"kubernetes.io", {{"namespace", "shop"}, {"serviceaccount", {{"name", "web"}}}}}};

// The login that a document gives, or why none.
std::string Decide(const std::string& document, const TokenGrant& grant = {}) {
  const auto policy = AccessPolicy::Parse(document, "policy.yaml");
  if (!policy) return policy.error().ToString();
  const auto identity = policy->Decide(kClaims, grant);
  return identity ? identity->login : identity.error().ToString();
}

std::string Allow(const std::string& rules) {
  return "policies: [{decision: allow, login: ok, rules: {" + rules + "}}]";
}

TEST(AccessPolicyTest, RulesMatchClaims) {
  for (const char* rules :
       {"", "sub: 'system:serviceaccount:shop:*'", "aud: 'urn:pulumi:org:*'",
        "'\"kubernetes.io\".namespace': shop", "'\"kubernetes.io\".serviceaccount.name': 'w?b'",
        "'\"kubernetes.io\".\"serviceaccount\".name': web, sub: '*'"}) {
    EXPECT_EQ(Decide(Allow(rules)), "ok") << rules;
  }
  for (const char* rules :
       {"sub: 'system:serviceaccount:other:*'", "'kubernetes.io.namespace': shop",
        "'\"kubernetes.io\".serviceaccount': '*'", "missing: '*'", "sub.x: '*'",
        "sub: '*', '\"kubernetes.io\".namespace': other"}) {
    EXPECT_EQ(Decide(Allow(rules)),
              "PERMISSION_DENIED: no authorization policy of the issuer allows organization tokens "
              "to \"system:serviceaccount:shop:web\"")
        << rules;
  }
}

TEST(AccessPolicyTest, DenialWins) {
  EXPECT_THAT(Decide("policies: [{decision: allow}, {decision: deny, rules: {sub: '*:web'}}]"),
              HasSubstr("an authorization policy of the issuer denies"));
  EXPECT_EQ(Decide("policies: [{decision: deny, rules: {sub: '*:api'}}, {decision: allow}]"),
            "system:serviceaccount:shop:web");
  EXPECT_THAT(Decide("policies: []"), HasSubstr("PERMISSION_DENIED"));
}

TEST(AccessPolicyTest, TokenTypesAndScopes) {
  const std::string team = "policies: [{decision: allow, tokenType: team, teamName: ops}]";
  EXPECT_THAT(Decide(team), HasSubstr("PERMISSION_DENIED"));
  EXPECT_THAT(Decide(team, {.type = TokenGrant::Type::kTeam, .name = "dev"}),
              HasSubstr("allows team tokens"));
  EXPECT_EQ(Decide(team, {.type = TokenGrant::Type::kTeam, .name = "ops"}),
            "system:serviceaccount:shop:web");
  EXPECT_EQ(Decide("policies: [{decision: allow}]",
                   {.type = TokenGrant::Type::kPersonal, .name = "anna"}),
            "anna");
  EXPECT_THAT(Decide("policies: [{decision: allow}]", {.admin = true}),
              HasSubstr("PERMISSION_DENIED"));
  EXPECT_EQ(Decide("policies: [{decision: allow, login: a, authorizedPermissions: [admin]}]",
                   {.admin = true}),
            "a");
}

TEST(AccessPolicyTest, RestrictsToEnvironments) {
  const auto policy = AccessPolicy::Parse(
      "policies: [{decision: allow, environments: [shop/*], permission: open}]", "policy.yaml");
  ASSERT_TRUE(policy);
  const auto identity = policy->Decide(kClaims, {});
  ASSERT_TRUE(identity);
  EXPECT_TRUE(identity->May(Permission::kOpen, "acme", "shop/dev"));
  EXPECT_FALSE(identity->May(Permission::kWrite, "acme", "shop/dev"));
  EXPECT_FALSE(identity->May(Permission::kRead, "acme", "other/dev"));
}

TEST(AccessPolicyTest, SaysWhatIsWrong) {
  for (const auto& [document, error] :
       {std::pair{"[]", "policies must be a list"},
        {"policies: {}", "policies must be a list"},
        {"policies: [x]", "policies[0] must be a mapping"},
        {"policies: [{decision: maybe}]", "policies[0].decision must be allow or deny"},
        {"policies: [{decision: deny}, {rules: [x]}]", "policies[1].rules must be"},
        {"policies: [{rules: {'\"x': y}}]", "policies[0].rules.\"x must be a claim"},
        {"policies: [{rules: {'': y}}]", "must be a claim"},
        {"policies: [{permission: all}]", "permission must be read, open or write"},
        {"policies: [{environments: x}]", "environments must be a list of texts"},
        {"policies: [{env: x}]", "policies[0].env must be left out"},
        {"{", "policy.yaml"}}) {
    EXPECT_THAT(Decide(document), HasSubstr(error)) << document;
  }
}

}  // namespace
}  // namespace escagent::devserver
