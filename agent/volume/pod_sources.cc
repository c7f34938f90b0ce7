#include "agent/volume/pod_sources.h"

#include <memory>
#include <utility>

namespace escagent::volume {
namespace {

identity::PodRequest RequestOf(const VolumeIdentity& identity, const Secret& tokens) {
  const PodEnvironment& environment = *identity.attributes.pod_environment;
  return {.volume_id = identity.volume_id,
          .namespace_name = identity.pod.namespace_name,
          .service_account = identity.pod.service_account,
          .grant = {.organization = environment.ref.organization, .scope = environment.scope},
          .tokens = tokens};
}

}  // namespace

Result<VolumeSource> PodSources::Admit(const VolumeIdentity& identity, const Secret& tokens,
                                       Clock::TimePoint asked_at) const {
  if (pods_ == nullptr) {
    return FailedPrecondition(
        "volumeAttributes: auth: pod is not served here; use secretStore or "
        "clusterSecretStore");
  }
  ESC_ASSIGN_OR_RETURN(std::shared_ptr<identity::RenewedToken> token,
                       pods_->Admit(RequestOf(identity, tokens), asked_at));
  return Make(identity, std::move(token));
}

Result<VolumeSource> PodSources::Renew(const VolumeIdentity& identity, const Secret& tokens) const {
  if (pods_ == nullptr) return FailedPrecondition("auth: pod is not served here");
  ESC_ASSIGN_OR_RETURN(std::shared_ptr<identity::RenewedToken> token,
                       pods_->Renew(RequestOf(identity, tokens)));
  return Make(identity, std::move(token));
}

VolumeSource PodSources::Make(const VolumeIdentity& identity,
                              std::shared_ptr<identity::RenewedToken> token) const {
  store::ResolvedStore resolved;
  resolved.name = NamedSource(identity).store;
  resolved.api_url = token->key().api_url;
  resolved.ref = identity.attributes.pod_environment->ref;
  resolved.identity = token->key().Digest();
  resolved.tokens = std::move(token);
  return sources_.Make(std::move(resolved));
}

}  // namespace escagent::volume
