#pragma once

namespace escagent::command {

// Signals as a queue that the main thread waits on. Block() comes before the first thread is
// started, as threads inherit the mask.
class Signals {
 public:
  // Blocks SIGINT, SIGTERM and SIGHUP for this thread and those it starts, and ignores SIGPIPE.
  static void Block();
  // Waits for one of the blocked signals.
  static int Wait();
  // The same, but returns 0 when `fd` becomes readable first.
  static int WaitOr(int fd);
  // Makes Wait() return `signal`. From any thread.
  static void Send(int signal);
};

// Keeps values out of core dumps and away from ptrace by other processes of the user
// (prctl(PR_SET_DUMPABLE, 0), RLIMIT_CORE 0).
void ProtectProcessMemory();

}  // namespace escagent::command
