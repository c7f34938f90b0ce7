#include "tests/system/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

namespace escagent::testing {
namespace {

std::vector<std::string> MergedEnvironment(const std::map<std::string, std::string>& added) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    if (!added.contains(text.substr(0, text.find('=')))) merged.push_back(text);
  }
  for (const auto& [name, value] : added) merged.push_back(name + "=" + value);
  return merged;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& s : strings) pointers.push_back(s.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Process::Process(std::vector<std::string> argv,
                 const std::map<std::string, std::string>& environment, std::string log_prefix)
    : log_prefix_(std::move(log_prefix)) {
  std::vector<std::string> env_strings = MergedEnvironment(environment);
  const std::vector<char*> arguments = Pointers(argv);
  const std::vector<char*> env = Pointers(env_strings);
  const std::string out = log_prefix_ + ".out";
  const std::string err = log_prefix_ + ".err";
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  const int null = open("/dev/null", O_RDONLY);
  const int out_fd = open(out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int err_fd = open(err.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(null, 0);
  dup2(out_fd, 1);
  dup2(err_fd, 2);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execvpe(arguments[0], arguments.data(), env.data());
  _exit(127);
}

Process::~Process() {
  if (!reaped_) {
    Signal(SIGKILL);
    Wait(std::chrono::seconds(10));
  }
}

void Process::Signal(int signal) const { kill(pid_, signal); }

bool Process::Running() { return Wait(std::chrono::milliseconds(0)) == -1; }

int Process::Wait(std::chrono::milliseconds timeout) {
  WaitFor(
      [this] {
        if (reaped_) return true;
        int status = 0;
        if (waitpid(pid_, &status, WNOHANG) != pid_) return false;
        reaped_ = true;
        exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return true;
      },
      timeout);
  return reaped_ ? exit_code_ : -1;
}

std::string Process::Out() const { return ReadAll(log_prefix_ + ".out"); }

std::string Process::Err() const { return ReadAll(log_prefix_ + ".err"); }

bool Process::WaitForOutput(std::string_view text, std::chrono::milliseconds timeout) {
  const auto seen = [&] {
    return Out().find(text) != std::string::npos || Err().find(text) != std::string::npos;
  };
  WaitFor([&] { return seen() || !Running(); }, timeout);
  return seen();
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream contents;
  contents << file.rdbuf();
  return contents.str();
}

void WriteAll(const std::string& path, std::string_view contents) {
  // Beside it and renamed, so that a reader never sees half a file.
  const std::string temporary = path + ".writing";
  std::ofstream(temporary, std::ios::binary | std::ios::trunc) << contents;
  std::rename(temporary.c_str(), path.c_str());
}

void PollPause() { poll(nullptr, 0, 5); }

}  // namespace escagent::testing
