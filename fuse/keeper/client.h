#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "fuse/keeper/protocol.h"

namespace escagent::keeper {

inline constexpr std::uint64_t kMaxStateSize = 64ULL << 20;

// Where a volume is mounted: <kubelet-dir>/pods/<pod_uid>/volumes/kubernetes.io~csi/<volume_name>/
// mount. `volume` is the CSI volume id. All of [A-Za-z0-9._-] and not
// starting with a dot, as kubelet's are.
struct Target {
  std::string volume;
  std::string pod_uid;
  std::string volume_name;
  bool operator==(const Target&) const = default;
};

// What the keeper keeps of a volume.
struct KeptVolume {
  Target target;
  std::uint64_t generation = 0;     // as stored last
  std::uint64_t device_number = 0;  // st_dev of its file system (makedev)
  std::uint64_t rotated = 0;        // new generation of the last Rotate that was done; 0: none
  bool aborted = false;             // the connection has ended: mount it afresh
  bool gone = false;                // its mount is not at the target any more: mount it again
  bool tmpfs = false;
  bool rotating = false;  // a rotation that a predecessor asked for is not done yet
  UniqueFd device;        // /dev/fuse of this connection; none for tmpfs, or by the watchdog
  UniqueFd root;          // of a tmpfs, writable
  UniqueFd state;         // the sealed memfd stored last; may be none
};

struct MountedDevice {
  UniqueFd device;  // /dev/fuse, non-blocking, shared with the keeper
  std::uint64_t device_number = 0;
  // The volume had a connection, which this is: the kernel sends no second FUSE_INIT.
  bool existed = false;
};

struct MountedTmpfs {
  UniqueFd root;  // O_DIRECTORY; writable, unlike what the pods see
  std::uint64_t device_number = 0;
  bool noswap = false;  // the kernel (>= 6.4) will not swap it
  bool existed = false;
};

struct ListeningSockets {
  UniqueFd csi;
  UniqueFd registration;  // from the first Ready on
};

// The agent's side of the keeper's protocol (fuse/keeper/protocol.h). A connection is one agent:
// connecting drains whoever was connected before.
//
// Thread-safe; calls wait for their reply at most the timeout given to Connect, Rotate as long as
// it is told. Errors: UNAVAILABLE when the keeper is gone (all calls, from then on) or busy with
// the same volume; DEADLINE_EXCEEDED; otherwise what the keeper's errno means. A call that ran out
// of time may have been done nevertheless.
class KeeperClient {
 public:
  // Both are called by the client's own thread and must neither block nor destroy the client; they
  // may not call it either, but from another thread.
  struct Callbacks {
    // A successor waits: answer what has been read, Drained(), disconnect. 2 s, then SIGKILL.
    std::function<void()> on_drain;
    // The keeper closed the connection, was replaced by a new one, or died: Connect again, whatever
    // the reason. A new keeper has all that the old one had. Called once, never because of our own
    // destruction.
    std::function<void()> on_disconnected;
  };

  // Connects and says hello, again and again while a predecessor drains. UNAVAILABLE when nobody
  // listens or the predecessor is still there, PERMISSION_DENIED when the keeper serves another
  // uid.
  static Result<std::unique_ptr<KeeperClient>> Connect(const std::string& socket_path,
                                                       Callbacks callbacks,
                                                       std::chrono::milliseconds timeout);
  KeeperClient(const KeeperClient&) = delete;
  KeeperClient& operator=(const KeeperClient&) = delete;
  ~KeeperClient();

  // The agent before this one ended without Drained: requests it read may be unanswered. Also said
  // to an agent that comes back after a keeper was replaced, of itself.
  bool PredecessorDied() const { return predecessor_died_; }
  bool Connected() const { return !disconnected_.load(std::memory_order_acquire); }

  Result<ListeningSockets> GetSockets();
  // A memfd of kJournalSlots * kJournalSlotSize bytes, to be mapped MAP_SHARED.
  Result<UniqueFd> GetJournal();
  Result<std::vector<KeptVolume>> ListVolumes();
  // Whether anything is mounted at the target; asks nobody who serves it. `volume` is not used.
  Result<bool> Probe(const Target& target);

  // Mounts an empty FUSE connection, or the volume's again, on top of whatever is at the target;
  // nothing happens when the volume is mounted there. `fresh` replaces the volume's connection by a
  // new one. The pod's side is read-only.
  Result<MountedDevice> Mount(const Target& target, mode_t root_mode,
                              std::string_view selinux_context, bool fresh = false);
  Result<MountedTmpfs> MountTmpfs(const Target& target, mode_t root_mode, std::uint64_t max_bytes,
                                  uid_t uid, gid_t gid, std::string_view selinux_context,
                                  bool fresh = false);
  // Gives a file or folder of the volume's tmpfs away. `path` is relative to its root, at most 255
  // bytes, with no symlink on its way.
  Status Chown(const std::string& volume, std::string_view path, uid_t uid, gid_t gid);

  // Keeps a copy of the bytes of `state`, a memfd or other file, for a successor: at most
  // kMaxStateSize. Calls for the same volume must not overlap.
  Status Store(const std::string& volume, std::uint64_t generation, const UniqueFd& state);

  // Makes the rotation through the mount, so that watchers see it (fuse/keeper/mounts.h). A
  // process of the keeper does it and waits for whoever serves the mount: any of its requests may
  // come before this returns, and some after the time is up. OK: ..data leads to the new
  // generation. The same rotation may be asked for again while it is under way; another is
  // UNAVAILABLE then.
  Status Rotate(const std::string& volume, std::uint64_t old_generation,
                std::uint64_t new_generation, std::chrono::milliseconds timeout);

  // OK when nothing is there; also for a volume that the keeper does not know. UNAVAILABLE: a mount
  // of somebody else is left there.
  Status Unmount(const Target& target);

  // The agent serves what it was given. `just_started`: as nobody else can serve anything, a keeper
  // without volumes removes mounts of earlier ones that kubelet does not know any more.
  Status Ready(bool just_started);
  Status Drained();

  // A memfd with these bytes, sealed against everything.
  static Result<UniqueFd> SealedMemfd(std::string_view bytes);

 private:
  struct Answer {
    Message message = {};
    std::array<UniqueFd, kMaxFds> fds;
  };

  KeeperClient(UniqueFd socket, bool predecessor_died, Callbacks callbacks,
               std::chrono::milliseconds timeout);
  Result<std::uint64_t> ProbeDevice(const Target& target);
  void ReadReplies();
  void Deliver(Answer answer);
  // What the keeper answered, or an Error with `doing` in front.
  Result<Answer> Call(Message message, std::chrono::milliseconds timeout, std::string_view doing);
  Result<Answer> Call(const Message& message, std::string_view doing) {
    return Call(message, timeout_, doing);
  }

  const UniqueFd socket_;
  const Callbacks callbacks_;
  const std::chrono::milliseconds timeout_;
  const bool predecessor_died_;
  std::atomic<bool> disconnected_{false};
  std::atomic<bool> closing_{false};

  Mutex mutex_;
  CondVar changed_;
  std::uint64_t next_sequence_ GUARDED_BY(mutex_) = 1;
  // The calls that wait: nothing until their answer is here.
  std::map<std::uint64_t, std::optional<Answer>> waiting_ GUARDED_BY(mutex_);
  std::jthread reader_;
};

}  // namespace escagent::keeper
