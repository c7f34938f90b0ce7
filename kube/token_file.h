#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "kube/token_source.h"

namespace escagent::kube {

// A token in a file that somebody else replaces (kubelet, for service accounts). Looked at again at
// most once a second; one that cannot be read any more leaves the last good token in use.
// Thread-safe.
class TokenFile final : public TokenSource {
 public:
  TokenFile(std::string path, Clock& clock);

  Result<std::shared_ptr<const Secret>> Get(const std::stop_token& stop) override EXCLUDES(mutex_);
  void Refused(const std::shared_ptr<const Secret>& token) override EXCLUDES(mutex_);

 private:
  Result<std::shared_ptr<const Secret>> Read() const;

  const std::string path_;
  Clock& clock_;
  Mutex mutex_;
  std::shared_ptr<const Secret> token_ GUARDED_BY(mutex_);  // null until it was read once
  Clock::TimePoint next_look_ GUARDED_BY(mutex_);
};

}  // namespace escagent::kube
