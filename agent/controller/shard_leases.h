#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "agent/controller/shard_board.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/waker.h"
#include "kube/api.h"
#include "kube/informer.h"

namespace escagent::controller {

// A shard for status pages.
struct ShardStatus {
  int shard = 0;
  std::string holder;  // empty: nobody
  bool ours = false;
  std::optional<Clock::WallTime> since;
};

// Which agent works on which names: namespaces for the mirror, environments for those who look at
// ESC for all (agent/freshness). Names fall into a fixed number of shards; each shard is a Lease
// (coordination.k8s.io/v1) that one agent holds. An agent takes the leases that are free, renews
// them, and gives some to agents that hold fewer, until the counts differ by one at most. An agent
// that dies is followed by another when its leases are over (`duration`), one that ends cleanly at
// once.
//
// An agent that cannot renew stops using a shard before anybody else could take it; Holds() is to
// be asked before each write.
//
// Thread-safe. Borrows api, informers and clock. Two threads: one for the leases, one for
// callbacks.
class ShardLeases {
 public:
  struct Options {
    std::string namespace_name;
    // Which agent this is: MakeIdentity(node name).
    std::string identity;
    // As ShardBoard::Options.
    std::string name_prefix = kMirrorLeasePrefix;
    std::string label = kShardLabel;
    int shards = 8;
    std::chrono::seconds duration{12};
    std::chrono::milliseconds renew{4000};
    // Of one call to the API server.
    std::chrono::milliseconds call_timeout{3000};
  };
  // Called one at a time, on a thread of their own, without locks held.
  struct Callbacks {
    // This agent has the shard now.
    std::function<void(int shard)> on_gained;
    // It has it no more; returns when nothing is written any more for it. Other agents wait for
    // that only when the shard is given away, not when the lease was lost.
    std::function<void(int shard)> on_lost;
  };

  ShardLeases(Options options, kube::Api& api, kube::Informers& informers, Clock& clock);
  // Ends as a crash would: others must wait for the leases to be over. See Release.
  ~ShardLeases();
  ShardLeases(const ShardLeases&) = delete;
  ShardLeases& operator=(const ShardLeases&) = delete;

  // The node's name and something random: an agent that starts anew is another one.
  static std::string MakeIdentity(std::string_view node_name);

  // Begins. Once.
  void Start(Callbacks callbacks);
  // Ends callbacks and renewals; Holds() is false from now on.
  void Stop();
  // Stop, then lets other agents have the shards at once. For who has nothing under way for them
  // any more. Blocks for the calls, each of which has its deadline; leases that cannot be written
  // are left to expire.
  void Release();

  // The same for all agents and versions.
  int ShardOf(std::string_view name) const;
  // Whether this agent may write for the shard now. Without locks.
  bool Holds(int shard) const;
  // Who holds the shard now, as far as this agent knows; empty: nobody.
  std::string HolderOf(int shard) const EXCLUDES(mutex_);
  // When this agent last saw the holder change the shard's lease; nothing without a lease.
  std::optional<Clock::TimePoint> SeenAt(int shard) const EXCLUDES(mutex_);
  bool HoldsNamespace(std::string_view namespace_name) const {
    return Holds(ShardOf(namespace_name));
  }

  std::vector<ShardStatus> GetStatus() const EXCLUDES(mutex_);

 private:
  class Handler;

  void OnLease(const kube::Object& object) EXCLUDES(mutex_);
  void OnLeaseGone(const kube::ObjectKey& key) EXCLUDES(mutex_);
  void OnListed() EXCLUDES(mutex_);

  void RunLeases(const std::stop_token& stop) EXCLUDES(mutex_);
  // Makes one write and notes how it went.
  void Execute(const ShardBoard::Action& action, const std::stop_token& stop) EXCLUDES(mutex_);
  Result<kube::Object> Write(const ShardBoard::Action& action, const std::stop_token& stop);
  // Reads the lease after a conflict.
  void Reread(const ShardBoard::Action& action, const std::stop_token& stop) EXCLUDES(mutex_);
  // Makes what the board says visible to Holds and to callbacks.
  void Publish() REQUIRES(mutex_);
  void RunCallbacks() EXCLUDES(mutex_);
  void GiveBack(kube::Lease lease);

  const Options options_;
  kube::Api& api_;
  kube::Informers& informers_;
  Clock& clock_;
  Callbacks callbacks_;
  // For each shard until when it may be used, as a count of Clock::TimePoint; 0: it may not.
  std::vector<std::atomic<Clock::TimePoint::rep>> usable_until_;

  mutable Mutex mutex_;
  CondVar events_changed_;
  ShardBoard board_ GUARDED_BY(mutex_);
  std::deque<ShardBoard::Event> events_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  Waker waker_;
  kube::InformerHandle informer_;
  std::jthread lease_thread_;
  std::jthread callback_thread_;
};

}  // namespace escagent::controller
