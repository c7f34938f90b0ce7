#include "base/syscall_filter.h"

#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace escagent {
namespace {

#ifdef ESC_AGENT_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// set_mempolicy_home_node of Linux 5.17. Newer calls than that, of which the list below cannot
// know, have higher numbers, on all architectures the same.
constexpr int kNewestCall = 450;
constexpr int kPastAnyCall = 600;

constexpr int kAllowed[] = {
    // Files. What they may reach is up to the user and the mounts.
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64),
    SCMP_SYS(pwrite64), SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(preadv2), SCMP_SYS(pwritev2),
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(close), SCMP_SYS(close_range),
    SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
    SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(access), SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents),
    SCMP_SYS(getdents64), SCMP_SYS(getcwd), SCMP_SYS(lseek), SCMP_SYS(dup), SCMP_SYS(dup2),
    SCMP_SYS(dup3), SCMP_SYS(fcntl), SCMP_SYS(flock), SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
    SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir),
    SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2),
    SCMP_SYS(symlink), SCMP_SYS(symlinkat), SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat),
    SCMP_SYS(chown), SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(utimensat), SCMP_SYS(umask),
    SCMP_SYS(sendfile), SCMP_SYS(copy_file_range), SCMP_SYS(splice), SCMP_SYS(vmsplice),
    // Memory.
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(msync),
    SCMP_SYS(mlock), SCMP_SYS(mlock2), SCMP_SYS(munlock), SCMP_SYS(memfd_create),
    SCMP_SYS(memfd_secret), SCMP_SYS(membarrier),
    // Waiting, and what is waited for.
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(epoll_create),
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2), SCMP_SYS(eventfd), SCMP_SYS(eventfd2), SCMP_SYS(signalfd),
    SCMP_SYS(signalfd4), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
    SCMP_SYS(timerfd_gettime), SCMP_SYS(pipe), SCMP_SYS(pipe2),
    // Sockets; socket and socketpair are below.
    SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(connect),
    SCMP_SYS(shutdown), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg),
    // Threads and signals.
    SCMP_SYS(futex), SCMP_SYS(futex_waitv), SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list),
    SCMP_SYS(set_tid_address), SCMP_SYS(rseq), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigpending),
    SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigsuspend), SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall), SCMP_SYS(pause), SCMP_SYS(exit), SCMP_SYS(exit_group),
    // Time, who and where we are.
    SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(times), SCMP_SYS(getpid), SCMP_SYS(gettid),
    SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
    SCMP_SYS(getresuid), SCMP_SYS(getresgid), SCMP_SYS(getgroups), SCMP_SYS(capget),
    SCMP_SYS(getrlimit), SCMP_SYS(getrusage), SCMP_SYS(getcpu), SCMP_SYS(sysinfo), SCMP_SYS(uname),
    SCMP_SYS(getrandom)};

constexpr int kDeadly[] = {SCMP_SYS(execve),
                           SCMP_SYS(execveat),
                           SCMP_SYS(ptrace),
                           SCMP_SYS(process_vm_readv),
                           SCMP_SYS(process_vm_writev),
                           SCMP_SYS(pidfd_getfd),
                           SCMP_SYS(kcmp),
                           SCMP_SYS(mount),
                           SCMP_SYS(umount),
                           SCMP_SYS(umount2),
                           SCMP_SYS(move_mount),
                           SCMP_SYS(open_tree),
                           SCMP_SYS(fsopen),
                           SCMP_SYS(fsconfig),
                           SCMP_SYS(fsmount),
                           SCMP_SYS(fspick),
                           SCMP_SYS(mount_setattr),
                           SCMP_SYS(pivot_root),
                           SCMP_SYS(chroot),
                           SCMP_SYS(open_by_handle_at),
                           SCMP_SYS(setns),
                           SCMP_SYS(unshare),
                           SCMP_SYS(bpf),
                           SCMP_SYS(perf_event_open),
                           SCMP_SYS(userfaultfd),
                           SCMP_SYS(init_module),
                           SCMP_SYS(finit_module),
                           SCMP_SYS(delete_module),
                           SCMP_SYS(kexec_load),
                           SCMP_SYS(kexec_file_load),
                           SCMP_SYS(reboot),
                           SCMP_SYS(swapon),
                           SCMP_SYS(swapoff),
                           SCMP_SYS(keyctl),
                           SCMP_SYS(add_key),
                           SCMP_SYS(request_key),
                           SCMP_SYS(personality),
                           SCMP_SYS(ioperm),
                           SCMP_SYS(iopl)};

// Of those above and of those with conditions below.
constexpr int kAllowedToSanitizers[] = {SCMP_SYS(execve), SCMP_SYS(ptrace), SCMP_SYS(personality),
                                        SCMP_SYS(clone),  SCMP_SYS(kill),   SCMP_SYS(prctl),
                                        SCMP_SYS(wait4)};

// A condition on argument `index`. Only its low 32 bits count: the kernel looks at no more of the
// arguments that we compare.
scmp_arg_cmp Bits(unsigned index, std::uint32_t mask, std::uint32_t value) {
  return {.arg = index, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}
scmp_arg_cmp Equals(unsigned index, std::uint32_t value) { return Bits(index, ~0U, value); }

// libseccomp's filter under construction. Keeps the first error.
class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_ERRNO(EPERM))) {
    if (context_ == nullptr) error_ = ENOMEM;
  }
  ~Filter() { seccomp_release(context_); }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  void Set(scmp_filter_attr attribute, std::uint32_t value) {
    if (error_ == 0) error_ = -seccomp_attr_set(context_, attribute, value);
  }
  // A call that this architecture does not have adds nothing.
  void Add(std::uint32_t action, int call, const std::vector<scmp_arg_cmp>& conditions = {}) {
    if (error_ != 0) return;
    error_ = -seccomp_rule_add_array(context_, action, call,
                                     static_cast<unsigned>(conditions.size()), conditions.data());
  }
  void Allow(int call, const std::vector<scmp_arg_cmp>& conditions = {}) {
    Add(SCMP_ACT_ALLOW, call, conditions);
  }
  // An errno; 0 when all is well.
  int Load() { return error_ != 0 ? error_ : -seccomp_load(context_); }

 private:
  const scmp_filter_ctx context_;
  int error_ = 0;
};

void AllowSockets(Filter& filter) {
  for (const int family : {AF_UNIX, AF_INET, AF_INET6}) {
    filter.Allow(SCMP_SYS(socket), {Equals(0, static_cast<std::uint32_t>(family))});
  }
  constexpr std::uint32_t kRouting = 0;  // NETLINK_ROUTE
  filter.Allow(SCMP_SYS(socket), {Equals(0, AF_NETLINK), Equals(2, kRouting)});
  filter.Allow(SCMP_SYS(socketpair), {Equals(0, AF_UNIX)});
}

void AllowMemory(Filter& filter) {
  filter.Allow(SCMP_SYS(mmap), {Bits(2, PROT_EXEC, 0)});
  // Libraries that are loaded late, such as those of name resolution.
  filter.Allow(SCMP_SYS(mmap), {Bits(2, PROT_EXEC | PROT_WRITE, PROT_EXEC)});
  filter.Allow(SCMP_SYS(mprotect), {Bits(2, PROT_EXEC, 0)});
}

void AllowThreads(Filter& filter) {
  // A thread, and in no namespace of its own. (A process of its own would outlive a kill of this
  // one.)
  constexpr std::uint32_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                        CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
  filter.Allow(SCMP_SYS(clone), {Bits(0, kNamespaces | CLONE_THREAD, CLONE_THREAD)});
  // Its flags are in memory, where a filter cannot look; glibc goes back to clone.
  filter.Add(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
  const auto self = static_cast<std::uint32_t>(getpid());
  filter.Allow(SCMP_SYS(kill), {Equals(0, self)});
  filter.Allow(SCMP_SYS(tgkill), {Equals(0, self)});
  filter.Allow(SCMP_SYS(prlimit64), {Equals(0, 0)});
  filter.Allow(SCMP_SYS(setrlimit));
}

void AllowRequests(Filter& filter) {
  // FUSE_DEV_IOC_CLONE of <linux/fuse.h>.
  constexpr std::uint32_t kCloneFuseDevice = _IOR(229, 0, std::uint32_t);
  for (const std::uint32_t request :
       {std::uint32_t{TCGETS}, std::uint32_t{TIOCGWINSZ}, std::uint32_t{FIONREAD},
        std::uint32_t{FIONBIO}, std::uint32_t{FIOCLEX}, kCloneFuseDevice}) {
    filter.Allow(SCMP_SYS(ioctl), {Equals(1, request)});
  }
  for (const int operation :
       {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_SET_PDEATHSIG, PR_GET_PDEATHSIG,
        PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP, PR_GET_SECUREBITS,
        PR_CAPBSET_READ, PR_SET_TIMERSLACK, PR_SET_VMA}) {
    filter.Allow(SCMP_SYS(prctl), {Equals(0, static_cast<std::uint32_t>(operation))});
  }
  filter.Allow(SCMP_SYS(prctl), {Equals(0, PR_SET_DUMPABLE), Equals(1, 0)});
}

void AddRules(Filter& filter) {
  for (const int call : kAllowed) filter.Allow(call);
  const auto is_for_sanitizers = [](int call) {
    return kSanitized &&
           std::ranges::find(kAllowedToSanitizers, call) != std::ranges::end(kAllowedToSanitizers);
  };
  for (const int call : kDeadly) {
    if (!is_for_sanitizers(call)) filter.Add(SCMP_ACT_KILL_PROCESS, call);
  }
  if (kSanitized) {
    for (const int call : kAllowedToSanitizers) filter.Allow(call);
  }
  AllowSockets(filter);
  AllowMemory(filter);
  AllowThreads(filter);
  AllowRequests(filter);
  for (int call = kNewestCall + 1; call < kPastAnyCall; ++call) {
    filter.Add(SCMP_ACT_ERRNO(ENOSYS), call);
  }
}

}  // namespace

Status FilterSyscalls() {
  Filter filter;
  filter.Set(SCMP_FLTATR_API_SYSRAWRC, 1);  // the kernel's errno
  filter.Set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  filter.Set(SCMP_FLTATR_CTL_NNP, 1);
  filter.Set(SCMP_FLTATR_CTL_TSYNC, 1);
  filter.Set(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // by binary search
  AddRules(filter);
  const std::string context = "limit the system calls";
  switch (const int error = filter.Load(); error) {
    case 0:
      return {};
    case ESRCH:
      return FailedPrecondition(context +
                                ": a thread has a seccomp filter of its own; start threads later");
    case EOPNOTSUPP:
    case EINVAL:
    case ENOSYS:
      return MakeError(Code::kUnimplemented,
                       context +
                           ": this kernel, or the container's seccomp profile, has no seccomp "
                           "filters; run a kernel with CONFIG_SECCOMP_FILTER and a profile that "
                           "allows seccomp(2)");
    default:
      return ErrnoError(error, context);
  }
}

}  // namespace escagent
