#include "agent/audit/line_file.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

namespace escagent::audit {
namespace {

// How long one look at a full pipe takes.
constexpr int kPatienceMs = 100;

}  // namespace

Result<LineFile> LineFile::Open(const std::string& path) {
  if (path == "-") {
    UniqueFd fd(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!fd) return ErrnoError(errno, "write the audit log to standard output");
    return LineFile("standard output", std::move(fd));
  }
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600));
  if (!fd) return ErrnoError(errno, "open the audit log " + path);
  return LineFile(path, std::move(fd));
}

Status LineFile::Append(std::string_view lines, const std::stop_token& stop) {
  while (!lines.empty()) {
    pollfd waiting = {.fd = fd_.Get(), .events = POLLOUT, .revents = 0};
    const int ready = poll(&waiting, 1, kPatienceMs);
    if (ready < 0 && errno != EINTR) return ErrnoError(errno, "write the audit log to " + name_);
    if (ready <= 0) {
      if (!stop.stop_requested()) continue;
      return MakeError(Code::kDeadlineExceeded,
                       "write the audit log to " + name_ + ": nobody reads it");
    }
    // A pipe that is ready takes this much without blocking (pipe(7)).
    const ssize_t written =
        write(fd_.Get(), lines.data(), std::min<std::size_t>(lines.size(), PIPE_BUF));
    if (written < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return ErrnoError(errno, "write the audit log to " + name_);
    }
    lines.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace escagent::audit
