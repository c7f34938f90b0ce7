#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/waker.h"

namespace escagent::kube {

// Runs tasks on a fixed number of threads, first in, first out; some of them not before a time. The
// destructor drops what waits and joins the threads: who submits a task that takes long sees to it
// that it ends. Thread-safe.
class TaskPool {
 public:
  using Task = std::function<void()>;

  // `name`: of its threads. `clock` outlives it.
  TaskPool(const char* name, int workers, Clock& clock);
  ~TaskPool();
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  void Submit(Task task) EXCLUDES(mutex_);
  void SubmitAt(Clock::TimePoint time, Task task) EXCLUDES(mutex_);

 private:
  void Work() EXCLUDES(mutex_);
  void KeepTime(const std::stop_token& stop) EXCLUDES(mutex_);
  Clock::TimePoint SubmitDue() EXCLUDES(mutex_);

  Clock& clock_;
  Waker waker_;
  Mutex mutex_;
  CondVar changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::deque<Task> ready_ GUARDED_BY(mutex_);
  std::multimap<Clock::TimePoint, Task> later_ GUARDED_BY(mutex_);
  std::jthread timer_;
  std::vector<std::jthread> workers_;
};

}  // namespace escagent::kube
