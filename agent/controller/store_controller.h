#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "agent/controller/shard_leases.h"
#include "agent/controller/store_validation.h"
#include "agent/controller/work_queue.h"
#include "agent/store/kube_store_registry.h"
#include "agent/store/secret_store.h"
#include "agent/store/store_object.h"
#include "agent/store/store_registry.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "kube/api.h"
#include "kube/event_recorder.h"

namespace escagent::controller {

// Writes into the status of the (Cluster)SecretStores whether they work: whether their token opens
// their environment. A store is looked at when it or its token changes, every spec.refreshInterval,
// and with backoff while it does not work. The status is written only when it differs; an event
// goes with it. Stores are shared out by their namespace, cluster stores by their name.
//
// Thread-safe. Borrows what it is given, which must outlive it; those who call the On... functions
// must have stopped before it ends.
class StoreController {
 public:
  struct Options {
    // For stores without spec.refreshInterval.
    std::chrono::milliseconds interval{std::chrono::minutes(5)};
    std::chrono::milliseconds max_backoff{30000};
    // Each may wait for one ESC at a time, as long as that Api's own deadline; so many of them for
    // the stores of one namespace.
    int workers = 4;
    int per_namespace = 2;
  };

  StoreController(Options options, kube::Api& api, store::KubeStoreRegistry& stores,
                  store::ApiFactory api_factory, const ShardLeases& leases,
                  kube::EventRecorder& events, Clock& clock);
  // Cancels the work under way.
  ~StoreController() = default;
  StoreController(const StoreController&) = delete;
  StoreController& operator=(const StoreController&) = delete;

  void OnShardGained(int shard);
  // Returns when nothing is written any more in the shard's namespaces.
  void OnShardLost(int shard);
  void OnStoreChanged(const store::StoreId& id);

 private:
  using Key = kube::ObjectKey;
  // What is remembered of a store between two looks.
  struct Memory {
    int failures = 0;
    // The status written last, while `stores_` still has the version that it was written over.
    std::string written_over;
    store::StoreStatus written;
  };

  void Work(const Key& key, Lane lane, const std::stop_token& stop) EXCLUDES(mutex_);
  StoreVerdict Validate(const store::StoreObject& store, const std::stop_token& stop);
  // False: the status could not be written.
  bool Conclude(const store::StoreObject& store, const StoreVerdict& verdict, Lane lane,
                const std::stop_token& stop) EXCLUDES(mutex_);
  void TellEvent(const store::StoreObject& store, const store::StoreStatus& before,
                 const store::StoreStatus& next);
  store::StoreStatus StatusOf(const store::StoreObject& store) EXCLUDES(mutex_);
  // Notes how the look ended, and when the next one is.
  void Schedule(const Key& key, const store::StoreObject& store, const StoreVerdict& verdict,
                bool written) EXCLUDES(mutex_);

  const Options options_;
  kube::Api& api_;
  store::KubeStoreRegistry& stores_;
  const store::ApiFactory api_factory_;
  const ShardLeases& leases_;
  kube::EventRecorder& events_;
  Clock& clock_;
  Mutex mutex_;
  std::map<Key, Memory> memories_ GUARDED_BY(mutex_);
  // Last: its work uses the rest.
  WorkQueue queue_;
};

}  // namespace escagent::controller
