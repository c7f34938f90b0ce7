#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include "agent/cache/definition_facts.h"
#include "agent/cache/environment_key.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "esc/api.h"

namespace escagent::cache {

// What others have found out about targets, so that this agent need not ask ESC.
class HeadSource {
 public:
  virtual ~HeadSource() = default;
  struct Known {
    // What HEAD says, or why nobody can be asked.
    Result<esc::EnvironmentHead> head;
    // Since when this agent has known that.
    Clock::TimePoint since{};
  };
  // Nothing when this agent has to ask by itself. Also notes that somebody here wants to know. Does
  // not block; any thread.
  virtual std::optional<Known> Find(const EnvironmentKey& target) = 0;
  // This agent has asked ESC; whether there was an answer, whatever it says.
  virtual void Asked(const EnvironmentKey& target, bool answered) = 0;
};

// A definition that has been read.
struct ReadDefinition {
  esc::EnvironmentHead head;  // as HEAD of the same ref gives it
  DefinitionFacts facts;
};

// What HEAD said of each target and what its definition says, for all environments: an import that
// many have is asked for once an interval and read once a revision, not once for each importer.
//
// Of concurrent calls for one target one goes to ESC; the others wait for its answer. Failures are
// not kept, but for NOT_FOUND, which is an answer. Targets that nobody asked for in two hours are
// forgotten.
//
// Thread-safe; no lock is held during calls. Borrows the clock and `source`.
class ProbeTable {
 public:
  // Called when the target's head is another one than before, on the thread that found out, without
  // locks held.
  using Listener = std::function<void(const EnvironmentKey& target)>;

  struct Stats {
    std::uint64_t calls = 0;  // HEADs that went to ESC
    std::uint64_t failures = 0;
    std::uint64_t kept = 0;    // answered by what an earlier HEAD said
    std::uint64_t shared = 0;  // answered by `source`
    std::uint64_t definitions = 0;
  };

  ProbeTable(Clock& clock, HeadSource* source, Listener on_change)
      : clock_(clock), source_(source), on_change_(std::move(on_change)) {}
  ProbeTable(const ProbeTable&) = delete;
  ProbeTable& operator=(const ProbeTable&) = delete;

  // The target's head, asked for after `not_before`; or what `source` knows, unless ESC has told
  // this agent something else since, or `not_before` is now (then ESC is asked for certain), or not
  // `accept_shared`.
  Result<esc::EnvironmentHead> Head(esc::Api& api, const EnvironmentKey& target,
                                    Clock::TimePoint not_before, const std::stop_token& stop,
                                    bool accept_shared = true) EXCLUDES(mutex_);

  // The target's definition, read anew only when a HEAD has told of another one since.
  Result<std::shared_ptr<const ReadDefinition>> Definition(esc::Api& api,
                                                           const EnvironmentKey& target,
                                                           const std::stop_token& stop)
      EXCLUDES(mutex_);

  Stats GetStats() const;

 private:
  struct Entry {
    bool asking = false;
    std::uint64_t asked = 0;  // calls that have ended
    // What the last call said, for those who waited for it.
    std::optional<Result<esc::EnvironmentHead>> last;
    std::optional<Result<esc::EnvironmentHead>> answer;
    Clock::TimePoint asked_at{};
    Clock::TimePoint used_at{};
    std::shared_ptr<const ReadDefinition> definition;
  };

  std::optional<Result<esc::EnvironmentHead>> Shared(const EnvironmentKey& target) EXCLUDES(mutex_);
  Entry& Use(const EnvironmentKey& target) REQUIRES(mutex_);
  // What need not be asked again; or, after the wait for a call of another thread, its failure.
  // Returns nothing when it is this thread's turn to ask.
  std::optional<Result<esc::EnvironmentHead>> Known(const EnvironmentKey& target,
                                                    Clock::TimePoint not_before,
                                                    const std::stop_token& stop) REQUIRES(mutex_);
  // Notes an answer; whether it is news.
  static bool Keep(Entry& entry, const Result<esc::EnvironmentHead>& answer,
                   Clock::TimePoint asked_at);
  void Forget() REQUIRES(mutex_);

  Clock& clock_;
  HeadSource* const source_;
  const Listener on_change_;
  mutable Mutex mutex_;
  CondVar answered_;
  std::map<EnvironmentKey, Entry> entries_ GUARDED_BY(mutex_);
  std::size_t forget_above_ GUARDED_BY(mutex_) = 256;
  Stats stats_ GUARDED_BY(mutex_);
};

}  // namespace escagent::cache
