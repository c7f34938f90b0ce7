#include "kube/rate_limiter.h"

#include <algorithm>
#include <utility>

namespace escagent::kube {
namespace {

constexpr std::uint64_t kOldestEvery = 8;
// A little less than one, as the sum of many small amounts can be.
constexpr double kOneToken = 1 - 1e-6;
// Whatever a server asks for: it is one header of one answer.
constexpr std::chrono::milliseconds kMaxHold = std::chrono::minutes(1);
// For those who are woken up by others.
constexpr std::chrono::hours kLong{1};

void WakeAll(std::vector<std::stop_source>& wakes) {
  for (std::stop_source& wake : wakes) wake.request_stop();
}

std::size_t QueueOf(Priority priority) {
  switch (priority) {
    case Priority::kExempt:
    case Priority::kInteractive:
      return 0;
    case Priority::kNormal:
      return 1;
    case Priority::kBackground:
      return 2;
  }
  return 2;
}

}  // namespace

RateLimiter::Permit& RateLimiter::Permit::operator=(Permit&& other) noexcept {
  if (this != &other) {
    if (limiter_ != nullptr) limiter_->Release();
    limiter_ = std::exchange(other.limiter_, nullptr);
  }
  return *this;
}

RateLimiter::Permit::~Permit() {
  if (limiter_ != nullptr) limiter_->Release();
}

RateLimiter::RateLimiter(Options options, Clock& clock)
    : options_(options),
      clock_(clock),
      tokens_(options.burst),
      refilled_(clock.Now()),
      held_until_(refilled_) {}

Result<RateLimiter::Permit> RateLimiter::Acquire(Priority priority, const std::stop_token& stop) {
  if (priority == Priority::kExempt) return Permit();
  Waiter self;
  Join(self, priority);
  while (true) {
    Turn turn = TakeTurn(self, stop.stop_requested());
    if (turn.kind == Turn::Kind::kGo) return Permit(this);
    if (turn.kind == Turn::Kind::kGiveUp) {
      return MakeError(Code::kCancelled, "wait for the rate limit of the API server: stopped");
    }
    const std::stop_callback forward(stop, [&turn] { turn.wake.request_stop(); });
    clock_.SleepUntil(turn.until, turn.wake.get_token());
  }
}

void RateLimiter::Join(Waiter& waiter, Priority priority) {
  MutexLock lock(mutex_);
  waiter.arrival = arrivals_++;
  waiter.queue = QueueOf(priority);
  queues_[waiter.queue].push_back(&waiter);
}

RateLimiter::Turn RateLimiter::TakeTurn(Waiter& waiter, bool stopped) {
  Turn turn;
  Wakes wakes;
  {
    MutexLock lock(mutex_);
    Admit(wakes);
    if (waiter.admitted || stopped) {
      turn.kind = waiter.admitted ? Turn::Kind::kGo : Turn::Kind::kGiveUp;
      Leave(waiter, wakes);
    } else {
      if (timekeeper_ == nullptr) timekeeper_ = &waiter;
      turn.until = timekeeper_ == &waiter ? NextToken() : clock_.Now() + kLong;
      waiter.wake = turn.wake;
    }
  }
  WakeAll(wakes);
  return turn;
}

void RateLimiter::Leave(Waiter& waiter, Wakes& wakes) {
  if (!waiter.admitted) std::erase(queues_[waiter.queue], &waiter);
  // Without a timekeeper this may be who was woken up to become it, and was admitted before.
  if (timekeeper_ != nullptr && timekeeper_ != &waiter) return;
  timekeeper_ = nullptr;
  if (const Waiter* next = Next(); next != nullptr) wakes.push_back(next->wake);
}

void RateLimiter::Release() {
  Wakes wakes;
  {
    MutexLock lock(mutex_);
    --in_flight_;
    Admit(wakes);
    // It may have slept for want of a place, not of a token.
    if (Next() != nullptr && timekeeper_ != nullptr) wakes.push_back(timekeeper_->wake);
  }
  WakeAll(wakes);
}

void RateLimiter::HoldBack(std::chrono::milliseconds duration) {
  MutexLock lock(mutex_);
  held_until_ = std::max(held_until_, clock_.Now() + std::min(duration, kMaxHold));
}

void RateLimiter::Refill() {
  const Clock::TimePoint now = clock_.Now();
  const std::chrono::duration<double> passed = now - refilled_;
  tokens_ = std::min(options_.burst, tokens_ + passed.count() * options_.qps);
  refilled_ = now;
}

void RateLimiter::Admit(Wakes& wakes) {
  Refill();
  if (refilled_ < held_until_) return;
  while (in_flight_ < options_.max_in_flight && tokens_ >= kOneToken) {
    Waiter* next = Next();
    if (next == nullptr) return;
    std::erase(queues_[next->queue], next);
    next->admitted = true;
    wakes.push_back(next->wake);
    tokens_ = std::max(0.0, tokens_ - 1);
    ++in_flight_;
    ++admitted_;
  }
}

RateLimiter::Waiter* RateLimiter::Next() const {
  const bool oldest = admitted_ % kOldestEvery == kOldestEvery - 1;
  Waiter* next = nullptr;
  for (const std::deque<Waiter*>& queue : queues_) {
    if (queue.empty()) continue;
    if (!oldest) return queue.front();
    if (next == nullptr || queue.front()->arrival < next->arrival) next = queue.front();
  }
  return next;
}

Clock::TimePoint RateLimiter::NextToken() const {
  if (in_flight_ >= options_.max_in_flight) return clock_.Now() + kLong;
  const std::chrono::duration<double> wait(std::max(0.0, 1 - tokens_) / options_.qps);
  const auto due = refilled_ + std::chrono::ceil<Clock::TimePoint::duration>(wait);
  return std::max(due, held_until_);
}

}  // namespace escagent::kube
