#pragma once

#include "fuse/libfuse.h"

namespace escagent::fuse {

// libfuse's callbacks; their user data is the Session. They only use memory, never log, and answer
// before they return.
const fuse_lowlevel_ops& SessionOps();

}  // namespace escagent::fuse
