#include "kube/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <string_view>

#include "base/unique_fd.h"

namespace escagent::kube {
namespace {

using TimePoint = std::chrono::steady_clock::time_point;

constexpr std::size_t kKeptErrors = 4096;
// Reads of one pipe between two looks at the clock.
constexpr int kReadsAtOnce = 64;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> MakePipe(const std::string& what) {
  std::array<int, 2> ends = {-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return ErrnoError(errno, what);
  Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  if (fcntl(pipe.read.Get(), F_SETFL, O_NONBLOCK) != 0) return ErrnoError(errno, what);
  return pipe;
}

std::vector<std::string> EnvironmentOf(const ChildProgram& program) {
  std::map<std::string, std::string, std::less<>> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  for (const auto& [name, value] : program.environment) variables.insert_or_assign(name, value);
  std::vector<std::string> entries;
  entries.reserve(variables.size());
  for (const auto& [name, value] : variables) entries.push_back(name + "=" + value);
  return entries;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// posix_spawn's two settings objects.
class SpawnSetup {
 public:
  SpawnSetup(int output, int errors) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_,
        static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP));
  }
  ~SpawnSetup() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// A started program: its process and our ends of its pipes. Killed and waited for when destroyed.
class Child {
 public:
  Child(pid_t pid, UniqueFd process, UniqueFd output, UniqueFd errors)
      : pid_(pid),
        process_(std::move(process)),
        output_(std::move(output)),
        errors_(std::move(errors)) {}
  ~Child() {
    if (pid_ > 0) Wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Reads until the process has ended. Its children may hold the pipes open for longer.
  Status Collect(const ChildProgram& program, const std::string& what, const UniqueFd& stop,
                 TimePoint deadline) {
    while (true) {
      std::array<pollfd, 4> fds = {
          pollfd{output_.Get(), POLLIN, 0}, pollfd{errors_.Get(), POLLIN, 0},
          pollfd{process_.Get(), POLLIN, 0}, pollfd{stop.Get(), POLLIN, 0}};
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      const int ready =
          left.count() <= 0 ? 0 : poll(fds.data(), fds.size(), static_cast<int>(left.count()));
      if (ready < 0 && errno == EINTR) continue;
      if (ready < 0) return ErrnoError(errno, what);
      if (ready == 0) {
        return MakeError(
            Code::kDeadlineExceeded,
            what + ": it did not end within " + std::to_string(program.timeout.count()) + " ms");
      }
      if (fds[3].revents != 0) return MakeError(Code::kCancelled, what + ": stopped");
      ReadErrors();
      ESC_RETURN_IF_ERROR(ReadOutput(program, what));
      // All that it wrote is in the pipes by then, and more than we read only when others write on.
      if (fds[2].revents != 0) return {};
    }
  }

  // After Collect.
  ChildResult Finish() {
    ChildResult result;
    const int status = Wait();
    result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    result.output = text_.Finish();
    result.errors = std::move(error_text_);
    return result;
  }

 private:
  int Wait() {
    kill(-pid_, SIGKILL);  // also what it has left behind
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

  // What there is in a pipe, or much of it. Closes our end at the pipe's end: poll then ignores it.
  template <class Sink>
  static Status Drain(UniqueFd& fd, const std::string& what, Sink sink) {
    std::array<char, 4096> buffer;
    for (int reads = 0; fd && reads < kReadsAtOnce; ++reads) {
      const ssize_t n = read(fd.Get(), buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) break;
      if (n < 0) return ErrnoError(errno, what);
      if (n == 0) fd.Reset();
      const Status taken = sink(std::string_view(buffer.data(), static_cast<std::size_t>(n)));
      explicit_bzero(buffer.data(), buffer.size());
      ESC_RETURN_IF_ERROR(taken);
    }
    return {};
  }

  Status ReadOutput(const ChildProgram& program, const std::string& what) {
    return Drain(output_, what, [&](std::string_view bytes) -> Status {
      text_.Append(bytes);
      if (text_.Size() <= program.max_output) return {};
      return MakeError(Code::kResourceExhausted, what + ": it printed more than " +
                                                     std::to_string(program.max_output) + " bytes");
    });
  }

  void ReadErrors() {
    const Status drained = Drain(errors_, "", [&](std::string_view bytes) -> Status {
      error_text_ += bytes;
      if (error_text_.size() > kKeptErrors) {
        error_text_.erase(0, error_text_.size() - kKeptErrors);
      }
      return {};
    });
    if (!drained) errors_.Reset();
  }

  pid_t pid_;
  const UniqueFd process_;
  UniqueFd output_;
  UniqueFd errors_;
  SecretBuilder text_;
  std::string error_text_;
};

std::unexpected<Error> StartError(int error, const std::string& what) {
  if (error == EPERM) {
    return PermissionDenied(what +
                            ": this process may start no programs (its system calls are filtered)");
  }
  return ErrnoError(error, what);
}

}  // namespace

Result<ChildResult> RunChild(const ChildProgram& program, const std::stop_token& stop) {
  const std::string what = "run " + program.command;
  const TimePoint deadline = std::chrono::steady_clock::now() + program.timeout;
  ESC_ASSIGN_OR_RETURN(Pipe output, MakePipe(what));
  ESC_ASSIGN_OR_RETURN(Pipe errors, MakePipe(what));
  const UniqueFd stopped(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stopped) return ErrnoError(errno, what);

  std::vector<std::string> arguments = program.arguments;
  arguments.insert(arguments.begin(), program.command);
  std::vector<std::string> environment = EnvironmentOf(program);
  const SpawnSetup setup(output.write.Get(), errors.write.Get());
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, program.command.c_str(), setup.actions(), setup.attributes(),
                                 Pointers(arguments).data(), Pointers(environment).data());
  if (error != 0) return StartError(error, what);
  output.write.Reset();
  errors.write.Reset();
  // Not reaped before the Child is destroyed, hence still the same process.
  // glibc 2.36's own declaration has C++ linkage.
  UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  const int process_error = process ? 0 : errno;
  Child child(pid, std::move(process), std::move(output.read), std::move(errors.read));
  if (process_error != 0) return ErrnoError(process_error, what);
  const std::stop_callback wake(stop, [&stopped] { eventfd_write(stopped.Get(), 1); });
  ESC_RETURN_IF_ERROR(child.Collect(program, what, stopped, deadline));
  return child.Finish();
}

}  // namespace escagent::kube
