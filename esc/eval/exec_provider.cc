#include "esc/eval/exec_provider.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "esc/eval/json_reader.h"

namespace escagent::eval {
namespace {

constexpr std::size_t kMaxOutput = std::size_t{1} << 20;

// A program that was started. Killed with all its children, and waited for, at the end.
class Process {
 public:
  explicit Process(pid_t pid) : pid_(pid) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    ::kill(-pid_, SIGKILL);
    if (!status_) Wait();
  }

  // Its exit status, as wait(2) gives it.
  int Wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    status_ = status;
    return status;
  }

 private:
  const pid_t pid_;
  std::optional<int> status_;
};

// Starts a program whose output goes to `output`.
Result<pid_t> Start(const std::vector<std::string>& command, int output) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  // Signals that this program blocks for its own threads would stay blocked.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = 0;
  const int error =
      ::posix_spawnp(&pid, arguments.front(), &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return ErrnoError(error, "run " + command.front() + " for fn::open");
  return pid;
}

// Everything that comes out of a pipe until its other end is closed.
Result<Secret> ReadUntil(const UniqueFd& pipe, const Clock& clock, Clock::TimePoint deadline) {
  SecretBuilder text;
  std::array<char, 16384> buffer;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.Now()).count();
    if (left <= 0) return MakeError(Code::kDeadlineExceeded, "it took too long");
    pollfd waiting{.fd = pipe.Get(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<long long>(left, 1000)));
    if (ready < 0 && errno != EINTR) return ErrnoError(errno, "wait for its output");
    if (ready <= 0) continue;
    const ssize_t size = ::read(pipe.Get(), buffer.data(), buffer.size());
    if (size == 0) return text.Finish();
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return ErrnoError(errno, "read its output");
    text.Append(std::string_view(buffer.data(), static_cast<std::size_t>(size)));
    if (text.Size() > kMaxOutput) return FailedPrecondition("it printed more than 1 MiB");
  }
}

}  // namespace

SchemaPtr ExecProvider::InputSchema() const {
  Schema command;
  command.type = "array";
  command.items = TypeSchema("string");
  command.min_items = "1";
  return RecordSchema({{"command", std::make_shared<const Schema>(std::move(command))}});
}

Result<esc::Value> ExecProvider::Open(const esc::Value& inputs, const ProviderContext&) {
  std::vector<std::string> command;
  if (const esc::Value* input = inputs.Find("command"); input != nullptr) {
    for (const esc::Value& argument : input->elements()) {
      command.emplace_back(argument.ScalarText());
    }
  }
  if (command.empty()) return InvalidArgument("fn::open::exec needs a command");
  const std::string what = "run " + command.front() + " for fn::open";
  std::array<int, 2> ends = {};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return ErrnoError(errno, what);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  ESC_ASSIGN_OR_RETURN(const pid_t pid, Start(command, writer.Get()));
  Process process(pid);
  writer.Reset();
  const auto text = ReadUntil(reader, clock_, clock_.Now() + timeout_);
  if (!text) return std::unexpected(Annotate(text.error(), what));
  const int status = process.Wait();
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return FailedPrecondition(what + ": " +
                              (WIFEXITED(status)
                                   ? "exit code " + std::to_string(WEXITSTATUS(status))
                                   : "killed by signal " + std::to_string(WTERMSIG(status))));
  }
  Budget budget(64 * kMaxOutput);
  auto json = ReadJsonValue(text->Reveal(), /*secret=*/true, nullptr, budget);
  if (!json) return InvalidArgument(what + ": its output is " + json.error().message);
  esc::Value output = ToValue(**json);
  output.MarkSecret();
  return output;
}

}  // namespace escagent::eval
