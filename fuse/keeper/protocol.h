#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <utility>

#include "base/unique_fd.h"

namespace escagent::keeper {
// The messages between esc-keeper and an agent, or a new esc-keeper: each a Message in a packet of
// SOCK_SEQPACKET. A request gets one reply, with its verb and sequence (not 0) and status: 0 or an
// errno. Who sends something else gets EPROTO and is cut off. What a verb does not name is ignored.
// Replies may have descriptors; flag kFd << i says that the i-th of those named is there.
inline constexpr std::uint32_t kMagic = 0x6b637365;  // "esck"
inline constexpr std::uint16_t kVersion = 2;
inline constexpr unsigned kMaxFds = 4;
inline constexpr unsigned kMaxVolumes = 4096;
inline constexpr unsigned kMaxRotations = 64;  // at the same time
inline constexpr std::uint64_t kMaxTmpfsSize = 64ULL << 20;
// The journal (fuse.md 1.3): slots of a request of at most 8 KiB behind 64 bytes of the agent's.
inline constexpr unsigned kJournalSlots = 16;
inline constexpr unsigned kJournalSlotSize = 8192 + 64;

// Each with: what is in the request -> what is in the reply.
enum class Verb : std::uint16_t {
  // -> kPredecessorDied. Comes first, and makes the connection the agent's. EBUSY: there is one; it
  // got kDrain, and if it stays is killed after 2 s; ask again.
  kHello = 1,
  kGetSockets = 2,  // -> fds {listening CSI socket, registration socket (from kReady on)}
  kGetJournal = 3,  // -> fds {memfd of kJournalSlots * kJournalSlotSize bytes}
  // numbers {index} -> ids, numbers {generation of the state, st_dev, -, new generation of the last
  // kRotate done}, kTmpfs, kNoSwap, kRotating, fds {as of kMount, state}. ENOENT: no more.
  kList = 4,
  // ids, numbers {mode bits of the root}, text SELinux context, kFresh -> kExisted, numbers {-,
  // st_dev}, fds {/dev/fuse}. Stacks a read-only mount on the target, unless it is there: of the
  // volume's connection, or a new one. EBUSY: it rotates.
  kMount = 5,
  // The same with numbers {permission bits, size limit, uid, gid} -> kNoSwap, fds {writable root}.
  kMountTmpfs = 6,
  kChown = 7,     // volume, numbers {uid, gid}, text path in the tmpfs, without symlinks
  kNewState = 8,  // volume -> fds {empty memfd, to be filled and sealed}
  kStore = 9,     // volume, numbers {generation}. Keeps that memfd in place of the last one.
  // volume, numbers {old generation or 0, new}. See StartRotation; the reply comes when it is done.
  // Meanwhile the same request takes its reply over, another gets EBUSY.
  kRotate = 10,
  // ids, also of no volume. EBUSY: somebody else's mount is left; EAGAIN: it rotates, ask again.
  kUnmount = 11,
  kProbe = 12,  // ids -> numbers {-, st_dev of what is mounted at the target, or 0}
  // numbers {1: just started}: stops the watchdog. 1, and no volumes: what kubelet forgot is dead.
  kReady = 13,
  kDrained = 14,  // the agent has answered all that it read: its end is no crash
  kDrain = 32,    // from the keeper, sequence 0: finish, say kDrained, and disconnect
  // A new keeper (uid 0) -> numbers {volumes}, kPredecessorDied, fds {as of kGetSockets, listening
  // socket, journal}, then for each volume as of kList, with a third descriptor: the private mount.
  // It says kTakeoverDone, which the old one repeats and ends. EBUSY: rotations; ask again.
  kTakeover = 48,
  kTakeoverDone = 49,
};

// Message::flags.
inline constexpr std::uint32_t kFd = 1U << 0;
inline constexpr std::uint32_t kTmpfs = 1U << 4;
inline constexpr std::uint32_t kNoSwap = 1U << 5;
inline constexpr std::uint32_t kRotating = 1U << 6;
inline constexpr std::uint32_t kExisted = 1U << 7;
inline constexpr std::uint32_t kFresh = 1U << 8;
inline constexpr std::uint32_t kPredecessorDied = 1U << 9;  // without kDrained

// Each is IsName, below. The target is
// <kubelet-dir>/pods/<pod_uid>/volumes/kubernetes.io~csi/<volume_name>/mount.
struct Ids {
  char volume[96];
  char pod_uid[64];
  char volume_name[256];
};

struct Message {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint16_t verb;
  std::uint64_t sequence;
  std::int32_t status;
  std::uint32_t flags;
  Ids ids;
  std::uint64_t numbers[4];
  char text[256];
};
static_assert(sizeof(Message) == 728 && alignof(Message) == 8, "no padding, the same everywhere");

// What follows is of both ends. A function that returns a UniqueFd returns none, with errno set,
// when it fails.

// A message and the descriptors that are sent with it, which are borrowed.
struct Packet {
  Message message = {};
  const UniqueFd* fds[kMaxFds] = {};
};

inline Message NewMessage(Verb verb) {
  return {kMagic, kVersion, static_cast<std::uint16_t>(verb), 0, 0, 0, {}, {}, {}};
}

// 0 or an errno.
inline int Send(int socket, const Packet& packet, int flags) {
  Message m = packet.message;
  m.flags &= ~((kFd << kMaxFds) - 1);
  iovec part = {&m, sizeof m};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)] = {};
  msghdr header = {nullptr, 0, &part, 1, control, sizeof control, 0};
  cmsghdr* const c = CMSG_FIRSTHDR(&header);
  unsigned count = 0;
  for (unsigned slot = 0; slot < kMaxFds; ++slot) {
    if (packet.fds[slot] == nullptr || !*packet.fds[slot]) continue;
    const int fd = packet.fds[slot]->Get();
    memcpy(CMSG_DATA(c) + sizeof fd * count++, &fd, sizeof fd);
    m.flags |= kFd << slot;
  }
  *c = {CMSG_LEN(sizeof(int) * count), SOL_SOCKET, SCM_RIGHTS};
  header.msg_controllen = count != 0 ? CMSG_SPACE(sizeof(int) * count) : 0;
  return sendmsg(socket, &header, flags | MSG_NOSIGNAL) < 0 ? errno : 0;
}

// One message. `fds`: room for kMaxFds descriptors, or nullptr when none are accepted. 0, EAGAIN
// when there is none, ECONNRESET at the end, EPROTO for what is none.
inline int Receive(int socket, Message* message, UniqueFd* fds, int flags) {
  iovec part = {message, sizeof *message};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)];
  msghdr header = {nullptr, 0, &part, 1, control, fds != nullptr ? sizeof control : 0, 0};
  const ssize_t size = recvmsg(socket, &header, flags | MSG_CMSG_CLOEXEC);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return EAGAIN;
  // An empty packet looks like the end of the connection, and may be treated so.
  if (size <= 0) return ECONNRESET;
  const Message& m = *message;
  const cmsghdr* const c = CMSG_FIRSTHDR(&header);
  const unsigned long count = c != nullptr ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
  for (unsigned i = 0, slot = 0; i < count && slot < kMaxFds; ++slot) {
    if ((m.flags & (kFd << slot)) == 0) continue;
    int fd = -1;
    memcpy(&fd, CMSG_DATA(c) + sizeof fd * i++, sizeof fd);
    fds[slot].Reset(fd);
  }
  const auto ends = [](const auto& text) { return text[sizeof text - 1] == 0; };
  const bool whole = size == sizeof m && (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  const bool shaped = m.magic == kMagic && m.version == kVersion && ends(m.ids.volume) &&
                      ends(m.ids.pod_uid) && ends(m.ids.volume_name) && ends(m.text);
  return whole && shaped ? 0 : EPROTO;
}

// Whether it is of [A-Za-z0-9._-] and does not start with a dot.
inline bool IsName(const char* text) {
  const char* const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return text[0] != 0 && text[0] != '.' && text[strspn(text, allowed)] == 0;
}

inline UniqueFd NewSocket(const char* path, int type, sockaddr_un* address) {
  address->sun_family = AF_UNIX;
  snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
  errno = ENAMETOOLONG;
  const bool fits = strcmp(address->sun_path, path) == 0;
  return UniqueFd(fits ? socket(AF_UNIX, type | SOCK_CLOEXEC, 0) : -1);
}

inline UniqueFd ConnectTo(const char* path) {
  sockaddr_un address = {};
  UniqueFd fd = NewSocket(path, SOCK_SEQPACKET, &address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  return connect(fd.Get(), any, sizeof address) == 0 ? std::move(fd) : UniqueFd();
}

// Listens at `path`, in place of what was there, so that only `owner` and root can connect. 0 or an
// errno; nothing happens without a path, or when there is a listener.
inline int ListenAt(const char* path, int type, uid_t owner, UniqueFd* listener) {
  if (*listener || path == nullptr) return 0;
  unlink(path);
  sockaddr_un address = {};
  UniqueFd fd = NewSocket(path, type, &address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  // The file gets the mode that the socket has.
  if (!fd || fchmod(fd.Get(), 0600) != 0 || bind(fd.Get(), any, sizeof address) != 0) return errno;
  // The folder may be the owner's, who must not be given another file by a link in place of it.
  const UniqueFd file(open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat found = {};
  if (fstat(file.Get(), &found) != 0) return errno;
  if (!S_ISSOCK(found.st_mode) || found.st_nlink != 1) return EPERM;
  const int rc = fchownat(file.Get(), "", owner, static_cast<gid_t>(-1), AT_EMPTY_PATH);
  if (rc != 0 || listen(fd.Get(), SOMAXCONN) != 0) return errno;
  *listener = std::move(fd);
  return 0;
}

// uid -1: unknown.
inline ucred PeerOf(int socket) {
  ucred peer = {.pid = 0, .uid = static_cast<uid_t>(-1), .gid = 0};
  socklen_t size = sizeof peer;
  getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size);
  return peer;
}

// One that can be sealed.
inline UniqueFd NewMemfd() {
  constexpr unsigned kNoExec = 8;  // MFD_NOEXEC_SEAL of Linux 6.3
  UniqueFd fd(memfd_create("esc-agent", MFD_CLOEXEC | MFD_ALLOW_SEALING | kNoExec));
  if (!fd) fd.Reset(memfd_create("esc-agent", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  return fd;
}
}  // namespace escagent::keeper
