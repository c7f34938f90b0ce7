#include "agent/cache/environment_cache.h"

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

#include "agent/cache/cache_impl.h"
#include "base/duration.h"

namespace escagent::cache {
namespace {

// Guards ESC against an interval of zero; far below what anybody should configure.
constexpr std::chrono::milliseconds kMinInterval{100};

// Who asks again and again does so after a tenth of the time already waited, within these limits:
// late by little when ESC is quick, and at little cost when it hangs.
constexpr std::chrono::milliseconds kMinPause{25};
constexpr std::chrono::milliseconds kMaxPause{250};
// Asking again is overdue after this.
constexpr std::chrono::seconds kPollGrace{2};

}  // namespace

class Subscription::Impl {
 public:
  Impl(EnvironmentCache::Impl& cache, std::shared_ptr<Entry> entry,
       std::shared_ptr<Subscriber> subscriber)
      : cache_(cache), entry_(std::move(entry)), subscriber_(std::move(subscriber)) {}
  ~Impl() { cache_.Unsubscribe(*entry_, subscriber_); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  EnvironmentStatus Status() const { return cache_.StatusOf(*entry_); }
  const EnvironmentKey& key() const { return entry_->key; }

 private:
  EnvironmentCache::Impl& cache_;
  const std::shared_ptr<Entry> entry_;
  const std::shared_ptr<Subscriber> subscriber_;
};

Subscription::Subscription() = default;
Subscription::Subscription(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Subscription::Subscription(Subscription&&) noexcept = default;
Subscription& Subscription::operator=(Subscription&&) noexcept = default;
Subscription::~Subscription() = default;

EnvironmentStatus Subscription::Status() const { return impl_->Status(); }
const EnvironmentKey& Subscription::key() const { return impl_->key(); }

Subscription EnvironmentCache::Impl::AddSubscriber(const EntryPtr& entry,
                                                   std::function<void()> on_change,
                                                   std::chrono::milliseconds interval) {
  auto subscriber = std::make_shared<Subscriber>(std::move(on_change), interval);
  entry->subscribers.push_back(subscriber);
  entry->UpdateInterval();
  entry->state.ShortenInterval(clock_.Now(), entry->interval);
  timer_waker_.WakeUp();
  return Subscription(std::make_unique<Subscription::Impl>(*this, entry, std::move(subscriber)));
}

void EnvironmentCache::Impl::Release(Entry& entry) {
  entry.UpdateInterval();
  if (entry.Wanted()) return;
  entry.drop_at = std::max(clock_.Now() + options_.linger, entry.awaited_until);
  timer_waker_.WakeUp();
}

void EnvironmentCache::Impl::Unsubscribe(Entry& entry,
                                         const std::shared_ptr<Subscriber>& subscriber) {
  MutexLock lock(mutex_);
  subscriber->closed = true;
  std::erase(entry.subscribers, subscriber);
  Release(entry);
  while (subscriber->notifying && subscriber->notifier != std::this_thread::get_id()) {
    callback_done_.Wait(mutex_);
  }
}

Error EnvironmentCache::Impl::NewcomerError(const Entry& entry) const {
  Error error = *entry.state.last_error();
  if (error.code == Code::kDeadlineExceeded) error.code = Code::kUnavailable;
  return error;
}

Error EnvironmentCache::Impl::NoAnswerError(const Entry& entry) const {
  return {.code = Code::kUnavailable,
          .message = "open environment " + entry.key.ref.ToString() + ": no answer from " +
                     entry.key.backend + " within " + FormatDuration(options_.open_timeout) +
                     "; check that this node can reach it"};
}

Error EnvironmentCache::Impl::AnswerPoll(const EntryPtr& entry, Clock::TimePoint since,
                                         std::chrono::milliseconds interval) {
  // After a failure with Retry-After the newcomer is admitted only when that is over, and then
  // another attempt is worth it.
  const std::optional<Error>& last_error = entry->state.last_error();
  const bool failed = last_error && entry->finished_at >= since &&
                      last_error->retry_after == std::chrono::milliseconds(0);
  if (failed) return NewcomerError(*entry);

  const Clock::TimePoint now = clock_.Now();
  if (!entry->Wanted()) {
    // Nobody else says how often to refresh.
    const bool first = entry->interval == std::chrono::milliseconds(0);
    entry->interval = first ? interval : std::min(entry->interval, interval);
  }
  entry->awaited_until = now + kPollGrace;
  Release(*entry);
  StartAttempt(entry, /*urgent=*/true);

  Error error = NoAnswerError(*entry);
  const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(now - since);
  const auto left = options_.open_timeout - waited;
  if (left > std::chrono::milliseconds(0)) {
    error.retry_after = std::min(std::clamp(waited / 10, kMinPause, kMaxPause), left);
  }
  return error;
}

Result<Subscription> EnvironmentCache::Impl::Subscribe(Request request,
                                                       const std::stop_token& stop) {
  const auto interval =
      std::max(request.interval.value_or(options_.default_interval), kMinInterval);
  const Clock::TimePoint deadline = clock_.Now() + options_.open_timeout;
  Waiter waiter(interval);
  EntryPtr entry;
  std::uint64_t finished_before = 0;
  {
    MutexLock lock(mutex_);
    entry = FindOrCreate(request);
    const EnvironmentState::Admission admission = entry->state.Admit(clock_.Now());
    if (admission == EnvironmentState::Admission::kServe) {
      ++stats_.hits;
      return AddSubscriber(entry, std::move(request.on_change), interval);
    }
    if (admission == EnvironmentState::Admission::kReject) {
      return std::unexpected(NewcomerError(*entry));
    }
    if (request.since) {
      return std::unexpected(AnswerPoll(entry, *request.since, interval));
    }
    finished_before = entry->attempts_finished;
    entry->waiters.push_back(&waiter);
    entry->UpdateInterval();
    StartAttempt(entry, /*urgent=*/true);
  }
  waiter.waker.SleepUntil(clock_, deadline, stop);

  MutexLock lock(mutex_);
  std::erase(entry->waiters, &waiter);
  if (entry->state.Admit(clock_.Now()) == EnvironmentState::Admission::kServe) {
    return AddSubscriber(entry, std::move(request.on_change), interval);
  }
  Release(*entry);
  if (entry->attempts_finished != finished_before) {
    return std::unexpected(NewcomerError(*entry));
  }
  if (stop.stop_requested()) {
    return MakeError(Code::kCancelled,
                     "open environment " + entry->key.ref.ToString() + ": cancelled");
  }
  return std::unexpected(NoAnswerError(*entry));
}

EnvironmentCache::EnvironmentCache(Options options, Clock& clock)
    : impl_(std::make_unique<Impl>(options, clock)) {}
EnvironmentCache::~EnvironmentCache() = default;

Result<Subscription> EnvironmentCache::Subscribe(Request request, std::stop_token stop) {
  return impl_->Subscribe(std::move(request), stop);
}
int EnvironmentCache::RefreshNow(std::string_view environment) {
  return impl_->RefreshNow(environment);
}
int EnvironmentCache::EnvironmentChanged(const esc::EnvironmentRef& ref,
                                         std::chrono::milliseconds within) {
  return impl_->EnvironmentChanged(ref, within);
}
void EnvironmentCache::HeadsChanged(const std::vector<EnvironmentKey>& targets,
                                    std::chrono::milliseconds within) {
  impl_->HeadsChanged(targets, within);
}
std::vector<EnvironmentStatus> EnvironmentCache::List() const { return impl_->List(); }
CacheStats EnvironmentCache::Stats() const { return impl_->Stats(); }

}  // namespace escagent::cache
