#include "agent/mirror/refresh.h"

#include "agent/mirror/data_hash.h"

namespace escagent::mirror {

bool MustSync(const ExternalSecret& object, bool target_valid) {
  const ExternalSecretStatus& status = object.status;
  if (!target_valid || status.synced_resource_version.empty() || !status.refresh_time) return true;
  const bool follows_changes =
      object.spec.refresh_policy == RefreshPolicy::kOnChange || object.spec.RefreshesPeriodically();
  return follows_changes && status.synced_resource_version != SyncedResourceVersion(object);
}

}  // namespace escagent::mirror
