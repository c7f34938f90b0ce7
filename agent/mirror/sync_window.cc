#include "agent/mirror/sync_window.h"

#include <algorithm>

namespace escagent::mirror {
namespace {

// The start that makes a window active at `now`: the first one that is not over yet.
std::optional<TimeOfDay> ActiveStart(const SyncWindows::Window& window, TimeOfDay now) {
  const std::optional<TimeOfDay> start = window.start.NextAtOrAfter(now - window.duration);
  return start && *start <= now ? start : std::nullopt;
}

// The next second after `now` at which this window may start or end.
std::optional<TimeOfDay> NextBoundary(const SyncWindows::Window& window, TimeOfDay now) {
  std::optional<TimeOfDay> next = window.start.NextAtOrAfter(now + std::chrono::seconds(1));
  if (const std::optional<TimeOfDay> start = ActiveStart(window, now)) {
    const TimeOfDay over = *start + window.duration + std::chrono::seconds(1);
    next = next ? std::min(*next, over) : over;
  }
  return next;
}

}  // namespace

bool Open(const SyncWindows& windows, TimeOfDay now) {
  if (windows.windows.empty()) return true;
  const TimeOfDay second = std::chrono::floor<std::chrono::seconds>(now);
  const bool inside = std::ranges::any_of(windows.windows, [second](const auto& window) {
    return ActiveStart(window, second).has_value();
  });
  return inside != windows.deny;
}

std::optional<TimeOfDay> NextChange(const SyncWindows& windows, TimeOfDay now) {
  constexpr int kMaxBoundaries = 500;
  const TimeOfDay horizon = now + std::chrono::years(5);
  const bool open = Open(windows, now);
  TimeOfDay time = std::chrono::floor<std::chrono::seconds>(now);
  for (int i = 0; i < kMaxBoundaries; ++i) {
    std::optional<TimeOfDay> next;
    for (const SyncWindows::Window& window : windows.windows) {
      const std::optional<TimeOfDay> boundary = NextBoundary(window, time);
      if (boundary && (!next || *boundary < *next)) next = boundary;
    }
    if (!next || *next > horizon) return std::nullopt;
    if (Open(windows, *next) != open) return next;
    time = *next;
  }
  return std::nullopt;
}

}  // namespace escagent::mirror
