#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "agent/cache/environment_key.h"
#include "agent/cache/probe_table.h"
#include "agent/freshness/shared_target.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace escagent::freshness {

// What this agent knows from the others, for its cache; and what it wants to know. For each shard
// of targets one agent, who holds the shard's lease, asks ESC in the name of all (ProbeDuty).
//
// An answer counts while the shard's lease is alive, its holder vouches for the answers, and the
// target is registered. When it does not count, or ESC denies the answer to the store's token, the
// agent asks by itself. Only environments of stores from the API server are shared: others' tokens
// are this node's business (NoteStore is not called for them).
//
// While the holder gets no answer from ESC the others do not ask in its place, but for one HEAD
// each in `canary` seconds. When that is answered, and `confirm` later the holder still gets none
// but this agent does, ESC is there, and the agent asks by itself for a minute.
//
// Thread-safe. Borrows the clock.
class SharedHeads final : public cache::HeadSource {
 public:
  // Called with this object's lock held: quick, and does not call back.
  using HolderOf = std::function<std::string(int shard)>;

  struct Options {
    int shards = kProbeShards;
    std::chrono::milliseconds canary{30000};
    std::chrono::milliseconds confirm{12000};
    // How long a registration is good for before somebody has to say that it is still wanted.
    std::chrono::milliseconds renew_after{std::chrono::hours(1)};
  };

  struct Stats {
    int targets = 0;   // that this agent is interested in
    int shared = 0;    // of which others' answers count now
    int left_out = 0;  // for which the shard's object has no room: this agent asks by itself
  };

  // A target's answer changed: who depends on it should ask again. `recovered`: ESC is back, there
  // is no hurry.
  struct News {
    std::vector<cache::EnvironmentKey> keys;
    bool recovered = false;
  };

  SharedHeads(Options options, Clock& clock, std::uint_fast32_t seed);

  // Who holds a shard's lease now. Without it nobody's answers count. When this returns the
  // function that was set before is not running.
  void FollowLeases(HolderOf holder_of) EXCLUDES(mutex_);
  // The identity at this backend is the token of the store, which every agent could read.
  void NoteStore(const std::string& backend, const std::string& identity, const std::string& store)
      EXCLUDES(mutex_);

  std::optional<Known> Find(const cache::EnvironmentKey& key) override EXCLUDES(mutex_);
  void Asked(const cache::EnvironmentKey& key, bool answered) override EXCLUDES(mutex_);

  // The shard's object as it is now.
  std::vector<News> Observe(int shard, const ShardData& data) EXCLUDES(mutex_);
  // What to write into the shards' objects now, as somebody here wants to know. Not more than has
  // room there.
  std::map<int, std::vector<SharedTarget>> TakeRegistrations() EXCLUDES(mutex_);
  // When to look for registrations again.
  Clock::TimePoint NextRegistration() const EXCLUDES(mutex_);
  Stats GetStats() const EXCLUDES(mutex_);
  // The holder of the shard's lease vouches for what the object says.
  bool Follows(int shard) const EXCLUDES(mutex_);

 private:
  struct Interest {
    SharedTarget target;
    std::set<cache::EnvironmentKey> keys;
    Clock::TimePoint wanted_at{};
    Clock::TimePoint register_at = Clock::TimePoint::max();
    bool left_out = false;
  };
  // What the shard's object says of a target, and since when this agent knows. The texts are read
  // when they change: most do not when the object does.
  struct Registered {
    std::string text;
    Registration registration;
    Clock::TimePoint since{};
  };
  struct Received {
    std::string text;
    SharedAnswer answer;
    Clock::TimePoint since{};
  };
  struct Shard {
    std::string holder;
    std::size_t bytes = 0;
    std::map<std::string, Registered> registrations;
    std::map<std::string, Received> answers;
  };
  struct Backend {
    Clock::TimePoint next_canary{};
    // Since when this agent is answered while the holder is not.
    std::optional<Clock::TimePoint> answered_since;
    Clock::TimePoint ask_ourselves_until{};
  };

  void Want(const SharedTarget& target, const std::string& id, const cache::EnvironmentKey& key)
      REQUIRES(mutex_);
  // Whether somebody has lately said that the target is wanted.
  bool IsRegistered(const SharedTarget& target, const std::string& id) const REQUIRES(mutex_);
  // Notes an answer, and adds what is new in it.
  void Receive(Shard& before, Shard& shard, const std::string& id, const std::string& text,
               std::vector<News>& news) REQUIRES(mutex_);
  std::optional<Known> Judge(const SharedTarget& target, const Received& received) REQUIRES(mutex_);
  bool IsVouchedFor(int shard) const REQUIRES(mutex_);
  // Null when it does not count.
  const Received* Trusted(const SharedTarget& target, const std::string& id) const REQUIRES(mutex_);
  Clock::TimePoint Soon(std::chrono::milliseconds within) REQUIRES(mutex_);

  const Options options_;
  Clock& clock_;
  mutable Mutex mutex_;
  HolderOf holder_of_ GUARDED_BY(mutex_);
  std::vector<Shard> shards_ GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::string>, std::string> stores_ GUARDED_BY(mutex_);
  std::map<std::string, Interest> interests_ GUARDED_BY(mutex_);
  std::map<std::string, Backend> backends_ GUARDED_BY(mutex_);
  std::minstd_rand random_ GUARDED_BY(mutex_);
};

}  // namespace escagent::freshness
