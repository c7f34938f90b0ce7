#include "base/backoff.h"

#include <algorithm>
#include <cmath>

namespace escagent {

Backoff::Backoff(Options options, std::uint64_t seed)
    : options_(options), random_(static_cast<std::minstd_rand::result_type>(seed)) {}

std::chrono::milliseconds Backoff::Next(std::chrono::milliseconds at_least) {
  const double grown =
      static_cast<double>(options_.initial.count()) * std::pow(options_.factor, failures_);
  const double capped = std::min(grown, static_cast<double>(options_.max.count()));
  ++failures_;
  const std::chrono::milliseconds base(static_cast<std::chrono::milliseconds::rep>(capped));
  return std::max(at_least, Jittered(base, options_.jitter, random_));
}

std::chrono::milliseconds Jittered(std::chrono::milliseconds interval, double jitter,
                                   std::minstd_rand& random) {
  std::uniform_real_distribution<double> factor(1.0 - jitter, 1.0 + jitter);
  return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(
      std::llround(static_cast<double>(interval.count()) * factor(random))));
}

}  // namespace escagent
