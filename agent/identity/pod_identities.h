#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "agent/cache/worker_pool.h"
#include "agent/identity/identity_key.h"
#include "agent/identity/renewed_token.h"
#include "agent/identity/service_account_token.h"
#include "agent/identity/token_cache.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/secret.h"

namespace escagent::identity {

// A pod's volume that opens an environment as the pod, and what kubelet says about the pod.
struct PodRequest {
  std::string volume_id;
  std::string namespace_name;
  std::string service_account;
  esc::TokenGrant grant;
  // csi.storage.k8s.io/serviceAccount.tokens; borrowed for the call.
  const Secret& tokens;
};

// Lets pods in with their own service accounts' tokens.
//
// Each pod's own token is exchanged when its volume is published: ESC decides about this very pod.
// What it may then use is its service account's: pods of one service account (namespace, name, UID,
// issuer) share an access token and what was opened with it, other pods never do. Tokens are kept
// in memory only.
//
// Thread-safe. Borrows the cache and the clock.
class PodIdentities {
 public:
  // `api_url`: ESC, for all pods. At most `workers` exchanges for publishes at once; >= 2.
  PodIdentities(std::string api_url, TokenCache& tokens, Clock& clock, int workers = 16);
  // Cancels what is under way.
  ~PodIdentities();
  PodIdentities(const PodIdentities&) = delete;
  PodIdentities& operator=(const PodIdentities&) = delete;

  // For a publish that was asked for at `asked_at`, without waiting for ESC: UNAVAILABLE with a
  // retry_after while the pod's token is being exchanged (csi::VolumeService::Publish).
  //
  // PERMISSION_DENIED: ESC refuses this pod, whatever it thought of others. When ESC does not
  // answer, a pod of a service account that ESC has let in before gets its token all the same, and
  // any other UNAVAILABLE. FAILED_PRECONDITION: kubelet sent no token for the organization, or
  // none of this pod's.
  Result<std::shared_ptr<RenewedToken>> Admit(const PodRequest& request, Clock::TimePoint asked_at)
      EXCLUDES(mutex_);

  // For a republish: keeps the newer token for the next renewal. Asks nobody. Errors as Admit's
  // that do not come from ESC.
  Result<std::shared_ptr<RenewedToken>> Renew(const PodRequest& request);

 private:
  // The exchange for one volume's publish.
  struct Attempt {
    IdentityKey key;
    bool under_way = false;
    Clock::TimePoint ended_at{};
    std::optional<Status> outcome;
  };
  struct Known {
    IdentityKey key;
    ServiceAccountToken token;
  };

  Result<Known> Identify(const PodRequest& request) const;
  std::shared_ptr<RenewedToken> Keep(const IdentityKey& key, const ServiceAccountToken& token);
  // The outcome of an exchange that ended after `asked_at`; nothing while it is under way.
  std::optional<Status> Ask(const std::string& volume_id, const Known& known,
                            Clock::TimePoint asked_at) EXCLUDES(mutex_);
  // Ask again soon.
  Error NotYet(Clock::TimePoint asked_at) const;
  void Exchange(const std::string& volume_id, const Known& known, const std::stop_token& stop)
      EXCLUDES(mutex_);

  const std::string api_url_;
  TokenCache& tokens_;
  Clock& clock_;
  Mutex mutex_;
  std::map<std::string, Attempt> attempts_ GUARDED_BY(mutex_);  // by volume id
  // Last: its jobs use all of the above.
  cache::WorkerPool pool_;
};

}  // namespace escagent::identity
