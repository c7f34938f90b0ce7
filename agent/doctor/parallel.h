#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include "base/thread.h"

namespace escagent::doctor {

// Calls body(0) ... body(count - 1), several at a time, and returns when all are done. What they
// write must be different things.
template <class Body>
void ForEach(std::size_t count, const Body& body) {
  constexpr std::size_t kThreads = 8;
  std::atomic<std::size_t> next = 0;
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < std::min(count, kThreads); ++i) {
    threads.push_back(StartThread("doctor", [&] {
      for (std::size_t at = next++; at < count; at = next++) body(at);
    }));
  }
}

}  // namespace escagent::doctor
