#include "agent/identity/pod_subject.h"

namespace escagent::identity {

void PodSubject::Offer(const ServiceAccountToken& token) {
  MutexLock lock(mutex_);
  const bool newer =
      jwt_.Empty() || !token.expires_at || (expires_at_ && *expires_at_ <= *token.expires_at);
  if (!newer) return;
  jwt_ = token.jwt.Clone();
  expires_at_ = token.expires_at;
}

Result<Secret> PodSubject::Get(const std::stop_token& /*stop*/) {
  MutexLock lock(mutex_);
  if (jwt_.Empty()) {
    return Unavailable(
        "no token of the pod's service account is known yet; kubelet sends one within two minutes "
        "when the CSIDriver has requiresRepublish: true");
  }
  if (expires_at_ && *expires_at_ <= clock_.WallNow()) {
    return Unavailable(
        "the token of the pod's service account has expired and kubelet has sent no other; does "
        "the CSIDriver have requiresRepublish: true?");
  }
  return jwt_.Clone();
}

}  // namespace escagent::identity
