#pragma once

#include "base/result.h"

// Sanitizers trace the process (leaks), start a symbolizer, and have calls of their own. Under them
// the filter lets those pass, too.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ESC_AGENT_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ESC_AGENT_SANITIZED 1
#endif
#endif

namespace escagent {

// Limits the system calls of all threads of this process, those that exist and those to come, to a
// list (syscall_filter.cc): what gRPC, libcurl with OpenSSL and the resolver, libfuse on given
// descriptors and our own code need. Sockets are AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK
// (routing, for the resolver) only; new threads are, new processes and programs are not; signals
// only to ourselves; no memory that can be written and executed.
//
// * A call that no honest agent makes (execve, ptrace, mount, setns, bpf, ...) kills the process.
// * clone3, and calls that are newer than the list, fail with ENOSYS: the C library then takes an
//   older one.
// * Everything else fails with EPERM.
//
// Needs no_new_privs, which it sets, and no privilege. UNIMPLEMENTED without seccomp in the kernel,
// FAILED_PRECONDITION when another thread has a filter of its own.
Status FilterSyscalls();

}  // namespace escagent
