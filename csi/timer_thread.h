#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <utility>

#include "base/mutex.h"

namespace escagent::csi {

// Runs tasks one after another at their time. Thread-safe. Tasks may add and cancel tasks; those
// that have not run when the destructor is called are dropped.
class TimerThread {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Task = std::move_only_function<void()>;
  // When a task is due, and a number that makes it unique.
  using TaskId = std::pair<TimePoint, std::int64_t>;

  explicit TimerThread(const char* name);
  ~TimerThread();
  TimerThread(const TimerThread&) = delete;
  TimerThread& operator=(const TimerThread&) = delete;

  TaskId Add(std::chrono::nanoseconds delay, Task task);
  // Drops the task; false when it is running or has run.
  bool Cancel(const TaskId& id);
  bool IsCurrentThread() const { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  void Loop();

  Mutex mutex_;
  CondVar changed_;
  std::map<TaskId, Task> tasks_ GUARDED_BY(mutex_);
  std::int64_t next_number_ GUARDED_BY(mutex_) = 1;
  bool stopping_ GUARDED_BY(mutex_) = false;
  // Last: its body uses the members above.
  std::jthread thread_;
};

}  // namespace escagent::csi
