#include "fuse/keeper/wire.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace escagent::keeper {
namespace {

union Control {
  cmsghdr header;
  char space[CMSG_SPACE(sizeof(int) * kMaxFds)];
};

template <unsigned kSize>
bool Ends(const char (&field)[kSize]) {
  return memchr(field, 0, kSize) != nullptr;
}

bool IsShaped(const Message& m) {
  return m.magic == kMagic && m.version == kVersion && (m.flags & ~kAllFlags) == 0 &&
         Ends(m.volume) && Ends(m.pod_uid) && Ends(m.volume_name) && Ends(m.text);
}

Arrival ReceiveInto(int socket, Message* message, msghdr* header, int flags) {
  char excess = 0;  // so that an oversized message is seen as one
  iovec parts[2] = {{message, sizeof(Message)}, {&excess, 1}};
  header->msg_iov = parts;
  header->msg_iovlen = 2;
  const ssize_t size = recvmsg(socket, header, flags | MSG_CMSG_CLOEXEC);
  if (size < 0) {
    return errno == EAGAIN || errno == EINTR ? Arrival::kNothing : Arrival::kClosed;
  }
  // An empty packet looks like the end of the connection, and may be treated so.
  if (size == 0) return Arrival::kClosed;
  const bool whole = size == sizeof(Message) && (header->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  return whole && IsShaped(*message) ? Arrival::kMessage : Arrival::kMalformed;
}

void TakeFds(msghdr& header, Received* in) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const unsigned long count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (unsigned long i = 0; i < count && in->fd_count < kMaxFds; ++i) {
      int fd = -1;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      in->fds[in->fd_count++].Reset(fd);
    }
  }
}

}  // namespace

Arrival Receive(int socket, Received* in, int flags) {
  Control control;
  msghdr header = {};
  header.msg_control = &control;
  header.msg_controllen = sizeof control;
  const Arrival arrival = ReceiveInto(socket, &in->message, &header, flags);
  if (arrival == Arrival::kMessage || arrival == Arrival::kMalformed) TakeFds(header, in);
  return arrival;
}

Arrival Receive(int socket, Message* message, int flags) {
  msghdr header = {};
  return ReceiveInto(socket, message, &header, flags);
}

int Send(int socket, const Message& message, const int* fds, unsigned fd_count, int flags) {
  Message copy = message;
  iovec part = {&copy, sizeof copy};
  Control control;
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (fd_count != 0) {
    memset(&control, 0, sizeof control);
    header.msg_control = &control;
    header.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
    cmsghdr* const c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
  }
  ssize_t sent = 0;
  do {
    sent = sendmsg(socket, &header, flags | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? errno : 0;
}

Message NewMessage(Verb verb) {
  Message message = {};
  message.magic = kMagic;
  message.version = kVersion;
  message.verb = static_cast<std::uint16_t>(verb);
  return message;
}

bool IsName(const char* text) {
  for (const char* p = text; *p != 0; ++p) {
    const char c = *p;
    const bool allowed = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                         (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (!allowed) return false;
  }
  return text[0] != 0 && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

bool IsKey(const char* text) {
  return text[0] != 0 && strcmp(text, ".") != 0 && strncmp(text, "..", 2) != 0 &&
         strchr(text, '/') == nullptr;
}

bool Copy(char* field, unsigned size, const char* text) {
  const unsigned long length = strlen(text);
  if (length >= size) return false;
  memcpy(field, text, length + 1);
  return true;
}

UniqueFd ConnectTo(const char* path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (!Copy(address.sun_path, sizeof address.sun_path, path)) {
    errno = ENAMETOOLONG;
    return UniqueFd();
  }
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  // connect(2) takes any sockaddr by this cast.
  if (fd && connect(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    fd.Reset();
    errno = error;
  }
  return fd;
}

}  // namespace escagent::keeper
