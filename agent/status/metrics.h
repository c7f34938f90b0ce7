#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "agent/cache/environment_cache.h"
#include "agent/status/report.h"
#include "agent/volume/volume_status.h"
#include "base/mutex.h"
#include "base/result.h"

namespace escagent::status {

// The agent's metrics in Prometheus' text format (esc_agent_*; docs/operations.md has the list).
// What events tell (RPCs, volume events) is counted here; everything else is read from the report
// when somebody scrapes. Labels are names, codes and environments, never values. Thread-safe.
class Metrics {
 public:
  // For csi::RpcObserver.
  void CountRpc(std::string_view method, Code code, std::chrono::nanoseconds duration)
      EXCLUDES(mutex_);
  // For volume::VolumeObserver.
  void CountVolumeEvent(const volume::VolumeEvent& event) EXCLUDES(mutex_);

  std::string Serialize(const Report& report, const cache::CacheStats& cache) const
      EXCLUDES(mutex_);

 private:
  // Upper bounds in seconds: a warm publish takes milliseconds, a cold one waits for ESC.
  static constexpr std::array<double, 10> kBuckets = {0.001, 0.0025, 0.005, 0.01, 0.025,
                                                      0.1,   0.5,    1,     5,    10};
  struct Histogram {
    std::array<std::uint64_t, kBuckets.size()> counts{};  // not cumulative
    std::uint64_t total = 0;
    double sum = 0;
  };

  mutable Mutex mutex_;
  std::map<std::string, Histogram> rpc_seconds_ GUARDED_BY(mutex_);
  // (method, code) and (event, outcome)
  std::map<std::pair<std::string, std::string>, std::uint64_t> rpcs_ GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::string>, std::uint64_t> events_ GUARDED_BY(mutex_);
};

}  // namespace escagent::status
