#include "esc/devserver/oidc_issuer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/file.h"
#include "esc/devserver/json_web_keys.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

std::unexpected<Error> Refused(std::string why) {
  return MakeError(Code::kUnauthenticated, "verify the subject token: " + std::move(why));
}

bool HasAudience(const json& claims, const std::string& audience) {
  const auto claim = claims.find("aud");
  if (claim == claims.end()) return false;
  return claim->is_array() ? std::ranges::find(*claim, json(audience)) != claim->end()
                           : *claim == audience;
}

Result<JsonWebKeys> ReadKeys(const std::string& path) {
  ESC_ASSIGN_OR_RETURN(const Secret text, ReadFile(path));
  return JsonWebKeys::Parse(text.Reveal(), path);
}

}  // namespace

Status OidcIssuer::Check() const {
  ESC_RETURN_IF_ERROR(ReadKeys(options_.jwks_file));
  ESC_RETURN_IF_ERROR(Policy());
  return {};
}

Result<AccessPolicy> OidcIssuer::Policy() const {
  if (options_.policy_file.empty()) return AccessPolicy::AllowAll();
  ESC_ASSIGN_OR_RETURN(const Secret text, ReadFile(options_.policy_file));
  return AccessPolicy::Parse(text.Reveal(), options_.policy_file);
}

Result<Identity> OidcIssuer::Authenticate(std::string_view token, const std::string& organization,
                                          const TokenGrant& grant) const {
  ESC_ASSIGN_OR_RETURN(const JsonWebKeys keys, ReadKeys(options_.jwks_file));
  ESC_ASSIGN_OR_RETURN(const json claims, keys.Verify(token));
  if (claims.value("iss", json()) != options_.issuer) {
    return Refused("no issuer with the URL of its claim \"iss\" is registered");
  }
  const std::string audience = "urn:pulumi:org:" + organization;
  if (!HasAudience(claims, audience)) return Refused("its audience is not \"" + audience + "\"");
  const double now = std::chrono::duration<double>(clock_.WallNow().time_since_epoch()).count();
  const double leeway = std::chrono::duration<double>(kLeeway).count();
  const json expires = claims.value("exp", json());
  if (!expires.is_number()) return Refused("it has no expiration time (\"exp\")");
  if (expires.get<double>() + leeway < now) return Refused("it has expired");
  const json not_before = claims.value("nbf", json());
  if (not_before.is_number() && not_before.get<double>() - leeway > now) {
    return Refused("it is not valid yet (\"nbf\")");
  }
  ESC_ASSIGN_OR_RETURN(const AccessPolicy policy, Policy());
  ESC_ASSIGN_OR_RETURN(Identity identity, policy.Decide(claims, grant));
  identity.organization = organization;
  return identity;
}

}  // namespace escagent::devserver
