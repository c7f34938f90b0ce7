#include "agent/identity/service_account_token.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/json_fields.h"
#include "base/strings.h"

namespace escagent::identity {
namespace {

using nlohmann::json;

constexpr std::string_view kSubjectPrefix = "system:serviceaccount:";

// RFC 7515: base64url without padding, as plain base64.
std::optional<Secret> DecodeBase64Url(std::string_view text) {
  std::string plain(text);
  for (char& c : plain) {
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  while (plain.size() % 4 != 0) plain += '=';
  std::optional<Secret> decoded = DecodeBase64(plain);
  WipeString(plain);
  return decoded;
}

// The namespace and name in the claim "sub".
void ReadSubject(const std::string& subject, ServiceAccountToken& token) {
  if (!subject.starts_with(kSubjectPrefix)) return;
  const std::string_view rest = std::string_view(subject).substr(kSubjectPrefix.size());
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos) return;
  token.namespace_name = rest.substr(0, colon);
  token.service_account = rest.substr(colon + 1);
}

std::unexpected<Error> NoToken(const std::string& audience) {
  return FailedPrecondition(
      "volumeAttributes: auth: pod: kubelet sent no service-account token with the audience " +
      audience + "; add {audience: \"" + audience +
      "\", expirationSeconds: 3600} to spec.tokenRequests of the CSIDriver object "
      "(chart: csiDriver.tokenRequests), and keep requiresRepublish: true there");
}

}  // namespace

Result<ServiceAccountToken> DecodeServiceAccountToken(Secret jwt) {
  constexpr const char* kWhat = "read a service account's token: ";
  const std::vector<std::string_view> parts = Split(jwt.Reveal(), '.');
  if (parts.size() != 3) return FailedPrecondition(kWhat + std::string("it is no JSON Web Token"));
  const std::optional<Secret> payload = DecodeBase64Url(parts[1]);
  if (!payload) return FailedPrecondition(kWhat + std::string("its claims are not base64url"));
  Result<json> claims = ParseJson(payload->Reveal(), "claims");
  if (!claims || !claims->is_object()) {
    return FailedPrecondition(kWhat + std::string("its claims are no JSON object"));
  }
  ServiceAccountToken token;
  token.issuer = StringMember(*claims, "iss");
  ReadSubject(StringMember(*claims, "sub"), token);
  const json& kubernetes = Member(*claims, "kubernetes.io");
  if (kubernetes.is_object()) {
    const json& account = Member(kubernetes, "serviceaccount");
    token.namespace_name = StringMember(kubernetes, "namespace");
    token.service_account = StringMember(account, "name");
    token.service_account_uid = StringMember(account, "uid");
  }
  if (const json& expires = Member(*claims, "exp"); expires.is_number()) {
    // Times that no clock shows would overflow.
    constexpr double kLatest = 9e9;
    const double seconds = expires.get<double>();
    if (seconds > 0 && seconds < kLatest) {
      token.expires_at = Clock::WallTime(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
    }
  }
  Scrub(*claims);
  if (token.namespace_name.empty() || token.service_account.empty()) {
    return FailedPrecondition(kWhat + std::string("it is not of a service account"));
  }
  token.jwt = std::move(jwt);
  return token;
}

Result<ServiceAccountToken> FindServiceAccountToken(const Secret& tokens,
                                                    const std::string& audience) {
  if (tokens.Empty()) return NoToken(audience);
  Result<json> document = ParseJson(tokens.Reveal(), "service-account tokens");
  if (!document) {
    return FailedPrecondition("volumeAttributes: auth: pod: " + document.error().message);
  }
  const json& text = Member(Member(*document, audience), "token");
  Secret jwt;
  if (text.is_string()) jwt = Secret(std::string_view(text.get_ref<const std::string&>()));
  Scrub(*document);
  if (jwt.Empty()) return NoToken(audience);
  return DecodeServiceAccountToken(std::move(jwt));
}

}  // namespace escagent::identity
