#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace escagent {

// Exponential backoff with full-range jitter: the n-th delay is initial * factor^n, capped at max,
// times a random factor in [1 - jitter, 1 + jitter]. Not thread-safe.
class Backoff {
 public:
  struct Options {
    std::chrono::milliseconds initial{1000};
    std::chrono::milliseconds max{60000};
    double factor = 2.0;
    double jitter = 0.2;
  };

  Backoff(Options options, std::uint64_t seed);

  // The next delay, at least `at_least` (a server's Retry-After).
  std::chrono::milliseconds Next(std::chrono::milliseconds at_least = {});
  // After a success.
  void Reset() { failures_ = 0; }
  int Failures() const { return failures_; }

 private:
  Options options_;
  int failures_ = 0;
  std::minstd_rand random_;
};

// `interval` spread by a random factor in [1 - jitter, 1 + jitter], so that many timers that were
// started together drift apart.
std::chrono::milliseconds Jittered(std::chrono::milliseconds interval, double jitter,
                                   std::minstd_rand& random);

}  // namespace escagent
