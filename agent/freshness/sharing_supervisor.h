#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "agent/freshness/probe_sharing.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "kube/api.h"

namespace escagent::freshness {

// Shares looks at ESC where this agent may: asks the API server about its rights first, says once
// what is missing and looks again now and then; and ends the sharing for a while when nothing can
// be written, so that other agents do not rely on this one. Without it each agent asks by itself.
//
// Thread-safe. One thread, which makes and destroys what `factory` makes. Borrows api and clock.
class SharingSupervisor {
 public:
  struct Options {
    std::string namespace_name;
    // Between two looks at the rights that are missing.
    std::chrono::milliseconds rights_again{std::chrono::minutes(10)};
    // After an end because of writes that fail.
    std::chrono::milliseconds pause{60000};
  };
  using Factory = std::function<std::unique_ptr<ProbeSharing>(ProbeSharing::OnBroken on_broken)>;

  SharingSupervisor(Options options, kube::Api& api, Factory factory, Clock& clock);
  // Lets others have the shards at once.
  ~SharingSupervisor();
  SharingSupervisor(const SharingSupervisor&) = delete;
  SharingSupervisor& operator=(const SharingSupervisor&) = delete;

  // Nothing while this agent does not share.
  std::optional<ProbeSharing::Stats> GetStats() const EXCLUDES(mutex_);

 private:
  void Run(const std::stop_token& stop) EXCLUDES(mutex_);
  // Until it is broken, or `stop`.
  void Share(const std::stop_token& stop) EXCLUDES(mutex_);
  // PERMISSION_DENIED names the first right that this agent lacks.
  Status MayShare(const std::stop_token& stop);

  const Options options_;
  kube::Api& api_;
  const Factory factory_;
  Clock& clock_;
  mutable Mutex mutex_;
  std::unique_ptr<ProbeSharing> sharing_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace escagent::freshness
