#pragma once

#include <httplib.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace escagent::devserver {

// Runs httplib's connections, each on a thread of its own for as long as it is open. An idle
// keep-alive connection keeps its thread, so a pool of fixed size would let a few idle clients
// block all others; this one grows with the connections and reuses what it has.
class ConnectionThreads final : public httplib::TaskQueue {
 public:
  // Connections beyond `max_threads` wait for one of these to end.
  static constexpr std::size_t kMaxThreads = 256;

  explicit ConnectionThreads(std::size_t max_threads = kMaxThreads) : max_threads_(max_threads) {}
  ConnectionThreads(const ConnectionThreads&) = delete;
  ConnectionThreads& operator=(const ConnectionThreads&) = delete;

  // Both are called by httplib's accepting thread only.
  void enqueue(std::function<void()> task) override;
  // Waits until every task has run.
  void shutdown() override;

 private:
  void Run();

  const std::size_t max_threads_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> tasks_ GUARDED_BY(mutex_);
  std::size_t idle_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::jthread> threads_;
};

}  // namespace escagent::devserver
