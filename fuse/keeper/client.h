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

// Where a volume is mounted: <kubelet-dir>/pods/<pod_uid>/volumes/kubernetes.io~csi/<volume_name>/
// mount. `volume` is the CSI volume id. All of [A-Za-z0-9._-], as kubelet's are.
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
  bool aborted = false;             // by the watchdog: mount it anew
  bool tmpfs = false;
  bool rotating = false;  // a rotation that a predecessor asked for is not done yet
  UniqueFd device;        // /dev/fuse of this connection; none for tmpfs or when aborted
  UniqueFd state;         // the sealed memfd stored last; may be none
};

struct KeptBlob {
  std::string name;
  UniqueFd state;
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
    // The keeper closed the connection or died. Called once, never after on_drain's successor got
    // its turn by our own destruction.
    std::function<void()> on_disconnected;
  };

  // Connects and says hello, which takes as long as a predecessor needs to drain. UNAVAILABLE when
  // nobody listens, PERMISSION_DENIED when our uid is not the one the keeper serves.
  static Result<std::unique_ptr<KeeperClient>> Connect(const std::string& socket_path,
                                                       Callbacks callbacks,
                                                       std::chrono::milliseconds timeout);
  KeeperClient(const KeeperClient&) = delete;
  KeeperClient& operator=(const KeeperClient&) = delete;
  ~KeeperClient();

  // The thread that rotates, as the kernel names it in the requests (fuse_ctx::pid) if the keeper
  // made the mount in its own pid namespace. Changes when a new keeper takes over.
  pid_t RotatorThread() const { return rotator_.load(std::memory_order_acquire); }
  // The agent before this one ended without Drained: requests it read may be unanswered.
  bool PredecessorDied() const { return predecessor_died_; }
  bool Connected() const { return !disconnected_.load(std::memory_order_acquire); }

  Result<ListeningSockets> GetSockets();
  // A memfd of kJournalSlots * kJournalSlotSize bytes, to be mapped MAP_SHARED.
  Result<UniqueFd> GetJournal();
  Result<std::vector<KeptVolume>> ListVolumes();
  Result<std::vector<KeptBlob>> ListBlobs();

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
  // The same for what belongs to no volume. At most kMaxBlobs names.
  Status StoreBlob(const std::string& name, const UniqueFd& state);
  Status DropBlob(const std::string& name);

  struct Rotation {
    std::string volume;
    std::uint64_t old_generation = 0;  // its folder is removed; 0: none
    std::uint64_t new_generation = 0;
    std::vector<std::string> added_keys;
    std::vector<std::string> removed_keys;
  };
  // Makes the rotation through the mount, so that watchers see it. The keeper waits for whoever
  // serves the mount: it must not be the calling thread. One call a volume at a time.
  Status Rotate(const Rotation& rotation, std::chrono::milliseconds timeout);

  // OK when nothing is there. `volume` may be one the keeper does not know if the rest is given.
  Status Unmount(const Target& target);
  // Mounts of ours that belong to no volume of the keeper; unmount them. `volume` is empty.
  Result<std::vector<Target>> ListStale();

  Status Ready();
  Status Drained();

  // A memfd with these bytes, sealed against everything.
  static Result<UniqueFd> SealedMemfd(std::string_view bytes);

 private:
  struct Answer {
    Message message = {};
    std::array<UniqueFd, kMaxFds> fds;
    unsigned taken = 0;
  };

  KeeperClient(UniqueFd socket, Callbacks callbacks, std::chrono::milliseconds timeout);
  // The next descriptor of an answer if its flag is there.
  static UniqueFd TakeFd(Answer& answer, bool present);
  Status Hello();
  void ReadReplies();
  void Deliver(Answer answer);
  // What the keeper answered, or an Error with `doing` in front.
  Result<Answer> Call(Message message, std::chrono::milliseconds timeout, std::string_view doing);
  Result<Answer> Call(const Message& message, std::string_view doing) {
    return Call(message, timeout_, doing);
  }
  Status StoreCopy(Message request, const UniqueFd& state, std::string_view doing);

  const UniqueFd socket_;
  const Callbacks callbacks_;
  const std::chrono::milliseconds timeout_;
  std::atomic<pid_t> rotator_{0};
  bool predecessor_died_ = false;  // written before Connect returns
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
