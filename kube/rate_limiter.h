#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <stop_token>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "kube/api.h"

namespace escagent::kube {

// Lets calls through at a rate (a token bucket) and a number of them at once. Those that wait go in
// the order of Priority, then first come, first served; every eighth goes to the one that has
// waited longest, so that no class starves. Priority::kExempt waits for nothing and uses nothing
// up.
//
// Each caller waits on its own thread, asleep on the Clock; there is no thread of its own. One of
// the sleepers, the timekeeper, wakes up when the next token is due; all others only when they are
// let through. Thread-safe; outlives its permits.
class RateLimiter {
 public:
  struct Options {
    double qps = 600;     // tokens per second, above 0
    double burst = 1200;  // the most tokens there can be, at least 1
    int max_in_flight = 16;
  };

  // A call under way; ends when destroyed. Move-only.
  class Permit {
   public:
    Permit() = default;
    explicit Permit(RateLimiter* limiter) : limiter_(limiter) {}
    Permit(Permit&& other) noexcept : limiter_(std::exchange(other.limiter_, nullptr)) {}
    Permit& operator=(Permit&& other) noexcept;
    Permit(const Permit&) = delete;
    Permit& operator=(const Permit&) = delete;
    ~Permit();

   private:
    RateLimiter* limiter_ = nullptr;  // null: exempt
  };

  RateLimiter(Options options, Clock& clock);
  RateLimiter(const RateLimiter&) = delete;
  RateLimiter& operator=(const RateLimiter&) = delete;

  // Waits until the call may go. CANCELLED when `stop` is requested first.
  Result<Permit> Acquire(Priority priority, const std::stop_token& stop) EXCLUDES(mutex_);
  // Lets nothing through (but exempt calls) for so long, at most a minute; the longest of several
  // counts.
  void HoldBack(std::chrono::milliseconds duration) EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kClasses = 3;

  struct Waiter {
    std::uint64_t arrival = 0;
    std::size_t queue = 0;
    bool admitted = false;
    std::stop_source wake;  // of its present sleep
  };
  // What a waiter does next.
  struct Turn {
    enum class Kind { kGo, kGiveUp, kSleep } kind = Kind::kSleep;
    Clock::TimePoint until;
    std::stop_source wake;
  };
  // Sleeps to end once the mutex is free.
  using Wakes = std::vector<std::stop_source>;

  void Join(Waiter& waiter, Priority priority) EXCLUDES(mutex_);
  Turn TakeTurn(Waiter& waiter, bool stopped) EXCLUDES(mutex_);
  void Leave(Waiter& waiter, Wakes& wakes) REQUIRES(mutex_);
  void Release() EXCLUDES(mutex_);
  void Refill() REQUIRES(mutex_);
  void Admit(Wakes& wakes) REQUIRES(mutex_);
  // The one to go next; null when nobody waits.
  Waiter* Next() const REQUIRES(mutex_);
  Clock::TimePoint NextToken() const REQUIRES(mutex_);

  const Options options_;
  Clock& clock_;
  Mutex mutex_;
  std::array<std::deque<Waiter*>, kClasses> queues_ GUARDED_BY(mutex_);
  Waiter* timekeeper_ GUARDED_BY(mutex_) = nullptr;
  std::uint64_t arrivals_ GUARDED_BY(mutex_) = 0;
  std::uint64_t admitted_ GUARDED_BY(mutex_) = 0;
  int in_flight_ GUARDED_BY(mutex_) = 0;
  double tokens_ GUARDED_BY(mutex_);
  Clock::TimePoint refilled_ GUARDED_BY(mutex_);
  Clock::TimePoint held_until_ GUARDED_BY(mutex_);
};

}  // namespace escagent::kube
