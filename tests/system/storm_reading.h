#pragma once

#include <string>

namespace escagent::testing {

// What an operation of a pod says of itself: empty when all is well.
using Failure = std::string;

// "<what>: <strerror(errno)>"
Failure Errno(const std::string& what);

// Appends what is left of an open file, in several reads. `name` is for the failure.
Failure ReadOpen(int fd, const std::string& name, std::string& bytes);
// As openat and ReadOpen.
Failure ReadFile(int folder, const std::string& path, std::string& bytes);

// Whether `bytes` are the StormValue of `file` with a counter that is not below `floor`.
Failure CheckStorm(const std::string& file, const std::string& bytes, int floor, int& count);

}  // namespace escagent::testing
