#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace escagent::store {

// Who wants to be told of something, as a set of functions L. Told without locks held, on the
// thread that has the news. Thread-safe.
template <class L>
class Listeners {
 public:
  int Add(L listener) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const int id = next_id_++;
    listeners_.emplace(id, std::make_shared<Entry>(std::move(listener)));
    return id;
  }

  // When it has returned the listener is not running, nor will it run again. Not from within it.
  void Remove(int id) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    const auto it = listeners_.find(id);
    if (it == listeners_.end()) return;
    const std::shared_ptr<Entry> entry = it->second;
    listeners_.erase(it);
    while (entry->running > 0) returned_.Wait(mutex_);
  }

  // Calls tell(const L&) with each.
  template <class Tell>
  void ForEach(const Tell& tell) EXCLUDES(mutex_) {
    std::vector<std::shared_ptr<Entry>> entries;
    {
      MutexLock lock(mutex_);
      for (const auto& [id, entry] : listeners_) {
        ++entry->running;
        entries.push_back(entry);
      }
    }
    for (const std::shared_ptr<Entry>& entry : entries) {
      tell(entry->listener);
      MutexLock lock(mutex_);
      --entry->running;
      returned_.NotifyAll();
    }
  }

 private:
  struct Entry {
    explicit Entry(L l) : listener(std::move(l)) {}
    const L listener;
    int running = 0;  // calls under way, or about to be
  };

  Mutex mutex_;
  CondVar returned_;
  std::map<int, std::shared_ptr<Entry>> listeners_ GUARDED_BY(mutex_);
  int next_id_ GUARDED_BY(mutex_) = 1;
};

}  // namespace escagent::store
