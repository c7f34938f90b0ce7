#include "agent/status/freshness_log.h"

#include <algorithm>
#include <stop_token>
#include <utility>

#include "base/thread.h"

namespace escagent::status {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using State = FreshnessMinute::State;

constexpr std::chrono::seconds kEvery{10};
// A HEAD may take its time without anything being wrong.
constexpr std::chrono::seconds kGrace{10};

FreshnessMinute Now(const cache::EnvironmentStatus& environment, Clock::TimePoint now) {
  FreshnessMinute minute;
  if (environment.fresh_at) {
    minute.oldest =
        std::max(milliseconds(0), duration_cast<milliseconds>(now - *environment.fresh_at));
    minute.state = minute.oldest > 2 * environment.interval + kGrace ? State::kLate : State::kFresh;
  }
  if (environment.last_error) minute.state = State::kFailing;
  return minute;
}

}  // namespace

FreshnessLog::FreshnessLog(List list, Clock& clock)
    : list_(std::move(list)),
      clock_(clock),
      minute_(duration_cast<std::chrono::minutes>(clock.Now().time_since_epoch())),
      thread_(StartThread("freshness", [this](const std::stop_token& stop) {
        do {
          Look();
        } while (clock_.SleepUntil(clock_.Now() + kEvery, stop));
      })) {}

FreshnessHours FreshnessLog::LastHour() const {
  MutexLock lock(mutex_);
  return hours_;
}

void FreshnessLog::Look() {
  const std::vector<cache::EnvironmentStatus> environments = list_();
  const Clock::TimePoint now = clock_.Now();
  MutexLock lock(mutex_);
  MoveTo(now);
  for (const cache::EnvironmentStatus& environment : environments) {
    const FreshnessMinute seen = Now(environment, now);
    if (seen.state == State::kUnknown) continue;
    FreshnessMinute& minute = hours_[environment.key].back();
    minute.state = std::max(minute.state, seen.state);
    minute.oldest = std::max(minute.oldest, seen.oldest);
  }
}

void FreshnessLog::MoveTo(Clock::TimePoint now) {
  const auto minute = duration_cast<std::chrono::minutes>(now.time_since_epoch());
  const std::int64_t passed = (minute - minute_).count();
  if (passed <= 0) return;
  minute_ = minute;
  for (auto& [key, hour] : hours_) {
    const auto kept = std::max<std::int64_t>(0, std::ssize(hour) - passed);
    std::shift_left(hour.begin(), hour.end(), passed);
    std::fill(hour.begin() + kept, hour.end(), FreshnessMinute());
  }
  std::erase_if(hours_, [](const auto& entry) {
    return std::ranges::all_of(entry.second,
                               [](const FreshnessMinute& m) { return m.state == State::kUnknown; });
  });
}

}  // namespace escagent::status
