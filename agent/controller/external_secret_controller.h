#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/cache/environment_cache.h"
#include "agent/controller/environment_hub.h"
#include "agent/controller/external_secret_sync.h"
#include "agent/controller/external_secret_table.h"
#include "agent/controller/secret_watch.h"
#include "agent/controller/shard_leases.h"
#include "agent/controller/work_queue.h"
#include "agent/mirror/value_text.h"
#include "agent/store/kube_store_registry.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "kube/api.h"
#include "kube/event_recorder.h"
#include "kube/informer.h"

namespace escagent::controller {

// Keeps the Secrets of the ExternalSecrets up to date, in the namespaces whose shards this agent
// holds. An object is synchronised when it, one of its stores, an environment it uses, or its
// Secret changes, and not otherwise: an idle one costs nothing. What failed is tried again with
// backoff, at the latest after its refresh interval or 30 s.
//
// Thread-safe. Borrows what it is given, which must outlive it; those who call the On... functions
// must have stopped before it ends.
class ExternalSecretController {
 public:
  struct Options {
    mirror::Compat compat;
    int workers = 8;
    // Before the changed data of an existing Secret is written; may add annotations to it.
    std::function<void(const kube::ObjectKey& secret, kube::Object& body)> before_change{};
    // After it was written.
    std::function<void(const kube::ObjectKey& secret)> after_change{};
    // A mirrored Secret is there that before_change has marked (kRestartPendingAnnotation).
    std::function<void(const kube::ObjectKey& secret)> on_marked{};
  };
  // Counters since the start, and what is there now in the namespaces of this agent.
  struct Stats {
    std::uint64_t syncs = 0;
    std::uint64_t failures = 0;
    std::uint64_t secret_writes = 0;
    std::uint64_t status_writes = 0;
    std::size_t waiting = 0;
    ExternalSecretTable::Counts objects;
  };

  ExternalSecretController(Options options, kube::Api& api, kube::Informers& informers,
                           store::KubeStoreRegistry& stores, store::ApiFactory api_factory,
                           cache::EnvironmentCache& cache, const ShardLeases& leases,
                           kube::EventRecorder& events, Clock& clock);
  // Cancels the work under way.
  ~ExternalSecretController();
  ExternalSecretController(const ExternalSecretController&) = delete;
  ExternalSecretController& operator=(const ExternalSecretController&) = delete;

  void OnShardGained(int shard) EXCLUDES(mutex_);
  // Returns when nothing is written any more in the shard's namespaces.
  void OnShardLost(int shard) EXCLUDES(mutex_);
  void OnStoreChanged(const store::StoreId& store);
  // The namespace's labels changed.
  void OnNamespaceChanged(const std::string& namespace_name);

  Stats GetStats() const;

 private:
  using Key = kube::ObjectKey;

  void OnObject(const kube::Object& object, bool in_initial_list);
  void OnGone(const Key& key);
  void OnSecret(const Key& secret, const std::string& version, const std::string& created_by);
  void Want(const std::vector<Key>& keys, Lane lane);
  void WantAt(const Key& key, Clock::TimePoint due);

  void Work(const Key& key, Lane lane, const std::stop_token& stop);
  void Conclude(const Key& key, const TrackedSecret& tracked, const SyncResult& result,
                kube::Priority priority, const std::stop_token& stop);
  void TellEvents(const mirror::ExternalSecret& object, const SyncResult& result);
  void WriteStatus(const Key& key, const mirror::ExternalSecret& object,
                   const mirror::SyncOutcome& outcome, kube::Priority priority,
                   const std::stop_token& stop);
  // Takes ESO's finalizer off an object that is being deleted: nothing of ours waits for it.
  void Release(const Key& key, const mirror::ExternalSecret& object, kube::Priority priority,
               const std::stop_token& stop);
  void Collect(const Key& key, const mirror::ExternalSecret& object, kube::Priority priority,
               const std::stop_token& stop);

  const Options options_;
  kube::Api& api_;
  kube::Informers& informers_;
  const ShardLeases& leases_;
  kube::EventRecorder& events_;
  Clock& clock_;

  ExternalSecretTable table_;
  std::atomic<std::uint64_t> syncs_ = 0;
  std::atomic<std::uint64_t> failures_ = 0;
  std::atomic<std::uint64_t> secret_writes_ = 0;
  std::atomic<std::uint64_t> status_writes_ = 0;

  // Stopped before what its work uses ends, and there as long as somebody may add to it.
  WorkQueue queue_;
  SecretWatch watch_;
  EnvironmentHub hub_;
  ExternalSecretSync sync_;
  Mutex mutex_;
  // From the first shard on.
  kube::InformerHandle informer_ GUARDED_BY(mutex_);
};

}  // namespace escagent::controller
