#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/controller/push_secret_sync.h"
#include "agent/controller/shard_leases.h"
#include "agent/controller/source_watch.h"
#include "agent/controller/work_queue.h"
#include "agent/mirror/push_secret.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "kube/api.h"
#include "kube/event_recorder.h"
#include "kube/informer.h"

namespace escagent::controller {

// Pushes Secrets into ESC for the PushSecrets of the namespaces whose shards this agent holds: when
// the object, its source Secret or one of its stores changes, and every refresh interval, in case
// the definition was changed. What failed is tried again with backoff.
//
// Thread-safe. Borrows what it is given, which must outlive it; those who call the On... functions
// must have stopped before it ends.
class PushSecretController {
 public:
  struct Stats {
    std::size_t total = 0;  // in this agent's namespaces
    std::size_t failed = 0;
    std::uint64_t updates = 0;  // of definitions, since the start
  };

  PushSecretController(kube::Api& api, kube::Informers& informers, store::KubeStoreRegistry& stores,
                       store::ApiFactory api_factory, const ShardLeases& leases,
                       kube::EventRecorder& events, Clock& clock);
  // Cancels the work under way.
  ~PushSecretController();
  PushSecretController(const PushSecretController&) = delete;
  PushSecretController& operator=(const PushSecretController&) = delete;

  void OnShardGained(int shard) EXCLUDES(mutex_);
  // Returns when nothing is written any more for the shard's namespaces.
  void OnShardLost(int shard) EXCLUDES(mutex_);
  void OnStoreChanged() EXCLUDES(mutex_);

  Stats GetStats() const EXCLUDES(mutex_);

 private:
  using Key = kube::ObjectKey;
  using Object = std::shared_ptr<const mirror::PushSecret>;
  struct Tracked {
    Object object;
    // What the environments had after the last push. Used by the work on this object only.
    std::shared_ptr<PushMemory> memory = std::make_shared<PushMemory>();
    int failures = 0;
  };

  void OnObject(const kube::Object& object, bool in_initial_list) EXCLUDES(mutex_);
  void OnGone(const Key& key) EXCLUDES(mutex_);
  std::vector<Key> Keys() const EXCLUDES(mutex_);
  void Want(const Key& key, Lane lane);
  std::optional<Tracked> Find(const Key& key) const EXCLUDES(mutex_);
  // Takes the newest version of an object in, that a write has given.
  void Take(const kube::Object& object) EXCLUDES(mutex_);

  void Work(const Key& key, const kube::CallOptions& call) EXCLUDES(mutex_);
  // Removes what was pushed, then takes the finalizers off.
  void Finalize(const Key& key, const Tracked& tracked, const kube::CallOptions& call);
  // Puts our finalizer on, or takes it off, as the deletionPolicy wants. False: not yet.
  bool FixFinalizer(const Key& key, const mirror::PushSecret& push, bool wanted,
                    const kube::CallOptions& call);
  void Conclude(const Key& key, const Tracked& tracked, const PushResult& result,
                const kube::CallOptions& call) EXCLUDES(mutex_);
  bool WriteStatus(const Key& key, const mirror::PushSecret& push,
                   const mirror::PushOutcome& outcome, const kube::CallOptions& call);
  static SourceWatch::Source SourceOf(const mirror::PushSecret& push);

  kube::Api& api_;
  kube::Informers& informers_;
  const ShardLeases& leases_;
  kube::EventRecorder& events_;
  Clock& clock_;
  std::atomic<std::uint64_t> updates_ = 0;
  mutable Mutex mutex_;
  std::map<Key, Tracked> objects_ GUARDED_BY(mutex_);
  bool started_ GUARDED_BY(mutex_) = false;
  // From the first shard on.
  kube::InformerHandle informer_ GUARDED_BY(mutex_);
  // Stopped before what its work uses ends.
  WorkQueue queue_;
  SourceWatch sources_;
  PushSecretSync sync_;
};

}  // namespace escagent::controller
