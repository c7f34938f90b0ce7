#pragma once

#include <chrono>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "kube/lease.h"

namespace escagent::controller {

// Set by an agent on a lease of another one that holds more shards than itself: its identity.
inline constexpr char kWantedByAnnotation[] = "esc-agent.io/wanted-by";
// On every lease of a shard of the mirror: the shard's number.
inline constexpr char kShardLabel[] = "esc-agent.io/shard";
inline constexpr char kMirrorLeasePrefix[] = "esc-agent-mirror-";

// What one agent knows of the shards' leases, and what it should do next: the rules of ShardLeases,
// without threads and calls. Not thread-safe.
//
// A lease of another agent is over when nothing in it has changed for its duration by this agent's
// own clock; clocks of different nodes are never compared. This agent's own lease may be used until
// `kMargin` before others could see it that way: they see a renewal when it has been written or
// later, and its time is counted from before it was sent.
class ShardBoard {
 public:
  using Time = Clock::TimePoint;

  static constexpr std::chrono::seconds kMargin{2};
  // How long between two moves, or two requests for one.
  static constexpr std::chrono::seconds kMoveInterval{5};
  // How long a request for a shard counts.
  static constexpr std::chrono::seconds kWantedFor{10};

  struct Options {
    std::string namespace_name;
    std::string identity;
    // Leases are called this and a number, and carry the shard's number as this label.
    std::string name_prefix = kMirrorLeasePrefix;
    std::string label = kShardLabel;
    int shards = 8;
    std::chrono::seconds duration{12};
    std::chrono::milliseconds renew{4000};
  };

  enum class Kind { kCreate, kTake, kRenew, kHandOver, kAsk };
  // One write to be made: the lease as it should be (kAsk: the lease whose holder is asked).
  struct Action {
    Kind kind = Kind::kTake;
    int shard = 0;
    kube::Lease lease;
  };
  // What whoever works on shards is to be told: `held`, begin; else stop, then call Drained.
  struct Event {
    int shard = 0;
    bool held = false;
  };

  ShardBoard(Options options, std::uint_fast32_t seed);

  // "esc-agent-mirror-3".
  std::string LeaseName(int shard) const;
  // Nothing when it is not the name of a shard's lease.
  std::optional<int> ShardOfLease(std::string_view name) const;

  // All leases that were there have been observed: others are missing.
  void NoteListed() { listed_ = true; }
  // A lease as the watch shows it, perhaps older than what has been written since.
  void Observe(int shard, kube::Lease lease, Time now);
  // The same as the API server itself says now, after a conflict.
  void ObserveNewest(int shard, kube::Lease lease, Time now);
  void ObserveGone(int shard, Time now);

  // What to do now; call again until there is nothing.
  std::optional<Action> Next(Time now, Clock::WallTime wall);
  // When to ask again, if nothing is observed before.
  Time NextTime(Time now) const;
  // The outcome of an action. `asked`: the time before it was sent.
  void Succeeded(const Action& action, kube::Lease written, Time asked);
  void Failed(const Action& action, Code code, Time now);
  // The work on a shard that was lost has ended.
  void Drained(int shard);

  std::vector<Event> TakeEvents();
  // Who holds the shard's lease, as far as this agent knows; empty when nobody does, or not any
  // more.
  std::string HolderOf(int shard, Time now) const;
  // When a change of the lease by its holder was last seen; nothing without a lease.
  std::optional<Time> SeenAt(int shard) const;
  // Until when the shard may be used; nothing when it may not.
  std::optional<Time> UsableUntil(int shard) const;
  // The leases that this agent holds on the server, for giving them back.
  std::vector<kube::Lease> Held() const;
  const std::optional<kube::Lease>& LeaseOf(int shard) const { return At(shard).lease; }

 private:
  enum class State {
    kOther,   // not ours
    kHeld,    // ours
    kGiving,  // ours until the work on it has ended, then the successor's
    kLost     // not ours, but the work on it has not ended
  };
  struct Shard {
    State state = State::kOther;
    std::optional<kube::Lease> lease;
    // When a change of the lease by its holder was last seen.
    Time seen_at{};
    // While it could be taken: since when, and how much longer than that to wait.
    std::optional<Time> free_since;
    std::chrono::milliseconds wait{0};
    Time not_before{};  // after a failure
    Time usable_until{};
    Time renew_at{};
    // Who asks for it, and since when this agent knows.
    std::string wanted_by;
    Time wanted_since{};
    std::string successor;
    bool drained = false;
  };

  Shard& At(int shard) { return shards_[static_cast<std::size_t>(shard)]; }
  const Shard& At(int shard) const { return shards_[static_cast<std::size_t>(shard)]; }
  bool IsOurs(const Shard& shard) const {
    return shard.state == State::kHeld || shard.state == State::kGiving;
  }
  // When others' hold on it is over.
  Time ExpiryOf(const Shard& shard) const;
  bool IsFree(const Shard& shard, Time now) const;
  Time TakeTime(const Shard& shard) const;
  int HeldCount() const;
  int CountOf(std::string_view holder, Time now) const;

  void NoteWanted(Shard& shard, Time now);
  void Lose(int shard);
  void Expire(Time now);
  void StartGiving(Time now);
  std::optional<Action> NextForOurs(int shard, Time now, Clock::WallTime wall);
  std::optional<Action> NextForOther(int shard, Time now, Clock::WallTime wall);
  std::optional<Action> NextAsk(Time now);
  // Who holds so many more than this agent that it should give one; empty: nobody.
  std::string Richest(Time now) const;
  kube::Lease Written(const Shard& shard, int number, const std::string& holder,
                      Clock::WallTime wall) const;

  const Options options_;
  std::minstd_rand random_;
  std::vector<Shard> shards_;
  std::vector<Event> events_;
  bool listed_ = false;
  std::optional<Time> last_move_;
  Time next_ask_{};
};

}  // namespace escagent::controller
