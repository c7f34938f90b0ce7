#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "agent/freshness/shared_target.h"
#include "base/clock.h"
#include "base/result.h"
#include "esc/api.h"

namespace escagent::freshness {

// The work of the agent that holds a shard of targets: whom to ask ESC for and when, and what to
// write into the shard's object. Without threads and calls; not thread-safe.
//
// Each registered target is asked for once an interval. A failure is asked again after 2 s, told
// when it fails again, and asked for a little more often; when one target of a backend is answered
// again, so are the others within a second. Answers are written when they change, so that nothing
// is written while nothing happens; targets that nobody has wanted for `drop_after`, by this
// agent's own clock, are taken out.
class ProbeDuty {
 public:
  using Time = Clock::TimePoint;

  struct Options {
    std::string identity;  // of this agent, as in the lease
    std::chrono::milliseconds interval{10000};
    std::chrono::hours drop_after{3};
  };

  ProbeDuty(Options options, std::uint_fast32_t seed);

  // What the shard's object says now.
  void Observe(const ShardData& data, Time now);
  // The targets to ask ESC for now. Each answer goes to Answered.
  std::vector<SharedTarget> TakeDue(Time now);
  void Answered(const SharedTarget& target, const Result<esc::EnvironmentHead>& head, Time now);
  int size() const { return static_cast<int>(targets_.size()); }
  // When TakeDue has something next.
  Time NextTime() const;

  // What to write into the object's data: texts, or nothing to take a key out. Empty: nothing. What
  // is written comes back with Observe.
  using Writes = std::map<std::string, std::optional<std::string>>;
  Writes PendingWrites(Time now) const;

 private:
  struct Target {
    SharedTarget target;
    Time due{};
    bool asking = false;
    int failures = 0;
    std::optional<SharedAnswer> answer;
    // What the shard's object says.
    std::optional<SharedAnswer> told;
    Clock::WallTime seen{};
    Time seen_at{};  // when this agent has learned of `seen`
  };

  // ESC is back: who waits for it need not wait for its turn.
  void AskFailing(const std::string& backend, Time now);
  std::chrono::milliseconds Soon();

  const Options options_;
  std::minstd_rand random_;
  std::map<std::string, Target> targets_;
  std::string holder_;
  // Keys of the object that belong to no target.
  std::vector<std::string> useless_;
};

}  // namespace escagent::freshness
