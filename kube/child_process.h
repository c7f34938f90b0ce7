#pragma once

#include <chrono>
#include <cstddef>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace escagent::kube {

// A program to run for what it prints.
struct ChildProgram {
  std::string command;  // looked for in PATH when it has no slash
  std::vector<std::string> arguments;
  // Added to this process's environment, or in place of what is there.
  std::vector<std::pair<std::string, std::string>> environment;
  std::chrono::milliseconds timeout{30000};
  std::size_t max_output = std::size_t{256} << 10;
};

struct ChildResult {
  int exit_code = 0;   // 128 + the signal's number when one ended it
  Secret output;       // what it wrote to stdout
  std::string errors;  // the end of what it wrote to stderr
};

// Runs a program to its end, with an empty stdin, none of our descriptors, no blocked or ignored
// signals, and in a process group of its own; the group is killed (SIGKILL) when the time is over,
// at `stop`, or when the output is too large. Times are real ones. Blocks; any thread.
//
// NOT_FOUND when there is no such program, PERMISSION_DENIED when it may not be run: so it is, for
// every program, once base/syscall_filter.h's filter is set. DEADLINE_EXCEEDED, CANCELLED,
// RESOURCE_EXHAUSTED. Errors name the command, never arguments, environment or output.
Result<ChildResult> RunChild(const ChildProgram& program, const std::stop_token& stop);

}  // namespace escagent::kube
