#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace escagent::testing {

// A child process whose stdout and stderr go to files. Killed and reaped on destruction, and by the
// kernel when the test dies (PR_SET_PDEATHSIG).
class Process {
 public:
  // Starts argv[0] with `environment` added to ours. `log_prefix` is a path; the output lands in
  // <log_prefix>.out and <log_prefix>.err.
  Process(std::vector<std::string> argv, const std::map<std::string, std::string>& environment,
          std::string log_prefix);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal) const;
  // Waits for the end. The exit code, 128 + n after signal n, or -1 when `timeout` passed first.
  int Wait(std::chrono::milliseconds timeout);
  bool Running();

  std::string Out() const;
  std::string Err() const;
  // Waits until stdout or stderr has `text`. False when the process ended or time ran out.
  bool WaitForOutput(std::string_view text, std::chrono::milliseconds timeout);

 private:
  pid_t pid_ = -1;
  int exit_code_ = -1;
  bool reaped_ = false;
  std::string log_prefix_;
};

// Polls `condition` every few milliseconds until it holds or `timeout` passed; whether it held.
template <class Condition>
bool WaitFor(Condition condition, std::chrono::milliseconds timeout);

std::string ReadAll(const std::string& path);
void WriteAll(const std::string& path, std::string_view contents);

// Blocks for a few milliseconds between two looks at a condition of another process.
void PollPause();

template <class Condition>
bool WaitFor(Condition condition, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    if (condition()) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    PollPause();
  }
}

}  // namespace escagent::testing
