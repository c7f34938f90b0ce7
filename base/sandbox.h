#pragma once

#include "base/result.h"

namespace escagent {

// Takes from this process, for good, what an agent that has a keeper does not need: all
// capabilities (effective, permitted, inheritable, ambient, bounding), the way back to any
// (no_new_privs, securebits), and all system calls but those of the list in base/syscall_filter.h.
// Memory is ProtectProcessMemory's part (agent/command/signals.h).
//
// Runs as any user. Without CAP_SETPCAP the bounding set and the securebits stay as they are, which
// no_new_privs makes harmless.
//
// Capabilities belong to threads, and each can only drop its own: call it before any thread is
// started. Threads that have no capabilities anyway get the rest, as all threads started later do.
//
// An error says what is missing, and to whom: FAILED_PRECONDITION when another thread still has
// capabilities or a filter of its own, UNIMPLEMENTED when the kernel has no seccomp. The process
// then has less than before, but not as little as it should: end it, or go on knowingly.
Status DropPrivileges();

}  // namespace escagent
