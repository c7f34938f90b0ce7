#include "agent/status/admin_protocol.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"

namespace escagent::status {
namespace {

constexpr std::size_t kMaxAnswer = std::size_t{64} << 20;

}  // namespace

Result<std::string> AskAgent(const std::string& socket_path, std::string_view request,
                             std::chrono::milliseconds timeout) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof(address.sun_path)) {
    return InvalidArgument("ask the agent at " + socket_path + ": the path is too long");
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return ErrnoError(errno, "ask the agent");
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
  const timeval limit = {.tv_sec = seconds.count(),
                         .tv_usec = std::chrono::microseconds(timeout - seconds).count()};
  setsockopt(fd.Get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(fd.Get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (connect(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    return Unavailable("ask the agent at " + socket_path + ": " +
                       ErrnoError(error, "connect").error().message +
                       "; is it running, and is --admin-socket right?");
  }
  const std::string line = std::string(request) + "\n";
  if (send(fd.Get(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
    return ErrnoError(errno, "ask the agent at " + socket_path);
  }
  std::string answer;
  std::array<char, 16384> buffer;
  while (true) {
    const ssize_t n = recv(fd.Get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(errno, "read the agent's answer at " + socket_path);
    if (n == 0) return answer;
    answer.append(buffer.data(), static_cast<std::size_t>(n));
    if (answer.size() > kMaxAnswer) {
      return MakeError(Code::kResourceExhausted,
                       "read the agent's answer at " + socket_path + ": too long");
    }
  }
}

}  // namespace escagent::status
