#include "kube/task_pool.h"

#include "base/thread.h"

namespace escagent::kube {
namespace {

constexpr std::chrono::hours kLongestSleep{1};

}  // namespace

TaskPool::TaskPool(const char* name, int workers, Clock& clock) : clock_(clock) {
  for (int i = 0; i < workers; ++i) {
    workers_.push_back(StartThread(name, [this] { Work(); }));
  }
  timer_ = StartThread(name, [this](const std::stop_token& stop) { KeepTime(stop); });
}

TaskPool::~TaskPool() {
  timer_.request_stop();
  timer_.join();
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  workers_.clear();
}

void TaskPool::Submit(Task task) {
  {
    MutexLock lock(mutex_);
    ready_.push_back(std::move(task));
  }
  changed_.NotifyOne();
}

void TaskPool::SubmitAt(Clock::TimePoint time, Task task) {
  {
    MutexLock lock(mutex_);
    later_.emplace(time, std::move(task));
  }
  waker_.WakeUp();
}

void TaskPool::Work() {
  while (true) {
    Task task;
    {
      MutexLock lock(mutex_);
      while (ready_.empty() && !stopping_) changed_.Wait(mutex_);
      if (stopping_) return;
      task = std::move(ready_.front());
      ready_.pop_front();
    }
    task();
  }
}

void TaskPool::KeepTime(const std::stop_token& stop) {
  while (!stop.stop_requested()) waker_.SleepUntil(clock_, SubmitDue(), stop);
}

// Returns when to look again.
Clock::TimePoint TaskPool::SubmitDue() {
  MutexLock lock(mutex_);
  const Clock::TimePoint now = clock_.Now();
  while (!later_.empty() && later_.begin()->first <= now) {
    ready_.push_back(std::move(later_.begin()->second));
    later_.erase(later_.begin());
    changed_.NotifyOne();
  }
  return later_.empty() ? now + kLongestSleep : later_.begin()->first;
}

}  // namespace escagent::kube
