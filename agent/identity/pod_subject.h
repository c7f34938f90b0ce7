#pragma once

#include <memory>
#include <optional>
#include <stop_token>

#include "agent/identity/service_account_token.h"
#include "agent/identity/subject_source.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"

namespace escagent::identity {

// The newest token that kubelet has sent for the pods of one service account. Thread-safe.
class PodSubject final : public SubjectSource {
 public:
  explicit PodSubject(const Clock& clock) : clock_(clock) {}

  // Keeps it if it is good for longer than the one before.
  void Offer(const ServiceAccountToken& token) EXCLUDES(mutex_);

  // UNAVAILABLE when there is none, or it has expired: kubelet brings another one.
  Result<Secret> Get(const std::stop_token& stop) override EXCLUDES(mutex_);

 private:
  const Clock& clock_;
  Mutex mutex_;
  Secret jwt_ GUARDED_BY(mutex_);
  std::optional<Clock::WallTime> expires_at_ GUARDED_BY(mutex_);
};

}  // namespace escagent::identity
