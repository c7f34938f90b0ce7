#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace escagent::fuse {

// Threads ("fuse-notify") that send the kernel what it must forget. Apart from the workers, because
// the kernel may hold such a message up until a worker has answered a request. More than one
// thread, because a process in a pod can hold one volume's up. Thread-safe.
class Notifier {
 public:
  using Task = std::move_only_function<void()>;
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit Notifier(int threads);
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;
  // Waits for the tasks that run; those that have not begun are dropped.
  ~Notifier();

  // Runs `task` at `due` or soon after; tasks with the same time run in the order of posting.
  void Post(TimePoint due, Task task);

 private:
  void Work();

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::multimap<TimePoint, Task> tasks_ GUARDED_BY(mutex_);
  std::vector<std::jthread> threads_;
};

}  // namespace escagent::fuse
