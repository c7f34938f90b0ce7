#include "agent/cache/worker_pool.h"

#include <algorithm>
#include <utility>

#include "base/thread.h"

namespace escagent::cache {

WorkerPool::WorkerPool(int workers)
    : max_workers_(static_cast<std::size_t>(std::max(workers, 2))),
      slow_limit_(max_workers_ - std::max<std::size_t>(1, max_workers_ / 4)) {}

WorkerPool::~WorkerPool() {
  std::vector<std::jthread> threads;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
    changed_.NotifyAll();
  }
  // All are told before the first is waited for.
  for (std::jthread& thread : threads) thread.request_stop();
  threads.clear();
}

void WorkerPool::Submit(Class job_class, Job job) {
  MutexLock lock(mutex_);
  if (stopping_) return;
  queues_[job_class.urgent ? 1 : 0][job_class.slow ? 1 : 0].push_back(std::move(job));
  ++queued_;
  if (idle_ < queued_ && threads_.size() < max_workers_) {
    threads_.push_back(
        StartThread("cache-worker", [this](const std::stop_token& stop) { Work(stop); }));
  }
  changed_.NotifyOne();
}

std::size_t WorkerPool::ThreadCount() const {
  MutexLock lock(mutex_);
  return threads_.size();
}

std::deque<WorkerPool::Job>* WorkerPool::NextQueue(bool& slow) {
  for (const std::size_t urgent : {1U, 0U}) {
    for (const std::size_t is_slow : {0U, 1U}) {
      std::deque<Job>& queue = queues_[urgent][is_slow];
      if (queue.empty() || (is_slow == 1 && slow_running_ >= slow_limit_)) continue;
      slow = is_slow == 1;
      return &queue;
    }
  }
  return nullptr;
}

void WorkerPool::Work(const std::stop_token& stop) {
  mutex_.Lock();
  while (!stopping_) {
    bool slow = false;
    std::deque<Job>* queue = NextQueue(slow);
    if (queue == nullptr) {
      ++idle_;
      changed_.Wait(mutex_);
      --idle_;
      continue;
    }
    Job job = std::move(queue->front());
    queue->pop_front();
    --queued_;
    if (slow) ++slow_running_;
    mutex_.Unlock();
    job(stop);
    job = nullptr;
    mutex_.Lock();
    if (slow) {
      --slow_running_;
      // A slow job that was held back may run now; the one notified for it went back to sleep.
      changed_.NotifyOne();
    }
  }
  mutex_.Unlock();
}

}  // namespace escagent::cache
