#pragma once

#include <cstdint>

namespace escagent::keeper {

// The messages between esc-keeper and an agent, or a new esc-keeper. SOCK_SEQPACKET; every message
// is one Message; replies have at most kMaxFds descriptors (SCM_RIGHTS), requests have none: a
// descriptor of an unknown file cannot even be closed without waiting for whoever serves it. Every
// request gets one reply, with the request's verb and its sequence (not 0); status is 0 or an
// errno. What is not of this shape is answered with EPROTO and the connection closed; a field that
// is not allowed, with EINVAL. Who does not read replies is disconnected.
//
// Fields not named at a verb are not looked at. "fds" are in the order given; those that are
// optional are there when the reply's flag says so. "The ids" are volume, pod_uid, volume_name.
inline constexpr std::uint32_t kMagic = 0x6b637365;  // "esck"
inline constexpr std::uint16_t kVersion = 2;
inline constexpr unsigned kMaxFds = 4;
inline constexpr unsigned kMaxVolumes = 4096;
inline constexpr unsigned kMaxRotations = 64;  // at the same time
inline constexpr std::uint64_t kMaxStateSize = 64ULL << 20;
inline constexpr std::uint64_t kMaxTmpfsSize = 64ULL << 20;
// The journal (fuse.md 1.3): slots of a request of at most 8 KiB behind 64 bytes of the agent's.
inline constexpr unsigned kJournalSlots = 16;
inline constexpr unsigned kJournalSlotSize = 8192 + 64;

enum class Verb : std::uint16_t {
  // The only message allowed first, but for kTakeover. numbers = {lowest, highest version spoken}.
  // Makes this connection the agent's; one before it gets kDrain, 2 s to disconnect, and SIGKILL.
  // EBUSY: another agent waits for that already. Reply: numbers = {version}; kPredecessorDied.
  kHello = 1,
  // Reply: fds = {listening CSI socket if kHasCsi, listening registration socket if
  // kHasRegistration}. The latter exists from the first kReady on.
  kGetSockets = 2,
  // Reply: fds = {memfd of kJournalSlots * kJournalSlotSize bytes}, the same for every agent.
  kGetJournal = 3,
  // numbers = {index}. Reply: the index-th volume: its ids, numbers = {generation of the state,
  // device number of its file system, next index, generation of the last kRotate that was done};
  // kAborted, kTmpfs, kNoSwap, kRotating, kGone; fds = {/dev/fuse if kHasDevice, state if
  // kHasState}. ENOENT: there are no more.
  kList = 4,
  // The ids; numbers = {permission bits of the root}; text = SELinux context or "". Stacks a
  // read-only mount on <pods>/<pod_uid>/volumes/kubernetes.io~csi/<volume_name>/mount, which it
  // makes if it is missing. A volume that lives already is mounted again (kExisted) unless the
  // mount is there; with kFresh it is replaced by a new connection. EBUSY: while it rotates.
  // Reply: fds = {/dev/fuse}, numbers = {0, device number}.
  kMount = 5,
  // As kMount; numbers = {permission bits, size limit, uid, gid}. Reply: fds = {writable root};
  // kNoSwap.
  kMountTmpfs = 6,
  // volume, numbers = {uid, gid}, text = path in the volume's tmpfs. Follows no symlink.
  kChown = 7,
  // volume. Reply: fds = {empty memfd}: to be filled, sealed, and kept by kStore.
  kNewState = 8,
  // volume, numbers = {generation}: keeps what the agent has put into the memfd of kNewState, in
  // place of what was kept. EBADF: there is none, or it is not sealed against everything; EFBIG.
  kStore = 9,
  // volume, numbers = {old generation or 0, new generation}. A process changes the tree through
  // the mount (rotation.h) and is replied to when it is done. While it works the same request takes
  // its reply over, another gets EBUSY. EROFS and the like are what the mount's server answered up
  // to the rename of ..data; ECANCELED: unmounted.
  kRotate = 10,
  // The ids. Takes all our layers off the target, removes the folder, forgets the volume. OK when
  // nothing is there. EBUSY: a mount that is not ours is left there.
  kUnmount = 11,
  // pod_uid, volume_name. Reply: numbers = {0, st_dev of what is mounted at the target, or 0}.
  kProbe = 12,
  // The agent serves: stops the watchdog.
  kReady = 13,
  // The agent has answered everything it has read and reads no more: its end is no crash.
  kDrained = 14,

  // From the keeper, unasked, sequence 0: finish, say kDrained, and disconnect.
  kDrain = 32,

  // From a new keeper (uid 0). Reply: numbers = {volumes}; fds = {listening socket of this
  // protocol, journal, then as kGetSockets}; kPredecessorDied. Then without being asked a message
  // for every volume, as kList's with the private mount if kHasMount in front. The new one answers
  // with kTakeoverDone; the old one repeats that and ends, or serves on if it does not come in
  // time. EBUSY: not in the middle of a rotation or a change of agents. Agents connect anew.
  kTakeover = 48,
  kTakeoverDone = 49,
  // Until the program is rewritten:
  kKey = 100,
  kStale = 101,
  kListBlobs = 102,
  kDropBlob = 103,
  kNewKeeper = 104,
};
inline constexpr unsigned kMaxBlobs = 64;
inline constexpr unsigned kMaxPendingKeys = 16384;
inline constexpr std::uint32_t kHasAgent = 1U << 20;
inline constexpr std::uint32_t kHasPidfd = 1U << 21;
inline constexpr std::uint32_t kAgentReady = 1U << 22;
inline constexpr std::uint32_t kHasNewState = 1U << 23;

// Message::flags.
inline constexpr std::uint32_t kHasDevice = 1U << 0;
inline constexpr std::uint32_t kHasState = 1U << 1;
inline constexpr std::uint32_t kHasMount = 1U << 2;
inline constexpr std::uint32_t kHasCsi = 1U << 3;
inline constexpr std::uint32_t kHasRegistration = 1U << 4;
inline constexpr std::uint32_t kAborted = 1U << 5;  // by the watchdog: the mount is dead
inline constexpr std::uint32_t kTmpfs = 1U << 6;
inline constexpr std::uint32_t kNoSwap = 1U << 7;
inline constexpr std::uint32_t kRotating = 1U << 8;  // a rotation is not done yet
inline constexpr std::uint32_t kGone = 1U << 9;      // this volume's mount is not at the target
inline constexpr std::uint32_t kExisted = 1U << 10;
inline constexpr std::uint32_t kFresh = 1U << 11;
inline constexpr std::uint32_t kPredecessorDied = 1U << 12;  // without kDrained
inline constexpr std::uint32_t kAllFlags = (1U << 24) - 1;

// Strings end with a NUL inside their field. volume, pod_uid and volume_name are of
// [A-Za-z0-9._-], not "." or "..".
struct Message {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint16_t verb;
  std::uint64_t sequence;
  std::int32_t status;
  std::uint32_t flags;
  char volume[96];
  char pod_uid[64];
  char volume_name[256];
  std::uint64_t numbers[4];
  char text[256];
};
static_assert(sizeof(Message) == 728 && alignof(Message) == 8, "no padding, the same everywhere");

}  // namespace escagent::keeper
