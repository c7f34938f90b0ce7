#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "agent/cache/worker_pool.h"
#include "agent/controller/shard_leases.h"
#include "agent/freshness/probe_duty.h"
#include "agent/freshness/shared_heads.h"
#include "agent/store/kube_store_registry.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/waker.h"
#include "kube/api.h"
#include "kube/informer.h"

namespace escagent::freshness {

// Lets the agents of a cluster look at ESC once for all: follows the shards' objects and leases for
// SharedHeads, writes what this agent wants to know into them, and asks ESC for the targets of the
// shards that this agent holds, with the tokens of the stores that they name.
//
// The objects are ConfigMaps in the agents' namespace; they hold names, revisions and ETags, no
// token and no value. Written only when something changes: a target is new (or has been wanted for
// another hour), or an answer is another one.
//
// Thread-safe. Two threads, the leases' own, and up to eight that ask ESC. Borrows everything.
class ProbeSharing {
 public:
  struct Options {
    std::string namespace_name;
    std::string node_name;
    std::chrono::milliseconds interval{10000};
  };
  // Which environments should ask again, each at some moment `within` from now.
  using OnNews = std::function<void(const std::vector<cache::EnvironmentKey>& keys,
                                    std::chrono::milliseconds within)>;

  struct Stats {
    int shards_held = 0;
    int probed_targets = 0;    // of the shards held
    std::uint64_t probes = 0;  // HEADs in the name of all
    std::uint64_t probe_failures = 0;
    std::uint64_t writes = 0;
  };

  ProbeSharing(Options options, SharedHeads& heads, kube::Api& api, kube::Informers& informers,
               store::KubeStoreRegistry& stores, store::ApiFactory api_factory, OnNews on_news,
               Clock& clock);
  // Lets others have the shards at once.
  ~ProbeSharing();
  ProbeSharing(const ProbeSharing&) = delete;
  ProbeSharing& operator=(const ProbeSharing&) = delete;

  Stats GetStats() const EXCLUDES(mutex_);

 private:
  class Watcher;

  // `version`: the object's resourceVersion; empty: it is gone.
  void OnObject(const std::string& name, const std::string& version, const ShardData& data)
      EXCLUDES(mutex_);
  void SetHeld(int shard, bool held) EXCLUDES(mutex_);
  void Run(const std::stop_token& stop) EXCLUDES(mutex_);
  // Starts what is due; returns when there is more.
  Clock::TimePoint AskDue() EXCLUDES(mutex_);
  void Ask(int shard, const SharedTarget& target, const std::stop_token& stop) EXCLUDES(mutex_);
  Result<esc::EnvironmentHead> Head(const SharedTarget& target, const std::stop_token& stop);
  // Everything that is to be written now.
  std::map<int, ProbeDuty::Writes> CollectWrites() EXCLUDES(mutex_);
  void Write(int shard, const ProbeDuty::Writes& writes, const std::stop_token& stop);

  const Options options_;
  SharedHeads& heads_;
  kube::Api& api_;
  store::KubeStoreRegistry& stores_;
  const store::ApiFactory api_factory_;
  const OnNews on_news_;
  Clock& clock_;
  const std::string identity_;
  controller::ShardLeases leases_;
  mutable Mutex mutex_;
  std::map<int, ShardData> data_ GUARDED_BY(mutex_);
  std::map<int, std::string> versions_ GUARDED_BY(mutex_);
  std::map<int, ProbeDuty> duties_ GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> probes_ = 0;
  std::atomic<std::uint64_t> probe_failures_ = 0;
  std::atomic<std::uint64_t> writes_ = 0;
  Waker waker_;
  kube::InformerHandle informer_;
  cache::WorkerPool pool_;
  std::jthread thread_;
};

}  // namespace escagent::freshness
