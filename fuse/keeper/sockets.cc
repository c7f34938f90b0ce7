#include "fuse/keeper/sockets.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <ctime>

#include "fuse/keeper/wire.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77  // Linux 6.5
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83  // Linux 6.16
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U  // Linux 6.3
#endif

namespace escagent::keeper {

UniqueFd ListenAt(const char* path, int type, mode_t mode, gid_t group) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  char temporary[PATH_MAX];
  snprintf(temporary, sizeof temporary, "%s.new", path);
  if (!Copy(address.sun_path, sizeof address.sun_path, temporary)) {
    errno = ENAMETOOLONG;
    return UniqueFd();
  }
  unlink(temporary);
  UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const mode_t before = umask(0077);
  const bool bound =
      fd && bind(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  umask(before);
  if (bound && chown(temporary, static_cast<uid_t>(-1), group) == 0 &&
      chmod(temporary, mode) == 0 && listen(fd.Get(), SOMAXCONN) == 0 &&
      rename(temporary, path) == 0) {
    return fd;
  }
  const int error = errno;
  fd.Reset();
  errno = error;
  return fd;
}

UniqueFd AcceptFrom(int listener, uid_t allowed_uid, uid_t* peer) {
  UniqueFd fd(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return fd;
  ucred credentials = {};
  socklen_t size = sizeof credentials;
  const bool known = getsockopt(fd.Get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0;
  if (!known || (credentials.uid != 0 && credentials.uid != allowed_uid)) {
    Log("refused a peer of another user", "", EACCES);
    fd.Reset();
  }
  // Before Linux 6.16 the kernel drops descriptors only when they are read.
  const int none = 0;
  if (fd) setsockopt(fd.Get(), SOL_SOCKET, SO_PASSRIGHTS, &none, sizeof none);
  *peer = credentials.uid;
  return fd;
}

UniqueFd PeerProcess(int socket) {
  int fd = -1;
  socklen_t size = sizeof fd;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0) return UniqueFd(fd);
  ucred credentials = {};
  size = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 ||
      credentials.pid <= 0) {
    return UniqueFd();
  }
  return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, credentials.pid, 0)));
}

UniqueFd NewMemfd() {
  UniqueFd fd(memfd_create("esc-agent", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL));
  if (!fd) fd.Reset(memfd_create("esc-agent", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  return fd;
}

bool IsWritable(int socket) {
  pollfd polled = {socket, POLLOUT, 0};
  return poll(&polled, 1, 0) == 1 && (polled.revents & POLLOUT) != 0;
}

long NowMs() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void Log(const char* text, const char* subject, int error) {
  dprintf(STDERR_FILENO, "{\"program\":\"esc-keeper\",\"msg\":\"%s\"%s%s%s,\"errno\":%d}\n", text,
          subject[0] != 0 ? ",\"volume\":\"" : "", subject, subject[0] != 0 ? "\"" : "", error);
}

}  // namespace escagent::keeper
