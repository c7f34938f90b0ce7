#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "agent/volume/volume.h"
#include "agent/volume/volume_source.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/waker.h"

namespace escagent::volume {

// Keeps volumes subscribed to what their stores say now: another token, another environment, an
// optional environment that appears. One background thread does what was asked for with Check(),
// and tries again what failed, so that a republish never waits for ESC.
//
// Borrows everything it is given; thread-safe. The destructor stops the thread.
class Reconciler {
 public:
  using VolumeList = std::vector<std::shared_ptr<Volume>>;

  struct Options {
    // How soon a store or an environment that failed is asked again.
    std::chrono::milliseconds retry_interval{10000};
    // How often every volume's store is asked, for stores and tokens that changed.
    std::chrono::milliseconds check_interval{5000};
    VolumeObserver observer;
  };

  // `volumes` gives the volumes that are mounted now.
  Reconciler(Options options, const SourceFinder& sources, Clock& clock,
             std::function<VolumeList()> volumes);
  ~Reconciler();
  Reconciler(const Reconciler&) = delete;
  Reconciler& operator=(const Reconciler&) = delete;

  // Has the volume checked soon, in the background.
  void Check(const std::string& volume_id) EXCLUDES(mutex_);
  // Checks these now, on the calling thread: the store again, a new subscription if its answer is
  // another one, and whether the newest values are shown. A failure changes nothing of what is
  // shown. An environment that cannot be opened is only tried for the first of its volumes.
  void Reconcile(const VolumeList& volumes, const std::stop_token& stop);
  // Notes a failure of the volume's source (none: an optional environment is not there yet) and
  // when to try again. The thread learns of it with the next Check or Wake.
  void RetryLater(Volume& volume, std::optional<Error> error) const;
  // Has the thread look at when volumes are to be tried again.
  void Wake() { waker_.WakeUp(); }

  void Stop();

 private:
  struct Attempt;
  struct Round;

  void Run(const std::stop_token& stop);
  // Takes what Check() asked for and what is due; says when the next one is due.
  // Everything every check_interval.
  VolumeList TakeDue(Clock::TimePoint& next) EXCLUDES(mutex_);
  void ReconcileOne(Volume& volume, Round& round, const std::stop_token& stop);
  // The same for one with `auth: pod`, whose source kubelet brings.
  void ReconcilePod(Volume& volume, Round& round, const std::stop_token& stop);
  void Update(Volume& volume, const VolumeSource& source, Round& round,
              const std::stop_token& stop);
  void Resubscribe(Volume& volume, const VolumeSource& source, Round& round,
                   const std::stop_token& stop);
  void Report(const Volume& volume, const std::optional<Error>& error) const;

  const Options options_;
  const SourceFinder& sources_;
  Clock& clock_;
  const std::function<VolumeList()> volumes_;

  Waker waker_;
  Mutex mutex_;
  std::set<std::string> to_check_ GUARDED_BY(mutex_);
  Clock::TimePoint next_check_;  // of all volumes; the thread's own
  std::jthread thread_;
};

}  // namespace escagent::volume
