// What DropPrivileges takes: seen in /proc, and tried.
#include "base/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "base/syscall_filter.h"
#include "tests/component/base/sandbox_fixture.h"

namespace escagent::testing {
namespace {

#ifdef ESC_AGENT_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

const std::string kNoCapabilities(16, '0');

void RequireNoCapabilities() {
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    Require(StatusLine(set) == kNoCapabilities, std::string(set) + " is empty");
  }
  Require(StatusLine("NoNewPrivs") == "1", "no_new_privs");
  Require(StatusLine("Seccomp") == "2", "a seccomp filter");
}

TEST(SandboxTest, RootKeepsNothing) {
  if (getuid() != 0) GTEST_SKIP() << "needs root";
  ExpectGood([] {
    RequireDropped();
    RequireNoCapabilities();
    Require(StatusLine("CapBnd") == kNoCapabilities, "CapBnd is empty");
    Require(prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) != 0, "securebits are set");
    Require(open("/proc/1/mem", O_RDWR | O_CLOEXEC) < 0, "no CAP_SYS_PTRACE");
  });
}

TEST(SandboxTest, AnyUserCanDropPrivileges) {
  ExpectGood([] {
    BecomeNobody();
    RequireDropped();
    RequireNoCapabilities();
  });
}

struct DeadlyCall {
  const char* name;
  void (*make)();
  bool sanitizers_need_it = false;
};

class DeadlyCallTest : public ::testing::TestWithParam<DeadlyCall> {};

TEST_P(DeadlyCallTest, KillsTheProcess) {
  if (kSanitized && GetParam().sanitizers_need_it) GTEST_SKIP() << "sanitizers need it";
  const int status = StatusOfChild([] {
    RequireDropped();
    GetParam().make();
  });
  ASSERT_TRUE(WIFSIGNALED(status)) << "exit code " << WEXITSTATUS(status);
  EXPECT_EQ(WTERMSIG(status), SIGSYS);
}

constexpr DeadlyCall kDeadlyCalls[] = {
    {"execve",
     [] {
       std::array<char*, 1> none = {nullptr};
       execve("/bin/true", none.data(), none.data());
     },
     true},
    {"ptrace", [] { ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }, true},
    {"personality", [] { syscall(SYS_personality, 0xffffffffUL); }, true},
    {"mount", [] { mount("none", "/mnt", "tmpfs", 0, nullptr); }},
    {"umount", [] { umount2("/mnt", MNT_DETACH); }},
    {"fsopen", [] { syscall(SYS_fsopen, "tmpfs", 0); }},
    {"move_mount", [] { syscall(SYS_move_mount, -1, "", -1, "", 0); }},
    {"open_tree", [] { syscall(SYS_open_tree, -1, "/", 0); }},
    {"mount_setattr", [] { syscall(SYS_mount_setattr, -1, "/", 0, nullptr, 0); }},
    {"chroot", [] { syscall(SYS_chroot, "/"); }},
    {"unshare", [] { unshare(CLONE_NEWNS); }},
    {"setns", [] { setns(-1, 0); }},
    {"bpf", [] { syscall(SYS_bpf, 0, nullptr, 0); }},
    {"keyctl", [] { syscall(SYS_keyctl, 0, 0, 0, 0, 0); }},
    {"init_module", [] { syscall(SYS_init_module, nullptr, 0, ""); }},
    {"process_vm_readv", [] { syscall(SYS_process_vm_readv, 1, nullptr, 0, nullptr, 0, 0); }},
    {"userfaultfd", [] { syscall(SYS_userfaultfd, 0); }},
    {"perf_event_open", [] { syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0); }},
#ifdef __x86_64__
    // getpid of the x32 ABI, whose numbers a filter for x86-64 does not know.
    {"x32", [] { syscall(0x40000000 + SYS_getpid); }},
#endif
};

INSTANTIATE_TEST_SUITE_P(All, DeadlyCallTest, ::testing::ValuesIn(kDeadlyCalls),
                         [](const auto& deadly) { return std::string(deadly.param.name); });

void RequireErrno(long result, int expected, const std::string& what) {
  const int error = errno;
  Require(result == -1 && error == expected, what + " is refused");
}

TEST(SandboxTest, OtherCallsAreRefused) {
  ExpectGood([] {
    RequireDropped();
    RequireErrno(socket(AF_PACKET, SOCK_DGRAM, 0), EPERM, "a packet socket");
    RequireErrno(socket(AF_VSOCK, SOCK_STREAM, 0), EPERM, "a vsock socket");
    RequireErrno(socket(AF_ALG, SOCK_SEQPACKET, 0), EPERM, "a crypto socket");
    RequireErrno(socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT), EPERM, "uevents");
    RequireErrno(ioctl(0, TIOCSTI, "x"), EPERM, "typing for the terminal");
    RequireErrno(syscall(SYS_io_uring_setup, 1, nullptr), EPERM, "io_uring");
    RequireErrno(syscall(SYS_setuid, 0), EPERM, "another user");
    RequireErrno(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, nullptr), EPERM, "a filter");
    RequireErrno(syscall(SYS_mprotect, 0, 0, PROT_READ | PROT_EXEC), EPERM, "making executable");
    RequireErrno(
        syscall(SYS_mmap, 0, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
        EPERM, "memory to write and execute");
    RequireErrno(syscall(SYS_prlimit64, getppid(), 0, nullptr, nullptr), EPERM, "another's limits");
  });
}

TEST(SandboxTest, WhatSanitizersNeedIsRefused) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need it";
  ExpectGood([] {
    RequireDropped();
    RequireErrno(fork(), EPERM, "fork");
    RequireErrno(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), EPERM, "being dumpable");
    RequireErrno(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), EPERM, "a namespace");
    RequireErrno(syscall(SYS_clone, CLONE_THREAD | CLONE_NEWNET, 0, 0, 0, 0), EPERM,
                 "a thread in a namespace");
    RequireErrno(kill(getppid(), 0), EPERM, "a signal to another");
    Require(kill(getpid(), 0) == 0, "a signal to itself");
  });
}

TEST(SandboxTest, NewCallsLookAsIfTheKernelHadNone) {
  ExpectGood([] {
    RequireDropped();
    RequireErrno(syscall(SYS_clone3, nullptr, 0), ENOSYS, "clone3");
    for (const long call : {451L, 452L, 462L, 500L}) {
      RequireErrno(syscall(call, -1, nullptr, 0, 0), ENOSYS, "call " + std::to_string(call));
    }
  });
}

// A filter that answers `call` with `error` and allows the rest, for the calling thread.
void AnswerCall(unsigned call, unsigned error) {
  std::array<sock_filter, 4> code = {{
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, call},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | error},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  }};
  const sock_fprog program{.len = code.size(), .filter = code.data()};
  Require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
  Require(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "the test's own filter");
}

TEST(SandboxTest, AKernelWithoutSeccompIsAnError) {
  ExpectGood([] {
    AnswerCall(SYS_seccomp, ENOSYS);
    const Status dropped = DropPrivileges();
    Require(!dropped && dropped.error().code == Code::kUnimplemented, "UNIMPLEMENTED");
    Require(dropped.error().message.find("CONFIG_SECCOMP_FILTER") != std::string::npos, "advice");
  });
}

// A thread that was started before, and does as it is told after.
class EarlyThread {
 public:
  explicit EarlyThread(std::function<void()> before, std::function<void()> after)
      : thread_([this, before = std::move(before), after = std::move(after)] {
          before();
          started_.set_value();
          go_.get_future().wait();
          after();
        }) {
    started_.get_future().wait();
  }
  void GoOn() {
    go_.set_value();
    thread_.join();
  }

 private:
  std::promise<void> started_;
  std::promise<void> go_;
  std::jthread thread_;
};

TEST(SandboxTest, ThreadsThatExistAreFilteredToo) {
  ExpectGood([] {
    BecomeNobody();
    EarlyThread thread([] {},
                       [] {
                         RequireNoCapabilities();
                         RequireErrno(socket(AF_PACKET, SOCK_DGRAM, 0), EPERM, "a packet socket");
                       });
    RequireDropped();
    thread.GoOn();
  });
  const int status = StatusOfChild([] {
    BecomeNobody();
    EarlyThread thread([] {}, [] { unshare(CLONE_NEWUSER); });
    RequireDropped();
    thread.GoOn();
  });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) << status;
}

TEST(SandboxTest, AThreadThatKeepsCapabilitiesIsAnError) {
  if (getuid() != 0 || kSanitized) GTEST_SKIP() << "needs root and no sanitizer";
  ExpectGood([] {
    EarlyThread thread([] {}, [] {});
    const Status dropped = DropPrivileges();
    Require(!dropped && dropped.error().code == Code::kFailedPrecondition, "FAILED_PRECONDITION");
    Require(dropped.error().message.find("before threads are started") != std::string::npos,
            "advice");
    Require(StatusLine("CapEff") == kNoCapabilities, "this thread has none");
    thread.GoOn();
  });
}

TEST(SandboxTest, AThreadWithAFilterOfItsOwnIsAnError) {
  ExpectGood([] {
    BecomeNobody();
    EarlyThread thread([] { AnswerCall(SYS_getcpu, ENOSYS); }, [] {});
    const Status dropped = DropPrivileges();
    Require(!dropped && dropped.error().code == Code::kFailedPrecondition, "FAILED_PRECONDITION");
    thread.GoOn();
  });
}

}  // namespace
}  // namespace escagent::testing
