#pragma once

#include <cstdint>

namespace escagent::keeper {

// The messages between esc-keeper and an agent, or a new esc-keeper: SOCK_SEQPACKET, every message
// is one Message. A request gets one reply, with its verb and sequence (not 0) and status: 0 or an
// errno. Who sends something else gets EPROTO and is cut off. What a verb does not name is ignored.
//
// Replies have descriptors (SCM_RIGHTS); flag kFd << i says that the i-th of those named is there.
// Requests have none: an unknown file may not even be closed without waiting for its server.
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
  // numbers {index} -> ids, numbers {generation of the state, st_dev or 0, -, generation of the
  // last
  // kRotate that was done}, kTmpfs, kNoSwap, kRotating, fds {as of kMount, state}. ENOENT: no more.
  kList = 4,
  // ids, numbers {permission bits of the root}, text SELinux context, kFresh -> numbers {-,
  // st_dev},
  // kExisted, fds {/dev/fuse}. Stacks a read-only mount on the target, unless that is there: of the
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
  // ids. Also of no volume. EBUSY: a mount of somebody else is left; EAGAIN: a rotation is being
  // killed, ask again.
  kUnmount = 11,
  kProbe = 12,    // ids -> numbers {-, st_dev of what is mounted at the target, or 0}
  kReady = 13,    // the agent serves: stops the watchdog
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
inline constexpr std::uint32_t kAllFds = 0xf;
inline constexpr std::uint32_t kTmpfs = 1U << 4;
inline constexpr std::uint32_t kNoSwap = 1U << 5;
inline constexpr std::uint32_t kRotating = 1U << 6;
inline constexpr std::uint32_t kExisted = 1U << 7;
inline constexpr std::uint32_t kFresh = 1U << 8;
inline constexpr std::uint32_t kPredecessorDied = 1U << 9;  // without kDrained

// Of [A-Za-z0-9._-], not "." or "..". The target is
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

}  // namespace escagent::keeper
