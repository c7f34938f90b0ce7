#pragma once

#include "agent/identity/pod_identities.h"
#include "agent/volume/volume_identity.h"
#include "agent/volume/volume_source.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"

namespace escagent::volume {

// Where the values of volumes with `auth: pod` come from: their environment, opened with the pod's
// own identity. Borrows what it is given; thread-safe.
class PodSources {
 public:
  // `pods` may be null: such volumes are refused then.
  PodSources(identity::PodIdentities* pods, const SourceFinder& sources)
      : pods_(pods), sources_(sources) {}

  // For a publish; see PodIdentities::Admit. `tokens`: PublishRequest::service_account_tokens.
  Result<VolumeSource> Admit(const VolumeIdentity& identity, const Secret& tokens,
                             Clock::TimePoint asked_at) const;
  // For a republish; asks nobody.
  Result<VolumeSource> Renew(const VolumeIdentity& identity, const Secret& tokens) const;

 private:
  VolumeSource Make(const VolumeIdentity& identity,
                    std::shared_ptr<identity::RenewedToken> token) const;

  identity::PodIdentities* const pods_;
  const SourceFinder& sources_;
};

}  // namespace escagent::volume
