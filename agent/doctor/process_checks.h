#pragma once

#include "agent/doctor/finding.h"
#include "agent/doctor/kernel_checks.h"
#include "agent/doctor/node_files.h"

namespace escagent::doctor {

// Whether this process has a capability (CAP_SYS_ADMIN, ...) in effect.
bool HasCapability(const NodeFiles& files, int capability);

// What this process may do, which in a container is what the agent there may do when it starts.

// Whether there is locked memory enough for secrets, or no swap that they could get to.
Finding CheckLockedMemory(const NodeFiles& files);

// User, capabilities and seccomp. `in_pod`: else nothing of it says anything about an agent.
Finding CheckPrivileges(const NodeFiles& files, Vantage vantage, bool in_pod);

}  // namespace escagent::doctor
