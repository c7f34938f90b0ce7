#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <string>

#include "base/file.h"
#include "base/sandbox.h"
#include "base/strings.h"

namespace escagent::testing {

inline constexpr uid_t kNobody = 65534;

// For use in a child: ends it with exit code 1, and says why.
inline void Require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "in the child: %s does not hold\n", what.c_str());
  _exit(1);
}

// Runs `body` in a child process, as what it does to itself cannot be undone. The wait status.
inline int StatusOfChild(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

// The child must find that all it Requires holds.
inline void ExpectGood(const std::function<void()>& body) {
  const int status = StatusOfChild(body);
  EXPECT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

inline void RequireDropped() {
  const Status dropped = DropPrivileges();
  Require(dropped.has_value(), dropped ? "" : dropped.error().ToString());
}

// Root becomes somebody without capabilities; others are that already.
inline void BecomeNobody() {
  if (getuid() != 0) return;
  Require(setresgid(kNobody, kNobody, kNobody) == 0, "setresgid");
  Require(setresuid(kNobody, kNobody, kNobody) == 0, "setresuid");
}

// A line of /proc/<pid>/status of the calling thread: "CapEff" -> "0000000000000000".
inline std::string StatusLine(const std::string& key) {
  const Result<Secret> text = ReadFile("/proc/thread-self/status");
  if (!text) return text.error().ToString();
  for (const std::string_view line : Split(text->Reveal(), '\n')) {
    if (line.starts_with(key + ":\t")) return std::string(line.substr(key.size() + 2));
  }
  return "missing";
}

}  // namespace escagent::testing
