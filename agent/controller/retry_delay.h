#pragma once

#include <algorithm>
#include <chrono>

namespace escagent::controller {

// How soon what failed is tried again: at once is never, and no failure is worth more than a
// request every half minute.
inline constexpr std::chrono::milliseconds kFirstRetry{1000};
inline constexpr std::chrono::milliseconds kLongestRetry{30000};

// After so many failures in a row (1 and up): kFirstRetry, doubled each time up to `longest`.
inline std::chrono::milliseconds RetryDelay(int failures,
                                            std::chrono::milliseconds longest = kLongestRetry) {
  return std::min(kFirstRetry * (1 << std::clamp(failures - 1, 0, 10)), longest);
}

}  // namespace escagent::controller
