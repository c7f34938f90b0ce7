#pragma once

#include "agent/mirror/external_secret.h"

namespace escagent::mirror {

// Whether an ExternalSecret is to be synced now, whatever its source says: it was never synced, its
// target is not as it was left (`target_valid` false: missing, or not IsIntact()), or it was
// changed since (refreshPolicy Periodic with an interval, and OnChange). An object with
// refreshPolicy CreatedOnce, or Periodic without an interval, that is in sync stays as it is
// (eso-compat.md 1.2).
//
// When this is false, only objects with RefreshesPeriodically() follow their source.
bool MustSync(const ExternalSecret& object, bool target_valid);

}  // namespace escagent::mirror
