#include "fuse/keeper/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>

#include "fuse/keeper/sockets.h"

namespace escagent::keeper {
namespace {

constexpr long kDrainMs = 2000;
constexpr long kKilledMs = 1000;
constexpr long kTakeoverMs = 10000;
constexpr int kMessagesAtOnce = 16;

UniqueFd NewJournal() {
  UniqueFd fd = NewMemfd();
  if (fd && (ftruncate(fd.Get(), off_t{kJournalSlots} * kJournalSlotSize) != 0 ||
             fcntl(fd.Get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)) {
    fd.Reset();
  }
  return fd;
}

}  // namespace

int Keeper::Start() {
  new_api_ = HasMountApi();
  kubelet_dir_.Reset(open(options_.kubelet_dir, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!kubelet_dir_) {
    const int error = errno;
    Log("cannot open --kubelet-dir", "", error);
    return error;
  }
  if (const int error = rotator_.Start()) {
    Log("cannot start the rotator", "", error);
    return error;
  }
  watchdog_deadline_ = NowMs() + options_.watchdog_seconds * 1000L;
  const UniqueFd other = ConnectTo(options_.socket);
  if (!other) return StartAlone();
  if (options_.takeover) return TakeOver(other.Get());
  Log("another keeper listens at --socket; say --takeover to replace it", "", EADDRINUSE);
  return EADDRINUSE;
}

int Keeper::StartAlone() {
  journal_ = NewJournal();
  const mode_t mode = options_.agent_uid == 0 ? 0600 : 0660;
  listener_ = ListenAt(options_.socket, SOCK_SEQPACKET, mode, options_.agent_gid);
  if (journal_ && listener_ && options_.csi_socket != nullptr) {
    csi_ = ListenAt(options_.csi_socket, SOCK_STREAM, 0600, 0);
  }
  if (journal_ && listener_ && (csi_ || options_.csi_socket == nullptr)) return 0;
  const int error = errno;
  Log("cannot make the journal and the sockets", "", error);
  return error;
}

void Keeper::Run() {
  Log("keeper serves", "", 0);
  while (!handed_over_) {
    pollfd polled[kMaxConnections + 2];
    for (int i = 0; i < kMaxConnections; ++i) {
      const Connection& c = connections_[i];
      const bool waits = taker_ != nullptr && taker_ != &c;
      const int events = successor_ == &c ? 0 : (c.blocked ? POLLOUT : POLLIN);
      polled[i] = {waits ? -1 : c.socket.Get(), static_cast<short>(events), 0};
    }
    polled[kMaxConnections] = {taker_ != nullptr ? -1 : listener_.Get(), POLLIN, 0};
    const bool unread = agent_ != nullptr && agent_->blocked;  // then a job's reply waits, too
    polled[kMaxConnections + 1] = {unread ? -1 : rotator_.DoneFd(), POLLIN, 0};
    poll(polled, kMaxConnections + 2, static_cast<int>(NextTimeout()));
    CheckTimers();
    for (int i = 0; i < kMaxConnections && !handed_over_; ++i) {
      Connection& c = connections_[i];
      if (polled[i].revents != 0 && polled[i].fd == c.socket.Get()) Serve(c);
    }
    FinishRotations();
    if (polled[kMaxConnections].revents != 0) Accept();
  }
}

long Keeper::NextTimeout() const {
  long first = 0;
  if (taker_ != nullptr) return takeover_deadline_ - NowMs() < 0 ? 0 : takeover_deadline_ - NowMs();
  for (const long deadline : {drain_deadline_, watchdog_deadline_}) {
    if (deadline != 0 && (first == 0 || deadline < first)) first = deadline;
  }
  if (first == 0) return -1;
  const long left = first - NowMs();
  return left < 0 ? 0 : left;
}

void Keeper::CheckTimers() {
  const long now = NowMs();
  if (takeover_deadline_ != 0 && now >= takeover_deadline_) {
    Log("the new keeper did not finish", "", ETIMEDOUT);
    Drop(*taker_);
  }
  if (taker_ != nullptr) return;
  if (drain_deadline_ != 0 && now >= drain_deadline_) {
    if (!killed_ && agent_->process) {
      Log("killing an agent that does not drain", "", ETIMEDOUT);
      syscall(SYS_pidfd_send_signal, agent_->process.Get(), SIGKILL, nullptr, 0);
      killed_ = true;
      drain_deadline_ = now + kKilledMs;  // until its descriptors are closed
    } else {
      Drop(*agent_);
    }
  }
  if (watchdog_deadline_ != 0 && now >= watchdog_deadline_) {
    watchdog_deadline_ = 0;
    AbortVolumes();
  }
}

void Keeper::AbortVolumes() {
  for (std::uint64_t i = 0; Volume* const v = volumes_.Next(i);) {
    if (v->tmpfs || v->aborted) continue;
    // Its number cannot be another's yet: our private mount keeps the file system.
    const int error = AbortConnection(v->device_number);
    Log("no agent serves: aborted the volume", v->id, error);
    v->device.Reset();
    v->mount.Reset();
    v->aborted = true;
  }
}

void Keeper::Accept() {
  uid_t uid = 0;
  UniqueFd socket = AcceptFrom(listener_.Get(), options_.agent_uid, &uid);
  if (!socket) return;
  // The oldest of those that are nobody makes room.
  Connection* slot = nullptr;
  for (Connection& c : connections_) {
    if (&c == agent_ || &c == successor_) continue;
    if (slot == nullptr || (slot->socket && (!c.socket || c.id < slot->id))) slot = &c;
  }
  Drop(*slot);
  slot->socket = std::move(socket);
  slot->uid = uid;
  slot->id = ++last_id_;
}

void Keeper::Serve(Connection& connection) {
  const std::uint64_t id = connection.id;
  connection.blocked = false;
  for (int i = 0; i < kMessagesAtOnce && connection.id == id; ++i) {
    if (&connection != successor_ && !IsWritable(connection.socket.Get())) {
      connection.blocked = true;  // is asked no more before there is room for the answer
      return;
    }
    Message request = {};
    const Arrival arrival = Receive(connection.socket.Get(), &request, MSG_DONTWAIT);
    if (arrival == Arrival::kNothing) return;
    if (arrival == Arrival::kMessage) {
      Reply reply;
      const int status = Dispatch(connection, request, reply);
      if (status != kNoReply) Answer(connection, request, reply, status);
    }
    if (arrival == Arrival::kMalformed) {
      Reply reply;
      Answer(connection, NewMessage(Verb{}), reply, EPROTO);
    }
    if (arrival != Arrival::kMessage) Drop(connection);
  }
}

void Keeper::Answer(Connection& connection, const Message& request, Reply& reply, int status) {
  reply.message.magic = kMagic;
  reply.message.version = kVersion;
  reply.message.verb = request.verb;
  reply.message.sequence = request.sequence;
  reply.message.status = status;
  if (status != 0) {
    reply.fd_count = 0;
    reply.message.flags = 0;
  }
  const int error =
      Send(connection.socket.Get(), reply.message, reply.fds, reply.fd_count, MSG_DONTWAIT);
  if (error != 0 && error != EPIPE && error != ECONNRESET) Log("cannot answer", "", error);
  if (status == EPROTO) Drop(connection);
}

void Keeper::Drop(Connection& connection) {
  const bool was_agent = &connection == agent_;
  if (&connection == successor_) successor_ = nullptr;
  if (&connection == taker_) {
    taker_ = nullptr;
    takeover_deadline_ = 0;
  }
  const bool drained = connection.drained;
  connection = Connection();
  if (!was_agent) return;
  agent_ = nullptr;
  drain_deadline_ = 0;
  predecessor_died_ = predecessor_died_ || !drained;
  volumes_.DropUnfinished();
  if (agent_ready_) watchdog_deadline_ = NowMs() + options_.watchdog_seconds * 1000L;
  agent_ready_ = false;
  Log("agent disconnected", "", drained ? 0 : ECONNRESET);
  if (successor_ == nullptr) return;
  Connection* const next = successor_;
  successor_ = nullptr;
  Welcome(*next, hello_sequence_);
}

int Keeper::Hello(Connection& connection, const Message& request) {
  if (request.numbers[0] > kVersion || request.numbers[1] < kVersion) return EPROTO;
  if (successor_ != nullptr) return EBUSY;
  connection.process = PeerProcess(connection.socket.Get());
  if (agent_ == nullptr) {
    Welcome(connection, request.sequence);
    return kNoReply;
  }
  Send(agent_->socket.Get(), NewMessage(Verb::kDrain), nullptr, 0, MSG_DONTWAIT);
  successor_ = &connection;
  hello_sequence_ = request.sequence;
  killed_ = false;
  drain_deadline_ = NowMs() + kDrainMs;
  return kNoReply;
}

void Keeper::Welcome(Connection& connection, std::uint64_t sequence) {
  agent_ = &connection;
  Message request = NewMessage(Verb::kHello);
  request.sequence = sequence;
  Reply reply;
  reply.message.numbers[0] = kVersion;
  reply.message.numbers[1] = static_cast<std::uint64_t>(rotator_.Thread());
  reply.message.numbers[2] = volumes_.Count();
  if (predecessor_died_) reply.message.flags |= kPredecessorDied;
  predecessor_died_ = false;
  Answer(connection, request, reply, 0);
}

int Keeper::BeginTakeover(Connection& connection, Reply& reply) {
  if (connection.uid != 0) return EACCES;
  if (successor_ != nullptr || taker_ != nullptr || !rotator_.Idle() ||
      volumes_.PendingKeys() != 0) {
    return EBUSY;
  }
  taker_ = &connection;
  takeover_deadline_ = NowMs() + kTakeoverMs;
  if (agent_ != nullptr) {
    reply.Add(agent_->socket.Get(), kHasAgent);
    reply.Add(agent_->process.Get(), kHasPidfd);
    if (agent_ready_) reply.message.flags |= kAgentReady;
  }
  if (predecessor_died_) reply.message.flags |= kPredecessorDied;
  return 0;
}

void Keeper::FinishRotations() {
  while (true) {
    if (agent_ != nullptr && !IsWritable(agent_->socket.Get())) {
      agent_->blocked = true;  // we are here again when it is not
      return;
    }
    Message job = {};
    if (!rotator_.TakeDone(&job)) return;
    FreeKeys(KeysOf(job));
    for (std::uint64_t i = 0; Volume* const v = volumes_.Next(i);) {
      if (v->rotation == job.numbers[3] && v->rotation_sequence == job.sequence) v->rotation = 0;
    }
    if (agent_ == nullptr || agent_->id != job.numbers[3]) continue;
    Reply reply;
    Answer(*agent_, job, reply, job.status);
  }
}

}  // namespace escagent::keeper
