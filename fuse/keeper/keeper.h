#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/unique_fd.h"
#include "fuse/keeper/mounts.h"
#include "fuse/keeper/rotator.h"
#include "fuse/keeper/volume_table.h"
#include "fuse/keeper/wire.h"

namespace escagent::keeper {

struct Options {
  const char* socket = nullptr;
  const char* kubelet_dir = nullptr;
  const char* csi_socket = nullptr;           // may be none
  const char* registration_socket = nullptr;  // may be none
  uid_t agent_uid = 0;
  gid_t agent_gid = 0;
  int watchdog_seconds = 60;
  bool takeover = false;  // of a keeper that listens at `socket`
};

// The program: one loop over the connections. Whoever connects is nobody until it says kHello or
// kTakeover; there is one agent at a time.
class Keeper {
 public:
  explicit Keeper(const Options& options) : options_(options) {}
  // Opens what is needed, or takes it over. 0 or an errno, after telling.
  int Start();
  // Serves until a new keeper has everything.
  void Run();

 private:
  struct Connection {
    UniqueFd socket;
    UniqueFd process;  // pidfd
    uid_t uid = 0;
    std::uint64_t id = 0;  // never used again
    bool drained = false;
    bool blocked = false;  // does not read its replies
  };
  struct Reply {
    Message message = {};
    int fds[kMaxFds] = {};
    unsigned fd_count = 0;
    UniqueFd owned;

    void Add(int fd, std::uint32_t flag) {
      if (fd < 0) return;
      fds[fd_count++] = fd;
      message.flags |= flag;
    }
  };
  static constexpr int kMaxConnections = 8;
  static constexpr int kNoReply = -1;  // it comes later

  int StartAlone();
  int TakeOver(int old_keeper);
  int FetchKept(int old_keeper);

  long NextTimeout() const;
  void CheckTimers();
  void Accept();
  void Serve(Connection& connection);
  void Answer(Connection& connection, const Message& request, Reply& reply, int status);
  void Drop(Connection& connection);
  void Welcome(Connection& connection, std::uint64_t sequence);
  void FinishRotations();
  void AbortVolumes();

  int Dispatch(Connection& connection, const Message& request, Reply& reply);
  int DispatchAgent(Connection& connection, const Message& request, Reply& reply);
  int DispatchTaker(const Message& request, Reply& reply);
  int Hello(Connection& connection, const Message& request);
  int BeginTakeover(Connection& connection, Reply& reply);
  int List(const Message& request, Reply& reply, bool with_mount);
  int ListBlobs(const Message& request, Reply& reply, bool with_new);
  int GetSockets(Reply& reply, bool with_own);
  int Mount(const Message& request, Reply& reply);
  int MountAnew(Volume& volume, int folder, const Message& request);
  int NewState(const Message& request, Reply& reply);
  int Store(const Message& request);
  int DropBlob(const Message& request);
  int AddKey(const Message& request);
  int Rotate(Connection& connection, const Message& request);
  int Unmount(const Message& request);
  int Stale(const Message& request, Reply& reply);
  int Chown(const Message& request);
  int Ready();

  const Options options_;
  bool new_api_ = true;
  UniqueFd kubelet_dir_;
  UniqueFd listener_;
  UniqueFd csi_;
  UniqueFd registration_;
  UniqueFd journal_;
  VolumeTable volumes_;
  Rotator rotator_;

  Connection connections_[kMaxConnections];
  std::uint64_t last_id_ = 0;
  Connection* agent_ = nullptr;
  Connection* successor_ = nullptr;  // waits for agent_ to go
  Connection* taker_ = nullptr;      // a new keeper: everybody else waits
  std::uint64_t hello_sequence_ = 0;
  bool killed_ = false;  // agent_, as it did not drain
  bool agent_ready_ = false;
  bool predecessor_died_ = false;
  bool handed_over_ = false;
  // Of NowMs; 0: none.
  long drain_deadline_ = 0;
  long takeover_deadline_ = 0;
  long watchdog_deadline_ = 0;
};

}  // namespace escagent::keeper
