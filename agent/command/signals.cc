#include "agent/command/signals.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

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

void Signals::Send(int signal) { kill(getpid(), signal); }

void ProtectProcessMemory() {
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  const rlimit none = {.rlim_cur = 0, .rlim_max = 0};
  setrlimit(RLIMIT_CORE, &none);
}

}  // namespace escagent::command
