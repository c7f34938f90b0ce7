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
    // When nothing could be written for so long, others should not rely on this agent.
    std::chrono::milliseconds patience{20000};
  };
  // Which environments should ask again, each at some moment `within` from now.
  using OnNews = std::function<void(const std::vector<cache::EnvironmentKey>& keys,
                                    std::chrono::milliseconds within)>;
  // Nothing can be written for `patience`: this object should be destroyed, which lets others have
  // the shards. Called once, on its own thread: not to be destroyed by the callback.
  using OnBroken = std::function<void()>;

  struct Stats {
    int shards_held = 0;
    int shards_followed = 0;   // whose holder, another agent, vouches for what it has told
    int probed_targets = 0;    // of the shards held
    std::uint64_t probes = 0;  // HEADs in the name of all
    std::uint64_t probe_failures = 0;
    std::uint64_t writes = 0;
    std::uint64_t write_failures = 0;
    // Since the holder of a shard last gave a sign of life; of the shards followed the longest.
    std::chrono::milliseconds age{0};
  };

  ProbeSharing(Options options, SharedHeads& heads, kube::Api& api, kube::Informers& informers,
               store::KubeStoreRegistry& stores, store::ApiFactory api_factory, OnNews on_news,
               OnBroken on_broken, Clock& clock);
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
  void OnHealth(const Status& status);
  // The shards' objects are followed, or have not been for a moment only.
  bool Hears() const;
  void SetHeld(int shard, bool held) EXCLUDES(mutex_);
  void Run(const std::stop_token& stop) EXCLUDES(mutex_);
  // Starts what is due; returns when there is more.
  Clock::TimePoint AskDue() EXCLUDES(mutex_);
  void Ask(int shard, const SharedTarget& target, const std::stop_token& stop) EXCLUDES(mutex_);
  Result<esc::EnvironmentHead> Head(const SharedTarget& target, const std::stop_token& stop);
  // Everything that is to be written now.
  std::map<int, ProbeDuty::Writes> CollectWrites() EXCLUDES(mutex_);
  void Write(int shard, const ProbeDuty::Writes& writes, const std::stop_token& stop);
  Result<kube::Object> Send(int shard, const ProbeDuty::Writes& writes,
                            const std::stop_token& stop);
  // Only on thread_.
  void NoteFailure(int shard, const Error& error);
  void TellIfFull();

  const Options options_;
  SharedHeads& heads_;
  kube::Api& api_;
  store::KubeStoreRegistry& stores_;
  const store::ApiFactory api_factory_;
  const OnNews on_news_;
  const OnBroken on_broken_;
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
  std::atomic<std::uint64_t> write_failures_ = 0;
  // Since when the objects cannot be followed, as a count of Clock::TimePoint; 0: they can.
  std::atomic<Clock::TimePoint::rep> deaf_since_ = 0;
  // Of thread_.
  std::optional<Clock::TimePoint> failing_since_;
  bool broken_ = false;
  bool full_ = false;
  Waker waker_;
  kube::InformerHandle informer_;
  cache::WorkerPool pool_;
  std::jthread thread_;
};

}  // namespace escagent::freshness
