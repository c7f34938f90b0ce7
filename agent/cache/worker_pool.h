#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <functional>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace escagent::cache {

// Runs the cache's calls to ESC, at most `workers` at once, each on its own thread. Threads are
// started when they are first needed and stay.
//
// Urgent jobs (somebody waits for them) go before the others. Jobs announced as slow may occupy
// all but a quarter of the workers (and at least one less than all), whatever their urgency: so
// that environments which are known to hang never take the last workers, and delay only each
// other. Within one class the order is first in, first out.
//
// Thread-safe. The destructor drops the jobs that wait, requests a stop of those that run and
// joins the threads.
class WorkerPool {
 public:
  using Job = std::function<void(std::stop_token)>;

  struct Class {
    bool urgent = false;
    bool slow = false;
  };

  // workers >= 2.
  explicit WorkerPool(int workers);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void Submit(Class job_class, Job job) EXCLUDES(mutex_);

  // How many slow jobs may run at once.
  std::size_t slow_limit() const { return slow_limit_; }
  std::size_t ThreadCount() const EXCLUDES(mutex_);

 private:
  void Work(const std::stop_token& stop) EXCLUDES(mutex_);
  // The queue to take from, or null when nothing may run now.
  std::deque<Job>* NextQueue(bool& slow) REQUIRES(mutex_);

  const std::size_t max_workers_;
  const std::size_t slow_limit_;

  mutable Mutex mutex_;
  CondVar changed_;
  // Indexed by urgent, then by slow.
  std::array<std::array<std::deque<Job>, 2>, 2> queues_ GUARDED_BY(mutex_);
  std::size_t idle_ GUARDED_BY(mutex_) = 0;
  std::size_t queued_ GUARDED_BY(mutex_) = 0;
  std::size_t slow_running_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::jthread> threads_ GUARDED_BY(mutex_);
};

}  // namespace escagent::cache
