#include "csi/timer_thread.h"

#include <algorithm>

#include "base/thread.h"

namespace escagent::csi {
namespace {

// gRPC's "never" is larger than a time_point can hold on top of now.
constexpr std::chrono::nanoseconds kLongestDelay = std::chrono::hours(24 * 365);

}  // namespace

TimerThread::TimerThread(const char* name) : thread_(StartThread(name, [this] { Loop(); })) {}

TimerThread::~TimerThread() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

TimerThread::TaskId TimerThread::Add(std::chrono::nanoseconds delay, Task task) {
  const TimePoint due = std::chrono::steady_clock::now() +
                        std::clamp(delay, std::chrono::nanoseconds{0}, kLongestDelay);
  MutexLock lock(mutex_);
  const TaskId id{due, next_number_++};
  const auto it = tasks_.emplace(id, std::move(task)).first;
  if (it == tasks_.begin()) changed_.NotifyAll();
  return id;
}

bool TimerThread::Cancel(const TaskId& id) {
  // Declared before the lock, so that the task is destroyed after it: what it owns may call us.
  decltype(tasks_)::node_type cancelled;
  MutexLock lock(mutex_);
  cancelled = tasks_.extract(id);
  return !cancelled.empty();
}

void TimerThread::Loop() {
  while (true) {
    decltype(tasks_)::node_type due;
    {
      MutexLock lock(mutex_);
      while (!stopping_ &&
             (tasks_.empty() || tasks_.begin()->first.first > std::chrono::steady_clock::now())) {
        if (tasks_.empty()) {
          changed_.Wait(mutex_);
        } else {
          changed_.WaitUntil(mutex_, tasks_.begin()->first.first);
        }
      }
      if (stopping_) return;
      due = tasks_.extract(tasks_.begin());
    }
    due.mapped()();
  }
}

}  // namespace escagent::csi
