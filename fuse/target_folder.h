#pragma once

#include <string>

#include "base/result.h"

namespace escagent::fuse {

// The folder that a volume is mounted on. kubelet creates its parent, the driver creates and
// removes the folder itself (reference/csi-contract.md 1.3, 1.8). Neither function touches what is
// mounted there: a dead FUSE mount answers every stat with ENOTCONN, or not at all.

// Creates the folder with mode 0750. True when it was created, false when it was there already.
// `is_mount_point`: then what is there is a folder, without looking.
Result<bool> CreateTarget(const std::string& path, bool is_mount_point);

// Removes the folder; OK when it is gone. Never what is in it: that is nobody's we know.
Status RemoveTarget(const std::string& path);

}  // namespace escagent::fuse
