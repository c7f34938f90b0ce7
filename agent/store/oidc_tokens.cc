#include "agent/store/oidc_tokens.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "agent/identity/service_account_subject.h"

namespace escagent::store {

Status OidcTokens::Complete(const OidcConfig& config, ResolvedStore& resolved) const {
  const bool from_file = !config.token_file.empty();
  if (tokens_ == nullptr || (!from_file && api_ == nullptr)) {
    return FailedPrecondition(resolved.name +
                              ": auth.oidcConfig cannot be used here; use auth.accessToken");
  }
  std::vector<std::string> audiences = {esc::AudienceOf(config.organization)};
  for (const std::string& audience : config.audiences) {
    if (std::ranges::find(audiences, audience) == audiences.end()) audiences.push_back(audience);
  }
  identity::IdentityKey key{.api_url = resolved.api_url,
                            .grant = {.organization = config.organization},
                            .subject = "file " + config.token_file};
  if (!from_file) {
    key.subject = "service account " + config.namespace_name + "/" + config.service_account;
    for (const std::string& audience : audiences) key.subject += " " + audience;
  }
  std::shared_ptr<identity::RenewedToken> token = tokens_->Find(
      key,
      [&]() -> std::shared_ptr<identity::SubjectSource> {
        if (from_file) return std::make_shared<identity::FileSubject>(config.token_file);
        return std::make_shared<identity::ServiceAccountSubject>(
            *api_, kube::ObjectKey{config.namespace_name, config.service_account}, audiences,
            config.lifetime);
      },
      config.lifetime);
  resolved.identity = key.Digest();
  resolved.tokens = std::move(token);
  return {};
}

}  // namespace escagent::store
