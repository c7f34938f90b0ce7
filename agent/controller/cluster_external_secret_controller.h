#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/controller/cluster_external_secret_sync.h"
#include "agent/controller/owned_external_secrets.h"
#include "agent/controller/work_queue.h"
#include "agent/mirror/cluster_external_secret.h"
#include "agent/store/label_selector.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "kube/api.h"
#include "kube/event_recorder.h"
#include "kube/informer.h"

namespace escagent::controller {

// Keeps an ExternalSecret in each namespace that a ClusterExternalSecret selects, for those
// ClusterExternalSecrets whose names' shards this agent holds. Acts when the object, a namespace or
// one of its ExternalSecrets changes; when nothing has changed it writes nothing.
//
// Unlike ESO it adds no finalizers, to namespaces neither: owner references remove what is left
// over although no agent may be there. ESO's own is taken off objects that are being deleted.
//
// Thread-safe. Borrows what it is given, which must outlive it; those who call the On... functions
// must have stopped before it ends.
class ClusterExternalSecretController {
 public:
  struct Options {
    // Whether this agent looks after the object of this name.
    std::function<bool(const std::string& name)> is_mine;
    // All namespaces with their labels; nothing while they have not been read yet.
    std::function<std::optional<std::map<std::string, store::Labels>>()> namespaces;
    int workers = 2;
  };
  // Of the objects of this agent, by their condition Ready; and how many status writes there were.
  struct Stats {
    std::size_t total = 0;
    std::size_t ready = 0;
    std::size_t failed = 0;
    std::uint64_t status_writes = 0;
  };

  ClusterExternalSecretController(Options options, kube::Api& api, kube::Informers& informers,
                                  kube::EventRecorder& events, Clock& clock);
  // Cancels the work under way.
  ~ClusterExternalSecretController();
  ClusterExternalSecretController(const ClusterExternalSecretController&) = delete;
  ClusterExternalSecretController& operator=(const ClusterExternalSecretController&) = delete;

  // This agent looks after more objects than before (is_mine says which). Like OnShardLost it is
  // called one at a time.
  void OnShardGained() EXCLUDES(mutex_);
  // It looks after fewer. Returns when nothing is written any more for the others.
  void OnShardLost() EXCLUDES(mutex_);
  // A namespace is new, gone, or has other labels.
  void OnNamespaceChanged() EXCLUDES(mutex_);

  Stats GetStats() const EXCLUDES(mutex_);

 private:
  using Object = std::shared_ptr<const mirror::ClusterExternalSecret>;
  struct Tracked {
    Object object;
    bool gone = false;  // its ExternalSecrets are to be removed once more
    int failures = 0;
    Clock::TimePoint worked_at{};
  };

  void OnObject(const kube::Object& object, bool in_initial_list) EXCLUDES(mutex_);
  void OnGone(const std::string& name) EXCLUDES(mutex_);
  void OnOwnedChanged(const std::string& name) EXCLUDES(mutex_);
  void WantAll(Lane lane) EXCLUDES(mutex_);
  void Want(const std::string& name, Lane lane);

  void Work(const std::string& name, const kube::CallOptions& call) EXCLUDES(mutex_);
  void Provision(const mirror::ClusterExternalSecret& object,
                 const ClusterExternalSecretSync::Namespaces& namespaces,
                 const kube::CallOptions& call) EXCLUDES(mutex_);
  void WriteStatus(const mirror::ClusterExternalSecret& object,
                   const mirror::ProvisionOutcome& outcome, const kube::CallOptions& call)
      EXCLUDES(mutex_);
  void TellFailures(const mirror::ClusterExternalSecret& object,
                    const mirror::ProvisionOutcome& outcome);
  void Remove(const mirror::ClusterExternalSecret& object, const kube::CallOptions& call)
      EXCLUDES(mutex_);
  // Takes ESO's finalizer off an object that is being deleted.
  Status Release(const mirror::ClusterExternalSecret& object, const kube::CallOptions& call);
  // With backoff.
  void Retry(const mirror::ClusterExternalSecret& object) EXCLUDES(mutex_);

  const Options options_;
  kube::Api& api_;
  kube::Informers& informers_;
  kube::EventRecorder& events_;
  Clock& clock_;
  std::atomic<std::uint64_t> status_writes_ = 0;
  mutable Mutex mutex_;
  std::map<std::string, Tracked> objects_ GUARDED_BY(mutex_);
  // From the first shard on.
  bool started_ GUARDED_BY(mutex_) = false;
  kube::InformerHandle informer_ GUARDED_BY(mutex_);
  // Keys are the objects' names, without a namespace. Stopped before what its work uses ends.
  WorkQueue queue_;
  OwnedExternalSecrets owned_;
  ClusterExternalSecretSync sync_;
};

}  // namespace escagent::controller
