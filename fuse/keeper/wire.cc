#include "fuse/keeper/wire.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace escagent::keeper {
namespace {

union Control {
  cmsghdr header;
  char space[CMSG_SPACE(sizeof(int) * kMaxFds)];
};

bool IsShaped(const Message& m) {
  const Ids& ids = m.ids;
  return m.magic == kMagic && m.version == kVersion && ids.volume[sizeof ids.volume - 1] == 0 &&
         ids.pod_uid[sizeof ids.pod_uid - 1] == 0 && m.text[sizeof m.text - 1] == 0 &&
         ids.volume_name[sizeof ids.volume_name - 1] == 0;
}

UniqueFd NewSocket(const char* path, int type, sockaddr_un* address) {
  address->sun_family = AF_UNIX;
  snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
  errno = ENAMETOOLONG;
  const bool fits = strcmp(address->sun_path, path) == 0;
  return UniqueFd(fits ? socket(AF_UNIX, type | SOCK_CLOEXEC, 0) : -1);
}

// The folder may be the owner's, who must not be given another file by a link in place of it.
bool GiveSocket(const char* path, uid_t owner) {
  const UniqueFd file(open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat found = {};
  return fstat(file.Get(), &found) == 0 && S_ISSOCK(found.st_mode) && found.st_nlink == 1 &&
         fchownat(file.Get(), "", owner, static_cast<gid_t>(-1), AT_EMPTY_PATH) == 0;
}

}  // namespace

Arrival Receive(int socket, Message* message, UniqueFd* fds, int flags) {
  iovec part = {message, sizeof *message};
  Control control;
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = &control;
  header.msg_controllen = fds != nullptr ? sizeof control : 0;
  const ssize_t size = recvmsg(socket, &header, flags | MSG_CMSG_CLOEXEC);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return Arrival::kNothing;
  // An empty packet looks like the end of the connection, and may be treated so.
  if (size <= 0) return Arrival::kClosed;
  const cmsghdr* const c = CMSG_FIRSTHDR(&header);
  const unsigned long count = c != nullptr ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
  for (unsigned i = 0, slot = 0; i < count && slot < kMaxFds; ++slot) {
    if ((message->flags & (kFd << slot)) == 0) continue;
    int fd = -1;
    memcpy(&fd, CMSG_DATA(c) + sizeof fd * i++, sizeof fd);
    fds[slot].Reset(fd);
  }
  const bool whole = size == sizeof *message && (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  return whole && IsShaped(*message) ? Arrival::kMessage : Arrival::kMalformed;
}

int Send(int socket, const Packet& packet, int flags) {
  Message m = packet.message;
  m.flags &= ~kAllFds;
  Control control = {};
  unsigned count = 0;
  for (unsigned slot = 0; slot < kMaxFds; ++slot) {
    if (packet.fds[slot] == nullptr || !*packet.fds[slot]) continue;
    const int fd = packet.fds[slot]->Get();
    memcpy(CMSG_DATA(&control.header) + sizeof fd * count++, &fd, sizeof fd);
    m.flags |= kFd << slot;
  }
  control.header = {CMSG_LEN(sizeof(int) * count), SOL_SOCKET, SCM_RIGHTS};
  iovec part = {&m, sizeof m};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = &control;
  header.msg_controllen = count != 0 ? CMSG_SPACE(sizeof(int) * count) : 0;
  return sendmsg(socket, &header, flags | MSG_NOSIGNAL) < 0 ? errno : 0;
}

Message NewMessage(Verb verb) {
  Message message = {};
  message.magic = kMagic;
  message.version = kVersion;
  message.verb = static_cast<std::uint16_t>(verb);
  return message;
}

bool IsName(const char* text) {
  const char* const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  const bool dots = strcmp(text, ".") == 0 || strcmp(text, "..") == 0;
  return text[0] != 0 && text[strspn(text, allowed)] == 0 && !dots;
}

UniqueFd ConnectTo(const char* path) {
  sockaddr_un address = {};
  UniqueFd fd = NewSocket(path, SOCK_SEQPACKET, &address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  return connect(fd.Get(), any, sizeof address) == 0 ? std::move(fd) : UniqueFd();
}

UniqueFd ListenAt(const char* path, int type, uid_t owner) {
  sockaddr_un address = {};
  UniqueFd fd = NewSocket(path, type | SOCK_NONBLOCK, &address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  unlink(path);
  fchmod(fd.Get(), 0600);  // which bind gives to the file
  const bool done = bind(fd.Get(), any, sizeof address) == 0 && GiveSocket(path, owner) &&
                    listen(fd.Get(), SOMAXCONN) == 0;
  return done ? std::move(fd) : UniqueFd();
}

ucred PeerOf(int socket) {
  ucred peer = {.pid = 0, .uid = static_cast<uid_t>(-1), .gid = 0};
  socklen_t size = sizeof peer;
  getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size);
  return peer;
}

UniqueFd NewMemfd() {
  constexpr unsigned kNoExec = 8;  // MFD_NOEXEC_SEAL of Linux 6.3
  UniqueFd fd(memfd_create("esc-agent", MFD_CLOEXEC | MFD_ALLOW_SEALING | kNoExec));
  if (!fd) fd.Reset(memfd_create("esc-agent", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  return fd;
}

long NowMs() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void Log(const char* text, const char* volume, int error) {
  dprintf(STDERR_FILENO,
          "{\"program\":\"esc-keeper\",\"msg\":\"%s\",\"volume\":\"%s\",\"errno\":%d}\n", text,
          volume, error);
}

}  // namespace escagent::keeper
