#include "csi/unix_listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <random>
#include <utility>

namespace escagent::csi {
namespace {

constexpr int kBacklog = 128;
constexpr int kBindAttempts = 16;

std::string TemporaryName(const std::string& path) {
  std::random_device random;
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string name = path.substr(0, path.rfind('/') + 1) + ".";
  for (int i = 0; i < 6; ++i) name += kDigits[random() % kDigits.size()];
  return name;
}

Status CheckReplaceable(const std::string& path) {
  struct stat info{};
  if (lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return ErrnoError(errno, "listen on " + path);
  }
  if (S_ISSOCK(info.st_mode)) return {};
  return FailedPrecondition("listen on " + path +
                            ": something that is not a socket is there; remove it");
}

Result<std::string> BindTemporary(int fd, const std::string& path) {
  for (int attempt = 0; attempt < kBindAttempts; ++attempt) {
    std::string name = TemporaryName(path);
    if (name.size() > kMaxSocketPath) {
      return InvalidArgument("listen on " + path + ": the path is too long for a socket");
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(name, address.sun_path);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return name;
    if (errno != EADDRINUSE) return ErrnoError(errno, "listen on " + path);
  }
  return Internal("listen on " + path + ": found no free temporary name");
}

}  // namespace

Result<UnixListener> UnixListener::Bind(const std::string& path) {
  if (path.size() > kMaxSocketPath) {
    return InvalidArgument("listen on " + path + ": the path is too long for a socket");
  }
  ESC_RETURN_IF_ERROR(CheckReplaceable(path));
  UnixListener listener;
  listener.fd_.Reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Linux gives the bound file the mode of the socket's inode: without a moment in which others
  // could connect, and without the process-wide umask.
  if (!listener.fd_ || fchmod(listener.Fd(), S_IRUSR | S_IWUSR) != 0) {
    return ErrnoError(errno, "listen on " + path);
  }
  ESC_ASSIGN_OR_RETURN(const std::string temporary, BindTemporary(listener.Fd(), path));
  struct stat info{};
  if (listen(listener.Fd(), kBacklog) != 0 || lstat(temporary.c_str(), &info) != 0 ||
      rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    unlink(temporary.c_str());
    return ErrnoError(error, "listen on " + path);
  }
  listener.path_ = path;
  listener.is_own_ = true;
  listener.device_ = info.st_dev;
  listener.inode_ = info.st_ino;
  return listener;
}

Result<UnixListener> UnixListener::Adopt(UniqueFd listening, std::string path) {
  const std::string context = "adopt the listening socket of " + path;
  int domain = 0;
  int listens = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(listening.Get(), SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 ||
      getsockopt(listening.Get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 ||
      domain != AF_UNIX || listens == 0) {
    return InvalidArgument(context +
                           ": the descriptor is not a listening Unix socket; run an esc-keeper of "
                           "the agent's version");
  }
  const int flags = fcntl(listening.Get(), F_GETFL);
  if (flags < 0 || fcntl(listening.Get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return ErrnoError(errno, context);
  }
  UnixListener listener;
  struct stat info{};
  if (lstat(path.c_str(), &info) == 0) {
    listener.device_ = info.st_dev;
    listener.inode_ = info.st_ino;
  }
  listener.fd_ = std::move(listening);
  listener.path_ = std::move(path);
  return listener;
}

UnixListener::UnixListener(UnixListener&& other) noexcept
    : fd_(std::move(other.fd_)),
      path_(std::exchange(other.path_, {})),
      is_own_(std::exchange(other.is_own_, false)),
      device_(other.device_),
      inode_(other.inode_) {}

UnixListener& UnixListener::operator=(UnixListener&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = std::move(other.fd_);
    path_ = std::exchange(other.path_, {});
    is_own_ = std::exchange(other.is_own_, false);
    device_ = other.device_;
    inode_ = other.inode_;
  }
  return *this;
}

UnixListener::~UnixListener() { Close(); }

UnixListener::Owner UnixListener::PathOwner() const {
  struct stat info{};
  if (path_.empty() || lstat(path_.c_str(), &info) != 0) return Owner::kNobody;
  return info.st_dev == device_ && info.st_ino == inode_ ? Owner::kThis : Owner::kOther;
}

void UnixListener::Close() {
  // Unlink first: while the socket is open, its inode number cannot be given to another file.
  if (is_own_ && PathOwner() == Owner::kThis) unlink(path_.c_str());
  path_.clear();
  is_own_ = false;
  fd_.Reset();
}

}  // namespace escagent::csi
