#pragma once

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <stop_token>
#include <string_view>
#include <thread>
#include <vector>

#include "agent/cache/entry.h"
#include "agent/cache/environment_cache.h"
#include "agent/cache/probe_table.h"
#include "agent/cache/worker_pool.h"
#include "base/mutex.h"

namespace escagent::cache {

// The table of environments, the timer thread that starts attempts when they are due and drops
// entries after `linger`, and the jobs that carry attempts out. Decisions about one environment are
// EnvironmentState's, calls to ESC are RunAttempt's.
//
// One mutex guards the table and all entries. It is not held over calls to ESC, comparison of
// values, or callbacks. Lock order: this mutex, then WorkerPool's, Waker's or the clock's.
class EnvironmentCache::Impl {
 public:
  Impl(Options options, Clock& clock);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<Subscription> Subscribe(Request request, const std::stop_token& stop) EXCLUDES(mutex_);
  void Unsubscribe(Entry& entry, const std::shared_ptr<Subscriber>& subscriber) EXCLUDES(mutex_);
  int RefreshNow(std::string_view environment) EXCLUDES(mutex_);
  int EnvironmentChanged(const esc::EnvironmentRef& ref, std::chrono::milliseconds within)
      EXCLUDES(mutex_);
  void HeadsChanged(const std::vector<EnvironmentKey>& targets, std::chrono::milliseconds within)
      EXCLUDES(mutex_);
  EnvironmentStatus StatusOf(const Entry& entry) const EXCLUDES(mutex_);
  std::vector<EnvironmentStatus> List() const EXCLUDES(mutex_);
  CacheStats Stats() const EXCLUDES(mutex_);

 private:
  using EntryPtr = std::shared_ptr<Entry>;

  EntryPtr FindOrCreate(Request& request) REQUIRES(mutex_);
  Subscription AddSubscriber(const EntryPtr& entry, std::function<void()> on_change,
                             std::chrono::milliseconds interval) REQUIRES(mutex_);
  // After somebody lost interest: starts the linger when it was the last one.
  void Release(Entry& entry) REQUIRES(mutex_);
  // Subscribe for a newcomer with Request::since, when there is no usable snapshot: starts an
  // attempt unless the one that the newcomer waits for has failed already.
  Error AnswerPoll(const EntryPtr& entry, Clock::TimePoint since,
                   std::chrono::milliseconds interval) REQUIRES(mutex_);
  // ESC has not answered within open_timeout (yet).
  Error NoAnswerError(const Entry& entry) const;
  // Why the entry's last attempt leaves nothing to serve to a newcomer.
  Error NewcomerError(const Entry& entry) const REQUIRES(mutex_);
  EnvironmentStatus Describe(const Entry& entry) const REQUIRES(mutex_);

  // Queues an attempt, or notes that another one has to follow the one whose callbacks run.
  void StartAttempt(const EntryPtr& entry, bool urgent) REQUIRES(mutex_);
  void RunJob(const EntryPtr& entry, const std::stop_token& stop) EXCLUDES(mutex_);
  // Takes an attempt's answer into the table; returns whom to call back.
  std::vector<std::shared_ptr<Subscriber>> Finish(Entry& entry, AttemptResult result,
                                                  EnvironmentState::Timing timing) EXCLUDES(mutex_);
  // Learns the import closure of what has been opened, if that is due.
  void LearnImports(const EntryPtr& entry, const std::stop_token& stop) EXCLUDES(mutex_);
  void CountResult(const AttemptResult& result) REQUIRES(mutex_);
  void RefreshSiblings(const Entry& entry, Clock::TimePoint now) REQUIRES(mutex_);
  void Notify(Subscriber& subscriber) EXCLUDES(mutex_);

  void RunTimer(const std::stop_token& stop) EXCLUDES(mutex_);
  // Does what is due; returns when the next thing is. Entries dropped are moved to `dropped`.
  Clock::TimePoint Tick(Clock::TimePoint now, std::vector<EntryPtr>& dropped) REQUIRES(mutex_);

  const Options options_;
  Clock& clock_;
  mutable Mutex mutex_;
  CondVar callback_done_;
  std::map<EnvironmentKey, EntryPtr> entries_ GUARDED_BY(mutex_);
  CacheStats stats_ GUARDED_BY(mutex_);
  std::random_device seeds_ GUARDED_BY(mutex_);
  Waker timer_waker_;
  ProbeTable probes_;
  WorkerPool pool_;
  // Last: it uses all of the above.
  std::jthread timer_;
};

}  // namespace escagent::cache
