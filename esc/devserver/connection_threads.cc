#include "esc/devserver/connection_threads.h"

#include <utility>

#include "base/thread.h"

namespace escagent::devserver {

void ConnectionThreads::enqueue(std::function<void()> task) {
  bool grow = false;
  {
    MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
    grow = idle_ < tasks_.size() && threads_.size() < max_threads_;
  }
  if (grow) {
    threads_.push_back(StartThread("dev-server-conn", [this] { Run(); }));
  }
  changed_.NotifyOne();
}

void ConnectionThreads::shutdown() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  threads_.clear();
}

void ConnectionThreads::Run() {
  while (true) {
    std::function<void()> task;
    {
      MutexLock lock(mutex_);
      ++idle_;
      while (tasks_.empty() && !stopping_) changed_.Wait(mutex_);
      --idle_;
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace escagent::devserver
