#pragma once

#include <cstddef>
#include <cstdint>

namespace escagent::identity {

// How exchanges ended, since the start.
struct ExchangeCounts {
  std::uint64_t succeeded = 0;
  std::uint64_t denied = 0;
  std::uint64_t failed = 0;  // no answer, or no token to exchange
};

// What a TokenCache does, for metrics.
struct TokenStats {
  ExchangeCounts exchanges{};
  std::size_t identities = 0;  // in the cache: each has an access token, or waits for one
};

}  // namespace escagent::identity
