#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "agent/mirror/cron_schedule.h"

namespace escagent::mirror {

using TimeOfDay = std::chrono::system_clock::time_point;

// spec.syncWindows of an ExternalSecret: when periodic refreshes happen. Nothing else waits for
// them: a new or changed object is synced at once (eso-compat.md 1.2). Immutable plain data.
struct SyncWindows {
  struct Window {
    CronSchedule start;  // UTC
    std::chrono::milliseconds duration{0};
  };
  // allow: only inside of a window; deny: only outside of all of them.
  bool deny = false;
  std::vector<Window> windows;  // none: always open
};

// Whether periodic refreshes may happen at `now`. A window holds its first and its last second.
bool Open(const SyncWindows& windows, TimeOfDay now);

// The first second after `now` at which Open() differs from now; nothing when it stays as it is
// for as far as can be told (5 years, or 500 starts and ends of overlapping windows).
std::optional<TimeOfDay> NextChange(const SyncWindows& windows, TimeOfDay now);

}  // namespace escagent::mirror
