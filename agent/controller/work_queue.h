#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/waker.h"
#include "kube/api.h"
#include "kube/resource.h"

namespace escagent::controller {

// Which of the objects that wait goes first.
enum class Lane {
  kInteractive,  // somebody has just made or changed the object
  kNormal,       // what it is made of changed
  kBackground,   // it was there when the agent started, or is looked at now and then
};

// The priority of calls to the API server that are made for an object of this lane.
kube::Priority PriorityOf(Lane lane);

// The keys of objects to be brought up to date, and the threads that do it. A key waits at most
// once and is worked on by one thread at a time; one that is added while it is worked on is worked
// on again. Lanes go in their order, but every eighth turn is the last lane's, so that none
// starves; within a lane namespaces take turns, so that no tenant waits for another's thousands.
//
// Thread-safe.
class WorkQueue {
 public:
  using Key = kube::ObjectKey;
  // Brings one object up to date. Runs on a worker thread, without locks held.
  using Work = std::function<void(const Key&, Lane, const std::stop_token&)>;

  struct Options {
    const char* thread_name = "worker";  // 15 characters
    int workers = 4;
    // How many may work for one namespace at a time, so that work which waits for something that a
    // tenant has chosen (its ESC) does not hold up the others. 0: all of them.
    int per_namespace = 0;
  };

  // `clock` outlives it.
  WorkQueue(Options options, Clock& clock, Work work);
  // Stop.
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // Requests a stop of the work under way and joins the threads. What waits is dropped, as is what
  // is added from now on.
  void Stop() EXCLUDES(mutex_);

  // A key that waits already moves up when `lane` is before its own.
  void Add(const Key& key, Lane lane) EXCLUDES(mutex_);
  // In the background lane, when the time has come. Of several times the earliest counts, until
  // the key is worked on.
  void AddAt(const Key& key, Clock::TimePoint due) EXCLUDES(mutex_);
  // Drops a key that waits, and its time.
  void Forget(const Key& key) EXCLUDES(mutex_);
  // Returns when no key for which `matches` is true is worked on. (Nothing keeps new work from
  // starting but the caller.) Not from within Work.
  void WaitForWorkOn(const std::function<bool(const Key&)>& matches) EXCLUDES(mutex_);
  // How many wait, those for a time not counted.
  std::size_t Depth() const EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kLanes = 3;
  static constexpr unsigned kTurnOfTheLast = 8;

  struct Item {
    std::optional<Lane> waits;  // in this lane
    bool running = false;
    std::optional<Lane> again;  // after the run
    std::optional<Clock::TimePoint> due;
    bool Idle() const { return !waits && !running && !due; }
  };
  // The keys of a lane, by namespace. Keys that have moved to another lane stay in here, and are
  // passed over.
  struct Queue {
    std::map<std::string, std::deque<Key>, std::less<>> keys;
    std::deque<std::string> turns;
  };

  void AddLocked(const Key& key, Item& item, Lane lane) REQUIRES(mutex_);
  void ClearDue(const Key& key, Item& item) REQUIRES(mutex_);
  void RunWorker(const std::stop_token& stop) EXCLUDES(mutex_);
  void RunTimer(const std::stop_token& stop) EXCLUDES(mutex_);
  std::optional<std::pair<Key, Lane>> Next() REQUIRES(mutex_);
  std::optional<Key> NextOf(Lane lane) REQUIRES(mutex_);
  bool HasEnough(const std::string& namespace_name) const REQUIRES(mutex_);
  void Finished(const Key& key) REQUIRES(mutex_);

  const int per_namespace_;
  Clock& clock_;
  const Work work_;
  mutable Mutex mutex_;
  CondVar changed_;
  CondVar finished_;
  std::map<Key, Item> items_ GUARDED_BY(mutex_);
  std::array<Queue, kLanes> queues_ GUARDED_BY(mutex_);
  std::set<std::pair<Clock::TimePoint, Key>> due_ GUARDED_BY(mutex_);
  std::map<std::string, int> running_ GUARDED_BY(mutex_);  // by namespace
  std::size_t waiting_ GUARDED_BY(mutex_) = 0;
  unsigned turn_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  Waker timer_waker_;
  // Last: they use all of the above.
  std::vector<std::jthread> workers_;
  std::jthread timer_;
};

}  // namespace escagent::controller
