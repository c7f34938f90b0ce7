#pragma once

#include <cstdint>

namespace escagent::keeper {

// The messages between esc-keeper and an agent, or a new esc-keeper. SOCK_SEQPACKET; every message
// is one Message; replies have at most kMaxFds descriptors (SCM_RIGHTS), requests have none: a
// descriptor of an unknown file cannot even be closed without waiting for whoever serves it. Every
// request gets exactly one reply, with the request's verb and sequence; status is 0 or an errno.
// What is not of this shape is answered with EPROTO and the connection closed; a field that is not
// allowed, with EINVAL.
//
// Fields not named at a verb are not looked at. "fds" are in the order given; those that are
// optional are there when the reply's flag says so.
inline constexpr std::uint32_t kMagic = 0x6b637365;  // "esck"
inline constexpr std::uint16_t kVersion = 1;
inline constexpr unsigned kMaxFds = 4;
inline constexpr unsigned kMaxVolumes = 4096;
inline constexpr unsigned kMaxBlobs = 64;
inline constexpr unsigned kMaxPendingKeys = 16384;  // of all volumes together
inline constexpr std::uint64_t kMaxStateSize = 64ULL << 20;
inline constexpr std::uint64_t kMaxTmpfsSize = 64ULL << 20;
// The journal (fuse.md 1.3): slots of a request of at most 8 KiB behind 64 bytes of the agent's.
inline constexpr unsigned kJournalSlots = 16;
inline constexpr unsigned kJournalSlotSize = 8192 + 64;

enum class Verb : std::uint16_t {
  // The only message allowed first, but for kTakeover. numbers: lowest and highest version the
  // agent speaks. Makes this connection the agent's; one before it gets kDrain, 2 s to disconnect,
  // and SIGKILL. EBUSY: another agent waits for that already.
  // Reply: numbers = {version, rotator's thread id, volumes}; kPredecessorDied.
  kHello = 1,
  // Reply: fds = {listening CSI socket if kHasCsi, listening registration socket if
  // kHasRegistration}. The latter exists from the first kReady on.
  kGetSockets = 2,
  // Reply: fds = {memfd of kJournalSlots * kJournalSlotSize bytes}, the same for every agent.
  kGetJournal = 3,
  // numbers = {index}. Reply: the first volume at or behind the index: its ids, numbers =
  // {generation, device number of its file system, index after it}; kAborted, kTmpfs, kRotating;
  // fds = {/dev/fuse if kHasDevice, state if kHasState}. ENOENT: there are no more.
  kList = 4,
  // The ids; numbers = {permission bits of the root}; text = SELinux context or "". Stacks a
  // read-only mount on <pods>/<pod_uid>/volumes/kubernetes.io~csi/<volume_name>/mount, which it
  // makes if it is missing. A volume that lives already is mounted again (kExisted) unless the
  // mount is there; with kFresh it is replaced by a new connection. EBUSY: while it rotates.
  // Reply: fds = {/dev/fuse}, numbers = {0, device number}.
  kMount = 5,
  // volume, numbers = {generation}: keeps what the agent has put into the memfd of kNewState, in
  // place of what was kept. Without a volume: text = name of a blob that belongs to the agent.
  // EBADF: there is none, or it is not sealed against everything; EFBIG.
  kStore = 6,
  // volume, numbers = {0 add, 1 remove}, text = key: what the next kRotate changes beside ..data.
  kKey = 7,
  // volume, numbers = {old generation or 0, new generation}. Renames ..data to ..<new> through the
  // mount. Replied when done, with the first errno. EBUSY: one of this volume is under way.
  // EROFS and the like are what the server of the mount answered.
  kRotate = 8,
  // volume, or pod_uid and volume_name of one that is not known. Takes all our layers off the
  // target, removes the folder, forgets the volume. OK when nothing is there. EBUSY: a mount that
  // is not ours is left there.
  kUnmount = 9,
  // numbers = {index}. Reply: pod_uid and volume_name of the index-th mount of ours that belongs
  // to no volume; ENOENT: there are no more. A target may be listed more than once.
  kStale = 10,
  // As kMount; numbers = {permission bits, size limit, uid, gid}. Reply: fds = {writable root},
  // which replaces an earlier one; kNoSwap.
  kMountTmpfs = 11,
  // volume, numbers = {uid, gid}, text = path in the volume's tmpfs. Follows no symlink.
  kChown = 12,
  // The agent serves: stops the watchdog.
  kReady = 13,
  // The agent has answered everything it has read and reads no more: its end is no crash.
  kDrained = 14,
  // numbers = {index}. Reply: text = the blob's name, numbers = {0, 0, index after it}, fds =
  // {memfd if kHasState}. ENOENT: there are no more.
  kListBlobs = 15,
  // volume, or text = name of a blob. Reply: fds = {empty memfd}: to be filled, sealed, and kept by
  // kStore.
  kNewState = 16,
  // text = name of a blob.
  kDropBlob = 17,

  // From the keeper, unasked, sequence 0: finish, say kDrained, and disconnect.
  kDrain = 32,
  // From the keeper, unasked, sequence 0: a new keeper; numbers = {0, rotator's thread id}.
  kNewKeeper = 33,

  // From a new keeper (uid 0), then kList (and the private mount if kHasMount, the memfd of
  // kNewState if kHasNewState), kListBlobs (the same), kGetJournal, kGetSockets (with the keeper's
  // own listening socket in front) and
  // kTakeoverDone. The old one serves nobody meanwhile, and goes on when the new one disconnects.
  // Reply: fds = {agent's connection if kHasAgent, agent's pidfd if kHasPidfd}; kAgentReady,
  // kPredecessorDied. EBUSY: not in the middle of a rotation or a change of agents.
  kTakeover = 48,
  kTakeoverDone = 49,
};

// Message::flags.
inline constexpr std::uint32_t kHasDevice = 1U << 0;
inline constexpr std::uint32_t kHasState = 1U << 1;
inline constexpr std::uint32_t kHasMount = 1U << 2;
inline constexpr std::uint32_t kHasCsi = 1U << 3;
inline constexpr std::uint32_t kHasRegistration = 1U << 4;
inline constexpr std::uint32_t kHasAgent = 1U << 5;
inline constexpr std::uint32_t kHasPidfd = 1U << 6;
inline constexpr std::uint32_t kAborted = 1U << 7;  // by the watchdog: the mount is dead
inline constexpr std::uint32_t kTmpfs = 1U << 8;
inline constexpr std::uint32_t kRotating = 1U << 9;  // a rotation is not done yet
inline constexpr std::uint32_t kExisted = 1U << 10;
inline constexpr std::uint32_t kFresh = 1U << 11;
inline constexpr std::uint32_t kNoSwap = 1U << 12;
inline constexpr std::uint32_t kPredecessorDied = 1U << 13;  // without kDrained
inline constexpr std::uint32_t kAgentReady = 1U << 14;
inline constexpr std::uint32_t kHasNewState = 1U << 15;
inline constexpr std::uint32_t kAllFlags = (1U << 16) - 1;

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
