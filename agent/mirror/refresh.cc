#include "agent/mirror/refresh.h"

#include <algorithm>

#include "agent/mirror/data_hash.h"

namespace escagent::mirror {

bool MustSync(const ExternalSecret& object, bool target_valid) {
  const ExternalSecretStatus& status = object.status;
  if (!target_valid || status.synced_resource_version.empty() || !status.refresh_time) return true;
  const bool follows_changes =
      object.spec.refresh_policy == RefreshPolicy::kOnChange || object.spec.RefreshesPeriodically();
  return follows_changes && status.synced_resource_version != SyncedResourceVersion(object);
}

std::optional<std::chrono::system_clock::time_point> LookedAfterUntil(
    std::span<const Condition> conditions,
    std::optional<std::chrono::system_clock::time_point> refresh_time,
    std::chrono::milliseconds refresh_interval, std::chrono::system_clock::time_point now) {
  const bool ready = std::ranges::any_of(conditions, [](const Condition& condition) {
    return condition.type == kReadyCondition && condition.status == "True";
  });
  if (!ready || !refresh_time) return std::nullopt;
  if (refresh_interval.count() <= 0) return now + std::chrono::hours(1);
  const auto due = *refresh_time + 2 * refresh_interval;
  if (due <= now) return std::nullopt;
  return due;
}

}  // namespace escagent::mirror
