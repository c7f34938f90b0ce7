#include "fuse/notifier.h"

#include <utility>

#include "base/thread.h"

namespace escagent::fuse {

Notifier::Notifier(int threads) {
  for (int i = 0; i < threads; ++i) {
    threads_.push_back(StartThread("fuse-notify", [this] { Work(); }));
  }
}

Notifier::~Notifier() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  threads_.clear();
}

void Notifier::Post(TimePoint due, Task task) {
  {
    MutexLock lock(mutex_);
    tasks_.emplace(due, std::move(task));
  }
  changed_.NotifyOne();
}

void Notifier::Work() {
  mutex_.Lock();
  while (!stopping_) {
    if (tasks_.empty()) {
      changed_.Wait(mutex_);
      continue;
    }
    const auto first = tasks_.begin();
    if (const TimePoint due = first->first; due > std::chrono::steady_clock::now()) {
      changed_.WaitUntil(mutex_, due);
      continue;
    }
    Task task = std::move(first->second);
    tasks_.erase(first);
    mutex_.Unlock();
    task();
    // What the task holds (a session, a retired generation) is let go of without the mutex.
    task = nullptr;
    mutex_.Lock();
  }
  mutex_.Unlock();
}

}  // namespace escagent::fuse
