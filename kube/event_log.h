#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "base/clock.h"
#include "kube/event_recorder.h"

namespace escagent::kube {

// Which Events EventRecorder writes, and when: equal ones are counted together, and what an object
// may cause is limited. Not thread-safe.
class EventLog {
 public:
  static constexpr std::chrono::minutes kSameEvent{10};
  static constexpr std::chrono::minutes kWriteInterval{1};
  static constexpr double kBurst = 25;
  static constexpr std::chrono::minutes kRefill{5};
  static constexpr std::size_t kMaxWaiting = 1000;

  // What happened.
  struct Occurrence {
    ObjectReference object;
    std::string type;  // "Normal" or "Warning"
    std::string reason;
    std::string message;
  };
  // What is to be written.
  struct Write {
    Occurrence what;
    std::string name;  // of the Event that exists; empty: make one
    std::int64_t count = 0;
    Clock::WallTime first{};
    Clock::WallTime last{};
  };

  void Add(Occurrence occurrence, Clock::TimePoint now, Clock::WallTime wall);

  // What has waited longest of what may be written now.
  std::optional<Write> Next(Clock::TimePoint now);
  // Its outcome. `name`: of the Event that exists now.
  void Written(const Write& write, std::string name);
  // It is tried once more, with the next round.
  void Failed(const Write& write, Clock::TimePoint now);

  // When Next has something again; nothing while nothing waits.
  std::optional<Clock::TimePoint> NextDue() const;
  // How many events are kept to be counted further.
  std::size_t Size() const { return entries_.size(); }

 private:
  // Object, type, reason, message.
  using Key = std::tuple<std::string, std::string, std::string, std::string>;

  struct Entry {
    Occurrence what;
    std::string name;
    std::int64_t count = 0;
    Clock::WallTime first{};
    Clock::WallTime last{};
    Clock::TimePoint seen{};
    std::uint64_t wait = 0;  // its place in waiting_; 0: does not wait
    bool retried = false;
    Clock::TimePoint due{};
  };
  // The tokens that an object has left, at a time.
  struct Bucket {
    double tokens = kBurst;
    Clock::TimePoint at{};
  };

  using Entries = std::map<Key, Entry>;

  static Key KeyOf(const Occurrence& occurrence);
  bool MayWrite(const std::string& object, Clock::TimePoint now);
  void Forget(Clock::TimePoint now);
  void Wait(Entries::iterator entry);
  void EndWait(Entry& entry);

  std::uint64_t last_wait_ = 0;
  Entries entries_;
  std::map<std::uint64_t, Entries::iterator> waiting_;  // the oldest first
  std::map<std::string, Bucket> buckets_;               // by object
  std::size_t many_buckets_ = 0;                        // when to look for full ones
};

}  // namespace escagent::kube
