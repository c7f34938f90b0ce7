#pragma once

#include <poll.h>
#include <sys/wait.h>

#include <cstdlib>
#include <new>

#include "fuse/keeper/mounts.h"

namespace escagent::keeper {
struct Options {
  const char* socket = nullptr;
  const char* kubelet_dir = nullptr;
  const char* csi_socket = nullptr;           // may be none
  const char* registration_socket = nullptr;  // may be none
  uid_t uid = 0;                              // the agents' user
  long watchdog_ms = 0;
};

struct Volume {
  Volume* next = nullptr;
  Ids ids = {};
  FileSystem files;
  UniqueFd state;
  UniqueFd new_state;  // the agent is writing it
  std::uint64_t generation = 0;
  std::uint64_t rotated = 0;
  pid_t rotator = 0;      // the process that rotates; 0: none
  Message rotation = {};  // for which request; sequence 0: its agent is gone

  std::uint64_t Device() const { return DeviceOf(files.mount.Get()); }
  bool IsTmpfs() const { return (files.flags & kTmpfs) != 0; }
};

// The program: what outlives the agents, and one loop over two connections, the agent's and that of
// the guest who came last. An int is 0, an errno or kNoReply.
class Keeper {
 public:
  explicit Keeper(const Options& options) : options_(options) {}

  // Takes everything over from a keeper that serves, or starts with nothing. `path`: what an error
  // is about.
  int Start(const char** path) {
    *path = options_.kubelet_dir;
    kubelet_dir_.Reset(open(options_.kubelet_dir, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!kubelet_dir_) return errno;
    signal(SIGCHLD, [](int) {});  // it ends a ppoll, and comes only there
    sigset_t between = {};        // messages only
    sigaddset(&between, SIGCHLD);
    sigaddset(&between, SIGTERM);
    sigprocmask(SIG_BLOCK, &between, &signals_);
    watchdog_deadline_ = NowMs() + options_.watchdog_ms;
    int error = TakeOver();
    if (error == ENOENT) {
      journal_ = NewMemfd();
      const bool sized = ftruncate(journal_.Get(), kJournalSlots * kJournalSlotSize) == 0;
      error = sized && fcntl(journal_.Get(), F_ADD_SEALS, kJournalSeals) == 0 ? 0 : errno;
    }
    *path = options_.socket;
    if (error == 0) error = ListenAt(options_.socket, SOCK_SEQPACKET, options_.uid, &listener_);
    if (error == 0) *path = options_.csi_socket;
    return error == 0 ? ListenAt(options_.csi_socket, SOCK_STREAM, 0, &csi_) : error;
  }

  // Serves until a new keeper has everything.
  void Run() {
    while (!handed_over_) {
      FinishRotations();
      CheckTimers();
      pollfd polled[] = {
          {agent_.Get(), POLLIN, 0}, {guest_.Get(), POLLIN, 0}, {listener_.Get(), POLLIN, 0}};
      const bool waits = drain_deadline_ != 0 || watchdog_deadline_ != 0 || rotations_ != 0;
      ppoll(polled, 3, waits ? &kTick : nullptr, &signals_);
      if (polled[0].revents != 0) Serve(agent_);
      if (polled[1].revents != 0) Serve(guest_);
      if (polled[2].revents != 0 && !handed_over_) Accept();
    }
  }

 private:
  static constexpr int kNoReply = -1;  // it comes later
  static constexpr int kJournalSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  static constexpr timespec kTick = {0, 100000000};
  static constexpr long kDrainMs = 2000;
  static constexpr long kBusyMs = 30000;
  static constexpr timeval kPatience = {10, 0};  // for one message of the other keeper

  // The new keeper's side. ENOENT: there is no old one, or an agent in its place.
  int TakeOver() {
    for (const long deadline = NowMs() + kBusyMs; true; ppoll(nullptr, 0, &kTick, nullptr)) {
      const UniqueFd old = ConnectTo(options_.socket);
      if (!old || PeerOf(old.Get()).uid != 0) return ENOENT;
      setsockopt(old.Get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
      const int error = Fetch(old.Get());
      if (error != EBUSY || NowMs() > deadline) return error;
    }
  }

  int Fetch(int old_keeper) {
    UniqueFd fds[kMaxFds];
    Message m = {};
    const auto ask = [&](Verb verb) {
      int error = Send(old_keeper, {NewMessage(verb), {}}, 0);
      if (error == 0) error = Receive(old_keeper, &m, fds, 0);
      return error == 0 ? m.status : error;
    };
    if (ask(Verb::kTakeover) != 0) return EBUSY;  // or another guest has come
    csi_ = std::move(fds[0]);
    registration_ = std::move(fds[1]);
    listener_ = std::move(fds[2]);
    journal_ = std::move(fds[3]);
    predecessor_died_ = (m.flags & kPredecessorDied) != 0;
    for (std::uint64_t left = m.numbers[0]; left > 0; --left) {
      if (const int error = Receive(old_keeper, &m, fds, 0)) return error;
      Volume* const v = Add(m.ids);
      if (v == nullptr) return ENOMEM;
      v->files = {std::move(fds[0]), std::move(fds[2]), m.flags & (kTmpfs | kNoSwap)};
      v->state = std::move(fds[1]);
      v->generation = m.numbers[0];
      v->rotated = m.numbers[3];
    }
    return ask(Verb::kTakeoverDone);
  }

  // The old keeper's side.
  int HandOver(Packet& p) {
    const int socket = guest_.Get();
    if (PeerOf(socket).uid != 0) return EACCES;
    if (rotations_ != 0) return EBUSY;
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
    Message& m = p.message;
    m.flags = predecessor_died_ || (agent_ && !agent_drained_) ? kPredecessorDied : 0;
    m.numbers[0] = volume_count_;
    int error = Send(socket, {m, {&csi_, &registration_, &listener_, &journal_}}, 0);
    for (std::uint64_t i = 0; error == 0 && i < volume_count_; ++i) {
      m.numbers[0] = i;
      List(p);
      error = Send(socket, p, 0);
    }
    handed_over_ = error == 0 && Receive(socket, &m, nullptr, 0) == 0 &&
                   Verb{m.verb} == Verb::kTakeoverDone && Send(socket, {m, {}}, 0) == 0;
    return handed_over_ ? kNoReply : EPROTO;
  }

  void Accept() {
    UniqueFd socket(accept4(listener_.Get(), nullptr, nullptr, SOCK_CLOEXEC));
    const uid_t uid = PeerOf(socket.Get()).uid;
    if (uid != 0 && uid != options_.uid) return Log("refused a peer", "", EACCES);
    guest_ = std::move(socket);
  }

  void Serve(UniqueFd& socket) {
    Packet p;
    const int fd = socket.Get();  // the guest's may become the agent's
    int status = Receive(fd, &p.message, nullptr, MSG_DONTWAIT);
    if (status == EAGAIN) return;
    if (status == ECONNRESET) return Drop(socket);
    if (status == 0) status = &socket == &agent_ ? Do(p) : Welcome(p);
    if (status != kNoReply) Answer(fd, p, status);
  }

  // Who breaks the protocol or does not read is shut down, and dropped when that is seen.
  static void Answer(int socket, Packet& p, int status) {
    p.message.status = status;
    p.fds[2] = p.fds[3] = nullptr;  // for a keeper only
    if (status != 0) p.fds[0] = p.fds[1] = nullptr;
    if (Send(socket, p, MSG_DONTWAIT) != 0 || status == EPROTO) shutdown(socket, SHUT_RDWR);
  }

  void Drop(UniqueFd& socket) {
    socket.Reset();
    if (&socket != &agent_) return;
    Log("agent disconnected", "", agent_drained_ ? 0 : ECONNRESET);
    predecessor_died_ = predecessor_died_ || !agent_drained_;
    drain_deadline_ = 0;
    if (watchdog_deadline_ == 0) watchdog_deadline_ = NowMs() + options_.watchdog_ms;
    for (Volume* v = volumes_; v != nullptr; v = v->next) {
      v->new_state.Reset();
      v->rotation.sequence = 0;
    }
  }

  // What a guest may ask for.
  int Welcome(Packet& p) {
    if (Verb{p.message.verb} == Verb::kTakeover) return HandOver(p);
    if (Verb{p.message.verb} != Verb::kHello) return EPROTO;
    if (agent_ && drain_deadline_ == 0) {
      Send(agent_.Get(), {NewMessage(Verb::kDrain), {}}, MSG_DONTWAIT);
      drain_deadline_ = NowMs() + kDrainMs;
    }
    if (agent_) return EBUSY;
    agent_ = std::move(guest_);
    agent_process_.Reset(static_cast<int>(syscall(SYS_pidfd_open, PeerOf(agent_.Get()).pid, 0)));
    agent_drained_ = false;
    p.message.flags = std::exchange(predecessor_died_, false) ? kPredecessorDied : 0;
    return 0;
  }

  // What the agent may ask for.
  int Do(Packet& p) {
    const Message& m = p.message;
    const Verb verb{m.verb};
    if (verb == Verb::kGetSockets) return p = {m, {&csi_, &registration_}}, 0;
    if (verb == Verb::kGetJournal) return p = {m, {&journal_}}, 0;
    if (verb == Verb::kDrained) return agent_drained_ = true, 0;
    if (verb == Verb::kReady) return Ready(m.numbers[0] != 0);
    if (verb == Verb::kList) return List(p);
    if (verb == Verb::kMount || verb == Verb::kMountTmpfs) return Mount(p);
    if (verb == Verb::kUnmount) return Unmount(m.ids);
    if (verb == Verb::kProbe) return Probe(p.message);
    Volume* const v = Find(m.ids);
    if (verb == Verb::kChown) return v == nullptr ? ENOENT : Chown(*v, m);
    if (verb == Verb::kNewState) return v == nullptr ? ENOENT : NewState(*v, p);
    if (verb == Verb::kStore) return v == nullptr ? ENOENT : Store(*v, m);
    if (verb == Verb::kRotate) return v == nullptr ? ENOENT : Rotate(*v, m);
    return EPROTO;
  }

  int Ready(bool agent_is_new) {
    watchdog_deadline_ = 0;
    if (agent_is_new && volumes_ == nullptr) UnmountForgotten(kubelet_dir_.Get());
    return ListenAt(options_.registration_socket, SOCK_STREAM, 0, &registration_);
  }

  // With the private mount behind what agents get.
  int List(Packet& p) const {
    Message& m = p.message;
    const Volume* v = volumes_;
    for (std::uint64_t i = 0; v != nullptr && i < m.numbers[0]; ++i) v = v->next;
    if (v == nullptr) return ENOENT;
    m.ids = v->ids;
    m.flags = v->files.flags | (v->rotator != 0 ? kRotating : 0);
    m.numbers[0] = v->generation;
    m.numbers[1] = v->Device();
    m.numbers[3] = v->rotated;
    p = {m, {&v->files.device, &v->state, &v->files.mount}};
    return 0;
  }

  int Mount(Packet& p) {
    Message& m = p.message;
    const bool tmpfs = Verb{m.verb} == Verb::kMountTmpfs;
    const bool sized = m.numbers[1] > 0 && m.numbers[1] <= kMaxTmpfsSize;
    if (!IsName(m.ids.volume) || (tmpfs && !sized)) return EINVAL;
    const UniqueFd folder = OpenVolumeFolder(kubelet_dir_.Get(), m.ids);
    if (!folder) return errno;
    Volume* v = Find(m.ids);
    const bool added = v == nullptr;
    if (added && (v = Add(m.ids)) == nullptr) return ENOSPC;
    const bool same = memcmp(&v->ids, &m.ids, sizeof m.ids) == 0;
    if (!same || (v->files.mount && v->IsTmpfs() != tmpfs)) return EEXIST;
    const bool existed = v->files.mount && (m.flags & kFresh) == 0;
    const bool there = existed && MountedDevice(folder.Get()) == v->Device();
    if (!there && v->rotator != 0) return EBUSY;
    if (!existed) v->files = FileSystem();
    const int error = there ? 0 : MountAt(folder.Get(), m, &v->files);
    if (error != 0 && !existed) v->files = FileSystem();
    m.flags = v->files.flags | (existed ? kExisted : 0);
    m.numbers[1] = v->Device();
    p.fds[0] = &v->files.device;
    if (error != 0 && added) Remove(v);
    return error;
  }

  int Unmount(const Ids& ids) {
    Volume* const v = Find(ids);
    if (v != nullptr && v->rotator != 0) return kill(v->rotator, SIGKILL) == 0 ? EAGAIN : errno;
    const UniqueFd folder = OpenVolumeFolder(kubelet_dir_.Get(), v != nullptr ? v->ids : ids);
    if (!folder && errno != ENOENT) return errno;
    const int error = folder ? UnmountAll(folder.Get()) : 0;
    if (error == 0 && v != nullptr) Remove(v);
    return error;
  }

  int Probe(Message& m) const {
    const UniqueFd folder = OpenVolumeFolder(kubelet_dir_.Get(), m.ids);
    const int error = folder || errno == ENOENT ? 0 : errno;
    m.numbers[1] = MountedDevice(folder.Get());
    return error;
  }

  static int Chown(const Volume& v, const Message& m) {
    if (!v.IsTmpfs()) return EINVAL;
    const UniqueFd file = OpenBeneath(v.files.mount.Get(), m.text, 0);
    const auto uid = static_cast<uid_t>(m.numbers[0]);
    const auto gid = static_cast<gid_t>(m.numbers[1]);
    return file && fchownat(file.Get(), "", uid, gid, AT_EMPTY_PATH) == 0 ? 0 : errno;
  }

  static int NewState(Volume& v, Packet& p) {
    v.new_state = NewMemfd();
    p.fds[0] = &v.new_state;
    return v.new_state ? 0 : errno;
  }

  static int Store(Volume& v, const Message& m) {
    if (!v.new_state) return EBADF;
    v.state = std::move(v.new_state);
    v.generation = m.numbers[0];
    return 0;
  }

  int Rotate(Volume& v, const Message& m) {
    if (v.IsTmpfs() || m.numbers[1] == 0) return EINVAL;
    const bool joins = v.rotator != 0 && v.rotation.numbers[1] == m.numbers[1];
    if (!joins && (v.rotator != 0 || rotations_ == kMaxRotations)) return EBUSY;
    if (!joins) {
      const pid_t child = StartRotation(v.files.mount.Get(), m.numbers[0], m.numbers[1]);
      if (child < 0) return errno;
      v.rotator = child;
      ++rotations_;
    }
    v.rotation = m;
    return kNoReply;
  }

  void FinishRotations() {
    for (Volume* v = volumes_; v != nullptr; v = v->next) {
      int status = 0;
      if (v->rotator == 0 || waitpid(v->rotator, &status, WNOHANG) != v->rotator) continue;
      status = WIFEXITED(status) ? WEXITSTATUS(status) : ECANCELED;
      if (status == 0) v->rotated = v->rotation.numbers[1];
      v->rotator = 0;
      --rotations_;
      Packet p = {v->rotation, {}};
      if (p.message.sequence != 0) Answer(agent_.Get(), p, status);
    }
  }

  void CheckTimers() {
    const long now = NowMs();
    if (drain_deadline_ != 0 && now >= drain_deadline_) {
      if (!agent_process_) return Drop(agent_);
      Log("killing an agent that does not drain", "", ETIMEDOUT);
      syscall(SYS_pidfd_send_signal, agent_process_.Get(), SIGKILL, nullptr, 0);
      agent_process_.Reset();
      drain_deadline_ = now + kDrainMs;  // for its descriptors to be closed
    }
    if (watchdog_deadline_ == 0 || now < watchdog_deadline_) return;
    watchdog_deadline_ = 0;
    for (Volume* v = volumes_; v != nullptr; v = v->next) {
      if (v->IsTmpfs() || !v->files.mount) continue;
      // Its number is not another's yet: our private mount keeps the file system.
      Log("no agent serves: aborting the volume", v->ids.volume, AbortConnection(v->Device()));
      v->files = FileSystem();
    }
  }

  Volume* Find(const Ids& ids) const {
    Volume* v = volumes_;
    while (v != nullptr && strcmp(v->ids.volume, ids.volume) != 0) v = v->next;
    return v;
  }

  // nullptr when there is no room.
  Volume* Add(const Ids& ids) {
    void* const memory = volume_count_ < kMaxVolumes ? malloc(sizeof(Volume)) : nullptr;
    if (memory == nullptr) return nullptr;
    auto* const v = new (memory) Volume;
    v->ids = ids;
    v->next = volumes_;
    ++volume_count_;
    return volumes_ = v;
  }

  void Remove(Volume* v) {
    Volume** link = &volumes_;
    while (*link != v) link = &(*link)->next;
    *link = v->next;
    --volume_count_;
    v->~Volume();
    free(v);
  }

  const Options options_;
  sigset_t signals_ = {};  // as they were at the start
  UniqueFd kubelet_dir_;
  UniqueFd listener_;
  UniqueFd csi_;
  UniqueFd registration_;
  UniqueFd journal_;
  UniqueFd guest_;
  UniqueFd agent_;
  UniqueFd agent_process_;  // pidfd; none once it was killed
  bool agent_drained_ = false;
  bool predecessor_died_ = false;
  bool handed_over_ = false;
  long drain_deadline_ = 0;  // of NowMs; 0: none
  long watchdog_deadline_ = 0;
  Volume* volumes_ = nullptr;
  unsigned volume_count_ = 0;
  unsigned rotations_ = 0;
};
}  // namespace escagent::keeper
