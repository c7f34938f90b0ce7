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
#include <functional>
#include <future>
#include <optional>
#include <sstream>
#include <utility>

#include "base/mutex.h"
#include "base/thread.h"

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

// Forks on a thread whose descriptors are its own, 0 to 2 only. A child that inherits an open file
// of a FUSE mount waits, when exec closes it, for whoever serves the mount, and that may be itself.
// The thread lives as long as the program, since PR_SET_PDEATHSIG means the thread that forked.
class Launcher {
 public:
  static Launcher& Get() {
    static Launcher launcher;
    return launcher;
  }

  // `child` is called in the child and does not return.
  pid_t Fork(const std::function<void()>& child) {
    std::promise<pid_t> forked;
    {
      MutexLock lock(mutex_);
      while (child_) changed_.Wait(mutex_);
      child_ = child;
      forked_ = &forked;
      changed_.NotifyAll();
    }
    return forked.get_future().get();
  }

 private:
  Launcher()
      : thread_(StartThread("launcher", [this](const std::stop_token& stop) { Run(stop); })) {}
  ~Launcher() {
    thread_.request_stop();
    MutexLock lock(mutex_);
    changed_.NotifyAll();
  }

  void Run(const std::stop_token& stop) {
    if (close_range(3, ~0U, CLOSE_RANGE_UNSHARE) != 0) std::abort();
    MutexLock lock(mutex_);
    while (true) {
      while (!child_ && !stop.stop_requested()) changed_.Wait(mutex_);
      if (!child_) return;
      const pid_t pid = fork();
      if (pid == 0) child_();
      forked_->set_value(pid);
      child_ = nullptr;
      changed_.NotifyAll();
    }
  }

  Mutex mutex_;
  CondVar changed_;
  std::function<void()> child_ GUARDED_BY(mutex_);
  std::promise<pid_t>* forked_ GUARDED_BY(mutex_) = nullptr;
  std::jthread thread_;
};

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
  pid_ = Launcher::Get().Fork([&] {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    const int null = open("/dev/null", O_RDONLY);
    const int out_fd = open(out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    const int err_fd = open(err.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(null, 0);
    dup2(out_fd, 1);
    dup2(err_fd, 2);
    close_range(3, ~0U, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execvpe(arguments[0], arguments.data(), env.data());
    _exit(127);
  });
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
