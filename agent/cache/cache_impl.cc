#include "agent/cache/cache_impl.h"

#include <algorithm>
#include <string>
#include <utility>

#include "agent/cache/attempt.h"
#include "base/log.h"
#include "base/thread.h"

namespace escagent::cache {
namespace {

// The timer looks around at least this often.
constexpr std::chrono::hours kLongestSleep{1};

bool Matches(const esc::EnvironmentRef& ref, std::string_view environment) {
  if (environment.empty() || ref.ToString() == environment) return true;
  esc::EnvironmentRef all_versions = ref;
  all_versions.version.clear();
  return all_versions.ToString() == environment;
}

}  // namespace

EnvironmentCache::Impl::Impl(Options options, Clock& clock)
    : options_(options),
      clock_(clock),
      probes_(clock, options.shared_heads,
              [this](const EnvironmentKey& target) { HeadsChanged({target}, {}); }),
      pool_(options.workers) {
  timer_ = StartThread("cache-timer", [this](const std::stop_token& stop) { RunTimer(stop); });
}

EnvironmentCache::Impl::~Impl() = default;

EnvironmentCache::Impl::EntryPtr EnvironmentCache::Impl::FindOrCreate(Request& request) {
  EntryPtr& entry = entries_[request.key];
  if (!entry) {
    const EnvironmentState::Policy policy{.jitter = options_.jitter,
                                          .max_stale = options_.max_stale,
                                          .max_backoff = options_.max_backoff,
                                          .max_age = options_.max_age,
                                          .shared_interval = options_.default_interval};
    entry = std::make_shared<Entry>(request.key, std::move(request.api), policy, seeds_());
  }
  return entry;
}

void EnvironmentCache::Impl::StartAttempt(const EntryPtr& entry, bool urgent) {
  switch (entry->flight) {
    case Entry::Flight::kNone:
      entry->flight = Entry::Flight::kQueued;
      pool_.Submit({.urgent = urgent, .slow = entry->state.slow()},
                   [this, entry](const std::stop_token& stop) { RunJob(entry, stop); });
      return;
    case Entry::Flight::kQueued:
    case Entry::Flight::kRunning:
      return;
    case Entry::Flight::kNotifying:
      entry->again = true;
      return;
  }
}

void EnvironmentCache::Impl::RunJob(const EntryPtr& entry, const std::stop_token& stop) {
  AttemptPlan plan;
  EnvironmentState::Timing timing{.started = clock_.Now(), .finished = {}, .wall_finished = {}};
  {
    MutexLock lock(mutex_);
    entry->flight = Entry::Flight::kRunning;
    plan = entry->state.Plan(timing.started, entry->interval);
  }
  AttemptResult result = RunAttempt(probes_, *entry->api, entry->key, plan, stop);
  // The cache is being destroyed: a cancelled call is no news about the environment.
  if (stop.stop_requested()) return;
  timing.finished = clock_.Now();
  timing.wall_finished = clock_.WallNow();
  for (const auto& subscriber : Finish(*entry, std::move(result), timing)) Notify(*subscriber);
  LearnImports(entry, stop);

  MutexLock lock(mutex_);
  entry->flight = Entry::Flight::kNone;
  if (std::exchange(entry->again, false)) StartAttempt(entry, /*urgent=*/true);
  timer_waker_.WakeUp();
}

void EnvironmentCache::Impl::LearnImports(const EntryPtr& entry, const std::stop_token& stop) {
  std::optional<std::string> session;
  {
    MutexLock lock(mutex_);
    session = entry->state.ClosureDue(clock_.Now());
  }
  if (!session) return;
  Result<ImportClosure> learned = LearnClosure(probes_, *entry->api, entry->key, *session, stop);
  if (stop.stop_requested()) return;
  if (!learned) {
    LogWarning(
        "the imports of an environment cannot be learned: their changes are seen late",
        {{log_key::kEnvironment, entry->key.ref.ToString()}, {log_key::kError, learned.error()}});
  }
  MutexLock lock(mutex_);
  entry->state.TakeClosure(std::move(learned), clock_.Now(), entry->interval);
}

std::vector<std::shared_ptr<Subscriber>> EnvironmentCache::Impl::Finish(
    Entry& entry, AttemptResult result, EnvironmentState::Timing timing) {
  EnvironmentState::Change change;
  std::shared_ptr<const Snapshot> snapshot;
  std::optional<Error> error;
  int failures = 0;
  std::vector<std::shared_ptr<Subscriber>> to_notify;
  {
    MutexLock lock(mutex_);
    CountResult(result);
    change = entry.state.Apply(std::move(result), timing, entry.interval);
    if (change.snapshot) ++stats_.published;
    if (change.refused) RefreshSiblings(entry, timing.finished);
    if (change.snapshot || change.error) to_notify = entry.subscribers;
    entry.flight = Entry::Flight::kNotifying;
    ++entry.attempts_finished;
    entry.finished_at = timing.finished;
    for (Waiter* waiter : entry.waiters) waiter->waker.WakeUp();
    snapshot = entry.state.snapshot();
    error = entry.state.last_error();
    failures = entry.state.failures();
  }
  const std::string environment = entry.key.ref.ToString();
  if (error && change.error) {
    LogWarning("environment could not be refreshed", {{log_key::kEnvironment, environment},
                                                      {log_key::kAttempt, failures},
                                                      {log_key::kError, *error}});
  }
  if (change.recovered) {
    LogInfo("environment is fresh again", {{log_key::kEnvironment, environment}});
  }
  if (change.snapshot) {
    LogInfo("environment has new values", {{log_key::kEnvironment, environment},
                                           {log_key::kRevision, snapshot->revision},
                                           {log_key::kGeneration, snapshot->sequence}});
  }
  return to_notify;
}

void EnvironmentCache::Impl::CountResult(const AttemptResult& result) {
  if (result.opened) {
    ++stats_.opens;
    if (!*result.opened) ++stats_.open_failures;
    if (result.same_content) ++stats_.unchanged;
  }
}

void EnvironmentCache::Impl::RefreshSiblings(const Entry& entry, Clock::TimePoint now) {
  for (const auto& [key, other] : entries_) {
    if (other.get() == &entry || key.backend != entry.key.backend ||
        key.identity != entry.key.identity ||
        other->state.phase() == EnvironmentState::Phase::kRefused) {
      continue;
    }
    other->state.MakeDue(now);
  }
  timer_waker_.WakeUp();
}

void EnvironmentCache::Impl::Notify(Subscriber& subscriber) {
  if (!subscriber.on_change) return;
  {
    MutexLock lock(mutex_);
    if (subscriber.closed) return;
    subscriber.notifying = true;
    subscriber.notifier = std::this_thread::get_id();
  }
  subscriber.on_change();
  MutexLock lock(mutex_);
  subscriber.notifying = false;
  if (subscriber.closed) callback_done_.NotifyAll();
}

int EnvironmentCache::Impl::RefreshNow(std::string_view environment) {
  MutexLock lock(mutex_);
  int count = 0;
  for (const auto& [key, entry] : entries_) {
    if (!Matches(key.ref, environment)) continue;
    ++count;
    entry->state.RequestOpen();
    // What runs now may have begun before whatever made somebody ask.
    if (entry->flight == Entry::Flight::kRunning) entry->again = true;
    StartAttempt(entry, /*urgent=*/true);
  }
  return count;
}

int EnvironmentCache::Impl::EnvironmentChanged(const esc::EnvironmentRef& ref,
                                               std::chrono::milliseconds within) {
  const auto is_it = [&](esc::EnvironmentRef other) {
    other.version.clear();
    return other == ref;
  };
  MutexLock lock(mutex_);
  int count = 0;
  for (const auto& [key, entry] : entries_) {
    const ImportClosure* closure = entry->state.closure();
    const bool imports = closure != nullptr &&
                         std::ranges::any_of(closure->members, is_it, &ImportClosure::Member::ref);
    if (!imports && !is_it(key.ref)) continue;
    ++count;
    entry->state.RequestOpen();
    entry->state.NewsAt(clock_.Now(), within);
    // What runs now may have begun before the change.
    const bool runs =
        entry->flight == Entry::Flight::kRunning || entry->flight == Entry::Flight::kNotifying;
    if (runs) entry->again = true;
  }
  timer_waker_.WakeUp();
  return count;
}

void EnvironmentCache::Impl::HeadsChanged(const std::vector<EnvironmentKey>& targets,
                                          std::chrono::milliseconds within) {
  MutexLock lock(mutex_);
  for (const auto& [key, entry] : entries_) {
    const ImportClosure* closure = entry->state.closure();
    const bool uses = std::ranges::any_of(targets, [&](const EnvironmentKey& target) {
      return target.backend == key.backend && target.identity == key.identity &&
             (target.ref == key.ref ||
              (closure != nullptr && closure->Find(target.ref) != nullptr));
    });
    if (uses) entry->state.NewsAt(clock_.Now(), within);
  }
  timer_waker_.WakeUp();
}

void EnvironmentCache::Impl::RunTimer(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    Clock::TimePoint next;
    // Destroyed without the lock: wiping a large environment takes a while.
    std::vector<EntryPtr> dropped;
    {
      MutexLock lock(mutex_);
      next = Tick(clock_.Now(), dropped);
    }
    dropped.clear();
    timer_waker_.SleepUntil(clock_, next, stop);
  }
}

Clock::TimePoint EnvironmentCache::Impl::Tick(Clock::TimePoint now,
                                              std::vector<EntryPtr>& dropped) {
  Clock::TimePoint next = now + kLongestSleep;
  for (auto it = entries_.begin(); it != entries_.end();) {
    const EntryPtr& entry = it->second;
    if (entry->NextEvent() <= now) {
      if (!entry->Wanted() && entry->drop_at <= now) {
        dropped.push_back(std::move(it->second));
        it = entries_.erase(it);
        continue;
      }
      StartAttempt(entry, /*urgent=*/false);
    }
    next = std::min(next, entry->NextEvent());
    ++it;
  }
  return next;
}

EnvironmentStatus EnvironmentCache::Impl::Describe(const Entry& entry) const {
  EnvironmentStatus status;
  status.key = entry.key;
  status.snapshot = entry.state.snapshot();
  status.last_error = entry.state.last_error();
  status.fresh_at = entry.state.fresh_at();
  status.next_refresh = entry.state.next_attempt();
  status.subscribers = static_cast<int>(entry.subscribers.size());
  status.interval = entry.interval;
  status.closure = entry.state.closure_kind();
  status.imports =
      entry.state.closure() ? static_cast<int>(entry.state.closure()->members.size()) : 0;
  status.revision = entry.state.revision();
  status.refused = entry.state.phase() == EnvironmentState::Phase::kRefused;
  status.expired = entry.state.Expired(clock_.Now());
  return status;
}

EnvironmentStatus EnvironmentCache::Impl::StatusOf(const Entry& entry) const {
  MutexLock lock(mutex_);
  return Describe(entry);
}

std::vector<EnvironmentStatus> EnvironmentCache::Impl::List() const {
  MutexLock lock(mutex_);
  std::vector<EnvironmentStatus> list;
  list.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) list.push_back(Describe(*entry));
  return list;
}

CacheStats EnvironmentCache::Impl::Stats() const {
  MutexLock lock(mutex_);
  CacheStats stats = stats_;
  const ProbeTable::Stats probes = probes_.GetStats();
  stats.heads = probes.calls;
  stats.head_failures = probes.failures;
  stats.heads_spared = probes.kept + probes.shared;
  stats.heads_shared = probes.shared;
  stats.definitions = probes.definitions;
  stats.in_flight = static_cast<int>(std::ranges::count_if(
      entries_, [](const auto& item) { return item.second->flight != Entry::Flight::kNone; }));
  return stats;
}

}  // namespace escagent::cache
