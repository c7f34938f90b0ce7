#include "agent/controller/environment_hub.h"

#include <algorithm>
#include <utility>

#include "agent/controller/retry_delay.h"
#include "base/thread.h"
#include "esc/api_error.h"

namespace escagent::controller {
namespace {

constexpr std::chrono::hours kLongestSleep{1};

// Whether an error tells that the environment cannot be had, as opposed to ESC being away.
bool IsFinal(Code code) {
  return code == Code::kUnauthenticated || code == Code::kPermissionDenied ||
         code == Code::kNotFound || code == Code::kInvalidArgument ||
         code == Code::kFailedPrecondition || code == Code::kUnimplemented;
}

}  // namespace

std::chrono::milliseconds EnvironmentHub::Environment::ShortestInterval() const {
  auto shortest = std::chrono::milliseconds::max();
  for (const auto& [user, wanted] : users) shortest = std::min(shortest, wanted);
  return shortest;
}

EnvironmentHub::EnvironmentHub(cache::EnvironmentCache& cache, Clock& clock, Listener listener)
    : cache_(cache), clock_(clock), listener_(std::move(listener)) {
  thread_ = StartThread("mirror-hub", [this](const std::stop_token& stop) { Run(stop); });
}

EnvironmentHub::~EnvironmentHub() {
  thread_.request_stop();
  thread_.join();
  // Outlives the lock: a subscription's end waits for its callback, which may want the lock.
  Environments gone;
  MutexLock lock(mutex_);
  gone.swap(environments_);
}

EnvironmentHub::View EnvironmentHub::ViewOf(const Environment& environment) {
  View view;
  if (environment.subscription == nullptr) {
    view.error = environment.error;
    view.pending = !environment.error;
    return view;
  }
  const cache::EnvironmentStatus status = environment.subscription->Status();
  view.snapshot = status.snapshot;
  if (!status.last_error) return view;
  if (status.expired || view.snapshot == nullptr || IsFinal(status.last_error->code)) {
    view.error = status.last_error;
    view.error->message = esc::WithoutRequestId(std::move(view.error->message));
  }
  return view;
}

EnvironmentHub::View EnvironmentHub::Use(const cache::EnvironmentKey& key,
                                         const std::shared_ptr<esc::Api>& api, const User& user,
                                         std::chrono::milliseconds interval) {
  bool wake = false;
  View view;
  {
    MutexLock lock(mutex_);
    Environment& environment = environments_[key];
    if (!environment.Wanted()) {
      environment.api = api;
      environment.asked_at.reset();
      environment.next_try = clock_.Now();
    }
    const auto [it, is_new] = environment.users.try_emplace(user, interval);
    if (is_new) used_[user].push_back(key);
    it->second = interval;
    if (environment.subscription == nullptr) {
      wake = environment.next_try <= clock_.Now();
    } else if (interval < environment.interval) {
      environment.asked_at.reset();
      environment.next_try = clock_.Now();
      wake = true;
    }
    view = ViewOf(environment);
  }
  if (wake) waker_.WakeUp();
  return view;
}

void EnvironmentHub::KeepOnly(const User& user, const std::vector<cache::EnvironmentKey>& keys) {
  std::vector<Environment> gone;  // outlives the lock, as in the destructor
  MutexLock lock(mutex_);
  const auto used = used_.find(user);
  if (used == used_.end()) return;
  std::erase_if(used->second, [&](const cache::EnvironmentKey& key) REQUIRES(mutex_) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) return false;
    const auto it = environments_.find(key);
    it->second.users.erase(user);
    if (!it->second.Wanted()) {
      gone.push_back(std::move(it->second));
      environments_.erase(it);
    }
    return true;
  });
  if (used->second.empty()) used_.erase(used);
}

std::vector<cache::EnvironmentKey> EnvironmentHub::Due(Clock::TimePoint now,
                                                       Clock::TimePoint& next) {
  std::vector<cache::EnvironmentKey> due;
  for (const auto& [key, environment] : environments_) {
    const bool asks = environment.subscription == nullptr ||
                      environment.ShortestInterval() < environment.interval;
    if (!asks) continue;
    if (environment.next_try <= now) {
      due.push_back(key);
    } else {
      next = std::min(next, environment.next_try);
    }
  }
  return due;
}

void EnvironmentHub::Run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Clock::TimePoint now = clock_.Now();
    Clock::TimePoint next = now + kLongestSleep;
    std::vector<cache::EnvironmentKey> due;
    {
      MutexLock lock(mutex_);
      due = Due(now, next);
    }
    for (const cache::EnvironmentKey& key : due) TrySubscribe(key);
    if (due.empty()) waker_.SleepUntil(clock_, next, stop);
  }
}

void EnvironmentHub::TrySubscribe(const cache::EnvironmentKey& key) {
  cache::EnvironmentCache::Request request{
      .key = key, .api = nullptr, .interval = {}, .on_change = {}};
  {
    MutexLock lock(mutex_);
    const auto it = environments_.find(key);
    if (it == environments_.end()) return;
    request.api = it->second.api;
    request.interval = it->second.ShortestInterval();
    if (!it->second.asked_at) it->second.asked_at = clock_.Now();
    request.since = it->second.asked_at;
  }
  request.on_change = [this, key] { Tell(key); };
  const std::chrono::milliseconds interval = *request.interval;
  Result<cache::Subscription> made = cache_.Subscribe(std::move(request));
  const Clock::TimePoint now = clock_.Now();
  std::shared_ptr<cache::Subscription> former;  // outlives the lock
  {
    MutexLock lock(mutex_);
    const auto it = environments_.find(key);
    if (it == environments_.end()) return;  // given up meanwhile
    Environment& environment = it->second;
    if (made) {
      former = std::exchange(environment.subscription,
                             std::make_shared<cache::Subscription>(*std::move(made)));
      environment.interval = interval;
      environment.error.reset();
      environment.failures = 0;
    } else if (made.error().code == Code::kUnavailable && made.error().retry_after.count() > 0) {
      environment.next_try = now + made.error().retry_after;  // it is being opened
      return;
    } else {
      environment.error = made.error();
      environment.error->message = esc::WithoutRequestId(std::move(environment.error->message));
      environment.asked_at.reset();
      environment.next_try = now + RetryDelay(++environment.failures,
                                              std::clamp(interval, kFirstRetry, kLongestRetry));
    }
  }
  Tell(key);
}

void EnvironmentHub::Tell(const cache::EnvironmentKey& key) {
  std::vector<User> users;
  {
    MutexLock lock(mutex_);
    const auto it = environments_.find(key);
    if (it == environments_.end()) return;
    View view = ViewOf(it->second);
    std::string error = view.error ? view.error->message : "";
    if (view.snapshot == it->second.told_snapshot && error == it->second.told_error) return;
    it->second.told_snapshot = std::move(view.snapshot);
    it->second.told_error = std::move(error);
    users.reserve(it->second.users.size());
    for (const auto& [user, interval] : it->second.users) users.push_back(user);
  }
  listener_(users);
}

}  // namespace escagent::controller
