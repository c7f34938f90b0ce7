#include "agent/status/admin_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/json.h"
#include "base/thread.h"

namespace escagent::status {
namespace {

// A peer that connects and says nothing may hold the only thread no longer than this.
constexpr timeval kPeerTimeout = {.tv_sec = 2, .tv_usec = 0};
constexpr std::size_t kMaxRequest = 512;

Result<UniqueFd> Listen(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return InvalidArgument("listen on admin socket " + path + ": the path is longer than " +
                           std::to_string(sizeof(address.sun_path) - 1) + " bytes");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return ErrnoError(errno, "listen on admin socket " + path);
  unlink(path.c_str());
  if (bind(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoError(errno, "bind admin socket " + path);
  }
  // Nobody can connect before listen(), so there is no moment with looser permissions.
  if (chmod(path.c_str(), 0600) != 0 || listen(fd.Get(), 8) != 0) {
    return ErrnoError(errno, "listen on admin socket " + path);
  }
  return fd;
}

bool IsAllowedPeer(int fd) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == 0 || peer.uid == geteuid());
}

// The line a client sent, without its end; empty when it sent none in time.
std::string ReadLine(int fd) {
  std::string line;
  std::array<char, kMaxRequest> buffer;
  while (line.size() < kMaxRequest) {
    const ssize_t n = recv(fd, buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return "";
    line.append(buffer.data(), static_cast<std::size_t>(n));
    if (const std::size_t end = line.find('\n'); end != std::string::npos) {
      return line.substr(0, end);
    }
  }
  return "";
}

}  // namespace

std::string AnswerAdmin(std::string_view request, const std::function<Report()>& report,
                        cache::EnvironmentCache& cache) {
  if (request == "status") return DumpJson(ToJson(report()));
  if (request == "refresh" || request.starts_with("refresh ")) {
    const std::string_view environment =
        request.size() > 8 ? request.substr(8) : std::string_view();
    const int count = cache.RefreshNow(environment);
    if (count == 0 && !environment.empty()) {
      return DumpJson({{"error", "no volume uses environment " + std::string(environment)}});
    }
    return DumpJson({{"environments", count}});
  }
  return DumpJson({{"error", "unknown request; this agent answers status and refresh"}});
}

Result<std::unique_ptr<AdminServer>> AdminServer::Start(const std::string& socket_path,
                                                        Handler handler) {
  ESC_ASSIGN_OR_RETURN(UniqueFd listener, Listen(socket_path));
  UniqueFd wake(eventfd(0, EFD_CLOEXEC));
  if (!wake) return ErrnoError(errno, "create eventfd");
  return std::unique_ptr<AdminServer>(
      new AdminServer(socket_path, std::move(listener), std::move(wake), std::move(handler)));
}

AdminServer::AdminServer(std::string socket_path, UniqueFd listener, UniqueFd wake, Handler handler)
    : socket_path_(std::move(socket_path)),
      listener_(std::move(listener)),
      wake_(std::move(wake)),
      handler_(std::move(handler)),
      thread_(StartThread("admin", [this](const std::stop_token& stop) { Serve(stop); })) {}

AdminServer::~AdminServer() {
  thread_.request_stop();
  eventfd_write(wake_.Get(), 1);
  thread_.join();
  unlink(socket_path_.c_str());
}

void AdminServer::Serve(const std::stop_token& stop) {
  std::array<pollfd, 2> fds = {{{.fd = listener_.Get(), .events = POLLIN, .revents = 0},
                                {.fd = wake_.Get(), .events = POLLIN, .revents = 0}}};
  while (!stop.stop_requested()) {
    if (poll(fds.data(), fds.size(), -1) < 0) continue;
    if ((fds[0].revents & POLLIN) == 0) continue;
    const UniqueFd peer(accept4(listener_.Get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (peer && IsAllowedPeer(peer.Get())) Answer(peer.Get());
  }
}

void AdminServer::Answer(int fd) {
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPeerTimeout, sizeof(kPeerTimeout));
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kPeerTimeout, sizeof(kPeerTimeout));
  const std::string request = ReadLine(fd);
  if (request.empty()) return;
  const std::string answer = handler_(request);
  std::string_view rest = answer;
  while (!rest.empty()) {
    const ssize_t n = send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // the client went away; nobody is left to tell
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace escagent::status
