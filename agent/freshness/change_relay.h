#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/waker.h"
#include "esc/environment_ref.h"
#include "kube/api.h"
#include "kube/informer.h"

namespace escagent::freshness {

// Tells all agents of a cluster what one of them was told: that an environment has changed. Through
// one object that all watch, the ConfigMap esc-agent-changes in their namespace, which holds the
// last 32 changes: names and times, no values. What it held when this agent began to watch is old.
//
// Thread-safe. One thread, which writes; `on_change` is called on it and on the informers' threads,
// without locks held. Borrows api and informers.
class ChangeRelay {
 public:
  // `here`: it is this agent that was told.
  using OnChange = std::function<void(const esc::EnvironmentRef& ref, bool here)>;

  ChangeRelay(std::string namespace_name, kube::Api& api, kube::Informers& informers,
              OnChange on_change, Clock& clock);
  ~ChangeRelay();
  ChangeRelay(const ChangeRelay&) = delete;
  ChangeRelay& operator=(const ChangeRelay&) = delete;

  struct Stats {
    std::uint64_t told = 0;    // news from here that others can read
    std::uint64_t failed = 0;  // news from here that could not be written
    std::uint64_t heard = 0;   // news from other agents
  };

  // This agent was told. `id` names the news: agents act on it once, also when several are told.
  // Returns at once.
  void Announce(const esc::EnvironmentRef& ref, const std::string& id) EXCLUDES(mutex_);
  Stats GetStats() const EXCLUDES(mutex_);

 private:
  class Watcher;
  struct Change {
    std::string id;
    esc::EnvironmentRef ref;
  };

  void OnObject(const kube::Object& object) EXCLUDES(mutex_);
  void OnSynced() EXCLUDES(mutex_);
  // Whether it is new.
  bool Remember(const std::string& id) REQUIRES(mutex_);
  void Run(const std::stop_token& stop) EXCLUDES(mutex_);
  // ABORTED: somebody else has written meanwhile.
  Status Write(const std::deque<Change>& changes, const std::stop_token& stop);

  const std::string namespace_name_;
  kube::Api& api_;
  const OnChange on_change_;
  Clock& clock_;
  mutable Mutex mutex_;
  std::deque<Change> outgoing_ GUARDED_BY(mutex_);
  // The ids seen in the object and those sent from here, and in which order.
  std::set<std::string> known_ GUARDED_BY(mutex_);
  std::deque<std::string> order_ GUARDED_BY(mutex_);
  bool synced_ GUARDED_BY(mutex_) = false;
  Stats stats_ GUARDED_BY(mutex_);
  Waker waker_;
  kube::InformerHandle informer_;
  std::jthread thread_;
};

}  // namespace escagent::freshness
