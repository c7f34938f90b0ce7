#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "esc/devserver/identity.h"

namespace escagent::devserver {

// What a client asks for when it exchanges its token.
struct TokenGrant {
  enum class Type { kOrganization, kTeam, kPersonal, kRunner };
  Type type = Type::kOrganization;
  std::string name{};  // of the team, the user or the runner
  bool admin = false;  // scope "admin"
};

// "organization", "team", "personal" or "runner".
std::string_view TokenTypeName(TokenGrant::Type type);

// Who gets access tokens for which claims: Pulumi's authorization policies of an OIDC issuer
// (reference/esc-api.md (b)), with the environments that a token is good for beside them. A YAML
// (or JSON) document:
//
//   policies:
//     - decision: allow                # or deny
//       tokenType: organization        # also team, personal, runner; absent: any
//       teamName: ops                  # userLogin, runnerID: the only name; absent: any
//       authorizedPermissions: [admin] # scope "admin" is allowed
//       rules:                         # all must match; wildcards of MatchesPattern
//         sub: system:serviceaccount:shop:*
//         '"kubernetes.io".serviceaccount.name': web
//       login: web                     # how the identity is called; absent: the claim "sub"
//       environments: [shop/*]         # "project/env"; absent: all of the organization
//       permission: open               # read, open or write (default)
//
// A policy that matches and denies wins over those that allow; of these the first counts. Nobody is
// let in by none. Immutable.
class AccessPolicy {
 public:
  // INVALID_ARGUMENT names the member.
  static Result<AccessPolicy> Parse(std::string_view text, std::string_view what);
  // Without a document everybody is let in whose token is good.
  static AccessPolicy AllowAll();

  // PERMISSION_DENIED says that no policy, or which one, and holds no claim but "sub".
  Result<Identity> Decide(const nlohmann::json& claims, const TokenGrant& grant) const;

 private:
  struct Rule {
    std::vector<std::string> path;  // "kubernetes.io" quoted is one key
    std::string pattern;
  };
  struct Policy {
    bool allow = false;
    std::string token_type;
    std::string name;
    bool admin = false;
    std::vector<Rule> rules;
    std::string login;
    std::vector<std::string> environments;
    Permission permission = Permission::kWrite;
  };
  friend class PolicyReader;

  static bool Applies(const Policy& policy, const nlohmann::json& claims, const TokenGrant& grant);

  std::vector<Policy> policies_;
};

}  // namespace escagent::devserver
