#include "agent/command/signals.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "base/unique_fd.h"

namespace escagent::command {
namespace {

sigset_t HandledSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

void Signals::Block() {
  const sigset_t set = HandledSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int Signals::Wait() {
  const sigset_t set = HandledSignals();
  while (true) {
    if (const int signal = sigwaitinfo(&set, nullptr); signal > 0) return signal;
  }
}

int Signals::WaitOr(int fd) {
  const sigset_t set = HandledSignals();
  const UniqueFd signals(signalfd(-1, &set, SFD_CLOEXEC));
  std::array<pollfd, 2> fds = {{{.fd = signals.Get(), .events = POLLIN, .revents = 0},
                                {.fd = fd, .events = POLLIN, .revents = 0}}};
  while (true) {
    if (poll(fds.data(), fds.size(), -1) < 0) continue;
    signalfd_siginfo info = {};
    if ((fds[0].revents & POLLIN) != 0 &&
        read(signals.Get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
      return static_cast<int>(info.ssi_signo);
    }
    if (fds[1].revents != 0) return 0;
  }
}

void Signals::Send(int signal) { kill(getpid(), signal); }

void ProtectProcessMemory() {
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  const rlimit none = {.rlim_cur = 0, .rlim_max = 0};
  setrlimit(RLIMIT_CORE, &none);
}

}  // namespace escagent::command
