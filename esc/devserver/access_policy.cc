#include "esc/devserver/access_policy.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "base/yaml.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

// `"kubernetes.io".serviceaccount.name`: names with dots are quoted.
std::optional<std::vector<std::string>> ParseClaimPath(std::string_view text) {
  std::vector<std::string> path;
  while (true) {
    const bool quoted = text.starts_with('"');
    if (quoted) text.remove_prefix(1);
    const std::size_t end = text.find(quoted ? '"' : '.');
    if (quoted && end == std::string_view::npos) return std::nullopt;
    path.emplace_back(text.substr(0, end));
    if (path.back().empty()) return std::nullopt;
    text.remove_prefix(std::min(text.size(), path.back().size() + (quoted ? 1 : 0)));
    if (text.empty()) return path;
    if (!text.starts_with('.')) return std::nullopt;
    text.remove_prefix(1);
  }
}

bool ClaimMatches(const json& claim, const std::string& pattern) {
  if (claim.is_array()) {
    return std::ranges::any_of(claim,
                               [&](const json& element) { return ClaimMatches(element, pattern); });
  }
  if (claim.is_string()) return MatchesPattern(pattern, claim.get_ref<const std::string&>());
  return (claim.is_boolean() || claim.is_number()) && MatchesPattern(pattern, claim.dump());
}

std::string SubjectOf(const json& claims) {
  const auto subject = claims.find("sub");
  return subject != claims.end() && subject->is_string() ? subject->get<std::string>()
                                                         : std::string("(no sub)");
}

}  // namespace

// Reads one document; each error names the member.
class PolicyReader {
 public:
  explicit PolicyReader(std::string_view what) : what_(what) {}

  Result<AccessPolicy> Read(std::string_view text) {
    ESC_ASSIGN_OR_RETURN(const YAML::Node root, ParseYaml(text, what_));
    const YAML::Node list = root.IsMap() ? root["policies"] : YAML::Node();
    if (!list.IsDefined() || !list.IsSequence()) return Bad("policies", "a list");
    AccessPolicy result;
    for (const YAML::Node& node : list) {
      at_ = "policies[" + std::to_string(result.policies_.size()) + "]";
      if (!node.IsMap()) return Bad("", "a mapping");
      AccessPolicy::Policy policy;
      for (const auto& entry : node) {
        ESC_RETURN_IF_ERROR(ReadMember(entry.first.Scalar(), entry.second, policy));
      }
      result.policies_.push_back(std::move(policy));
    }
    return result;
  }

 private:
  std::unexpected<Error> Bad(const std::string& member, std::string_view expected) const {
    std::string place = at_;
    if (!member.empty()) place += (place.empty() ? "" : ".") + member;
    return InvalidArgument("read " + what_ + ": " + place + " must be " + std::string(expected));
  }

  Status ReadTexts(const std::string& member, const YAML::Node& value,
                   std::vector<std::string>& out) const {
    if (!value.IsSequence()) return Bad(member, "a list of texts");
    for (const YAML::Node& element : value) {
      if (!element.IsScalar()) return Bad(member, "a list of texts");
      out.push_back(element.Scalar());
    }
    return {};
  }

  Status ReadRules(const YAML::Node& value, AccessPolicy::Policy& policy) const {
    if (!value.IsMap()) return Bad("rules", "a mapping of claims to patterns");
    for (const auto& entry : value) {
      auto path = ParseClaimPath(entry.first.Scalar());
      if (!path || !entry.second.IsScalar()) {
        return Bad("rules." + entry.first.Scalar(),
                   "a claim (names with dots quoted: '\"kubernetes.io\".namespace') and a pattern");
      }
      policy.rules.push_back({*std::move(path), entry.second.Scalar()});
    }
    return {};
  }

  Status ReadMember(const std::string& member, const YAML::Node& value,
                    AccessPolicy::Policy& policy) const {
    if (member == "rules") return ReadRules(value, policy);
    if (member == "environments") return ReadTexts(member, value, policy.environments);
    if (member == "authorizedPermissions") {
      std::vector<std::string> permissions;
      ESC_RETURN_IF_ERROR(ReadTexts(member, value, permissions));
      policy.admin = std::ranges::find(permissions, "admin") != permissions.end();
      return {};
    }
    if (!value.IsScalar()) return Bad(member, "a text");
    const std::string& text = value.Scalar();
    if (member == "decision") {
      if (text != "allow" && text != "deny") return Bad(member, "allow or deny");
      policy.allow = text == "allow";
    } else if (member == "tokenType") {
      if (text != "organization" && text != "team" && text != "personal" && text != "runner") {
        return Bad(member, "organization, team, personal or runner");
      }
      policy.token_type = text;
    } else if (member == "teamName" || member == "userLogin" || member == "runnerID") {
      policy.name = text;
    } else if (member == "login") {
      policy.login = text;
    } else if (member == "permission") {
      if (text != "read" && text != "open" && text != "write") {
        return Bad(member, "read, open or write");
      }
      policy.permission = text == "read"   ? Permission::kRead
                          : text == "open" ? Permission::kOpen
                                           : Permission::kWrite;
    } else {
      return Bad(member,
                 "left out: known are decision, tokenType, teamName, userLogin, runnerID, "
                 "authorizedPermissions, rules, login, environments and permission");
    }
    return {};
  }

  const std::string what_;
  std::string at_;
};

std::string_view TokenTypeName(TokenGrant::Type type) {
  switch (type) {
    case TokenGrant::Type::kTeam:
      return "team";
    case TokenGrant::Type::kPersonal:
      return "personal";
    case TokenGrant::Type::kRunner:
      return "runner";
    default:
      return "organization";
  }
}

Result<AccessPolicy> AccessPolicy::Parse(std::string_view text, std::string_view what) {
  return PolicyReader(what).Read(text);
}

AccessPolicy AccessPolicy::AllowAll() {
  AccessPolicy policy;
  policy.policies_.emplace_back();
  policy.policies_.back().allow = true;
  policy.policies_.back().admin = true;
  return policy;
}

bool AccessPolicy::Applies(const Policy& policy, const json& claims, const TokenGrant& grant) {
  if (!policy.token_type.empty() && policy.token_type != TokenTypeName(grant.type)) return false;
  if (!policy.name.empty() && policy.name != grant.name) return false;
  if (policy.allow && grant.admin && !policy.admin) return false;
  return std::ranges::all_of(policy.rules, [&](const Rule& rule) {
    const json* claim = &claims;
    for (const std::string& key : rule.path) {
      if (!claim->is_object()) return false;
      const auto found = claim->find(key);
      if (found == claim->end()) return false;
      claim = &*found;
    }
    return ClaimMatches(*claim, rule.pattern);
  });
}

Result<Identity> AccessPolicy::Decide(const json& claims, const TokenGrant& grant) const {
  const Policy* chosen = nullptr;
  for (const Policy& policy : policies_) {
    if (!Applies(policy, claims, grant)) continue;
    if (chosen == nullptr || !policy.allow) chosen = &policy;
    if (!policy.allow) break;
  }
  if (chosen == nullptr || !chosen->allow) {
    return PermissionDenied((chosen == nullptr ? "no authorization policy of the issuer allows "
                                               : "an authorization policy of the issuer denies ") +
                            std::string(TokenTypeName(grant.type)) + " tokens to \"" +
                            SubjectOf(claims) + "\"");
  }
  Identity identity;
  identity.login = !chosen->login.empty()                      ? chosen->login
                   : grant.type == TokenGrant::Type::kPersonal ? grant.name
                                                               : SubjectOf(claims);
  identity.user_id = Sha256Hex(identity.login).substr(0, 32);
  if (grant.type == TokenGrant::Type::kTeam) identity.team = grant.name;
  identity.environments = chosen->environments;
  identity.permission = chosen->permission;
  return identity;
}

}  // namespace escagent::devserver
