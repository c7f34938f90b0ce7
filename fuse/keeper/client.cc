#include "fuse/keeper/client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/thread.h"
#include "fuse/keeper/protocol.h"

namespace escagent::keeper {
namespace {

constexpr int kPauseMs = 5;
constexpr int kAllSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

std::unexpected<Error> KeeperError(int error, std::string_view doing) {
  const std::string context(doing);
  switch (error) {
    case EBUSY:
      return Unavailable(context + ": the keeper is busy with it; try again");
    case EAGAIN:
      return MakeError(Code::kResourceExhausted, context + ": the volume rotates; try again");
    case EPROTO:
      return FailedPrecondition(context +
                                ": esc-keeper does not know this request; are its version and "
                                "this program's the same?");
    case ENOTCONN:
    case ECONNABORTED:
      return MakeError(Code::kAborted, context + ": the mount's connection was aborted");
    case ECANCELED:
      return MakeError(Code::kAborted, context + ": the volume was unmounted meanwhile");
    case EBADF:
    case EINVAL:
      return InvalidArgument(context + ": esc-keeper refused the arguments");
    default:
      return ErrnoError(error, context);
  }
}

bool SetName(char* field, std::size_t size, const std::string& name) {
  if (name.size() >= size || name.contains('\0')) return false;
  name.copy(field, size);
  return true;
}

// A request about a volume; INVALID_ARGUMENT for what no field can hold.
Result<Message> VolumeRequest(Verb verb, const Target& target) {
  Message message = NewMessage(verb);
  Ids& ids = message.ids;
  if (!SetName(ids.volume, sizeof ids.volume, target.volume) ||
      !SetName(ids.pod_uid, sizeof ids.pod_uid, target.pod_uid) ||
      !SetName(ids.volume_name, sizeof ids.volume_name, target.volume_name)) {
    return InvalidArgument("volume \"" + target.volume + "\": a name is too long for esc-keeper");
  }
  for (const char* const name : {ids.volume, ids.pod_uid, ids.volume_name}) {
    if (*name != '\0' && !IsName(name)) {
      return InvalidArgument(
          "volume \"" + target.volume +
          "\": its names may only have letters, digits, '_', '-' and, not first, '.'");
    }
  }
  return message;
}

Target OfVolume(const std::string& volume) {
  return {.volume = volume, .pod_uid = "", .volume_name = ""};
}

Status SetText(Message& message, std::string_view text) {
  if (SetName(message.text, sizeof message.text, std::string(text))) return {};
  return InvalidArgument("a name or context of " + std::to_string(text.size()) +
                         " bytes: too long for esc-keeper");
}

bool Has(const Message& message, std::uint32_t flag) { return (message.flags & flag) != 0; }

// 0 or an errno: EBUSY while a predecessor is there, ECONNRESET when the keeper hung up.
int SayHello(const UniqueFd& socket, std::chrono::steady_clock::time_point deadline,
             bool* predecessor_died) {
  Message message = NewMessage(Verb::kHello);
  message.sequence = 1;
  if (Send(socket.Get(), {message, {}}, 0) != 0) return ECONNRESET;
  pollfd polled = {socket.Get(), POLLIN, 0};
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  if (poll(&polled, 1, std::max(0, static_cast<int>(left.count()))) != 1) return ETIMEDOUT;
  if (keeper::Receive(socket.Get(), &message, nullptr, 0) != 0) return ECONNRESET;
  *predecessor_died = Has(message, kPredecessorDied);
  return message.status;
}

// Of an aborted connection.
bool HasError(const UniqueFd& device) {
  pollfd polled = {device.Get(), 0, 0};
  return poll(&polled, 1, 0) == 1 && (polled.revents & POLLERR) != 0;
}

// Nobody is left who could change it.
bool IsSealedState(const UniqueFd& state) {
  const int seals = fcntl(state.Get(), F_GET_SEALS);
  struct stat found = {};
  return seals >= 0 && (seals & kAllSeals) == kAllSeals && fstat(state.Get(), &found) == 0 &&
         static_cast<std::uint64_t>(found.st_size) <= kMaxStateSize;
}

}  // namespace

KeeperClient::KeeperClient(UniqueFd socket, bool predecessor_died, Callbacks callbacks,
                           std::chrono::milliseconds timeout)
    : socket_(std::move(socket)),
      callbacks_(std::move(callbacks)),
      timeout_(timeout),
      predecessor_died_(predecessor_died) {}

Result<std::unique_ptr<KeeperClient>> KeeperClient::Connect(const std::string& socket_path,
                                                            Callbacks callbacks,
                                                            std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const std::string doing = "connect to esc-keeper at " + socket_path;
  UniqueFd socket;
  while (true) {
    if (!socket) socket = ConnectTo(socket_path.c_str());
    if (!socket && (errno == ENOENT || errno == ECONNREFUSED)) {
      return Unavailable(doing + ": nobody listens there; is esc-keeper running?");
    }
    if (!socket) return ErrnoError(errno, doing);
    bool died = false;
    const int error = SayHello(socket, deadline, &died);
    if (error == 0) {
      std::unique_ptr<KeeperClient> client(
          new KeeperClient(std::move(socket), died, std::move(callbacks), timeout));
      client->reader_ = StartThread("keeper-client", [c = client.get()] { c->ReadReplies(); });
      return client;
    }
    if (error != EBUSY && error != ECONNRESET) return KeeperError(error, doing);
    if (std::chrono::steady_clock::now() >= deadline) {
      if (error == EBUSY) return Unavailable(doing + ": the agent before this one does not end");
      return MakeError(Code::kPermissionDenied,
                       doing + ": it hangs up; is this user the one of its --agent-uid?");
    }
    // A keeper has place for one who is not its agent yet: others may have come.
    if (error == ECONNRESET) socket.Reset();
    poll(nullptr, 0, kPauseMs);
  }
}

KeeperClient::~KeeperClient() {
  closing_.store(true, std::memory_order_release);
  shutdown(socket_.Get(), SHUT_RDWR);  // wakes the reader
}

void KeeperClient::ReadReplies() {
  while (true) {
    Answer answer;
    const int error = keeper::Receive(socket_.Get(), &answer.message, answer.fds.data(), 0);
    if (error == EAGAIN) continue;
    if (error != 0) break;
    if (answer.message.sequence != 0) {
      Deliver(std::move(answer));
    } else if (Verb{answer.message.verb} == Verb::kDrain && callbacks_.on_drain) {
      callbacks_.on_drain();
    }
  }
  disconnected_.store(true, std::memory_order_release);
  {
    MutexLock lock(mutex_);
    changed_.NotifyAll();
  }
  if (!closing_.load(std::memory_order_acquire) && callbacks_.on_disconnected) {
    callbacks_.on_disconnected();
  }
}

void KeeperClient::Deliver(Answer answer) {
  MutexLock lock(mutex_);
  const auto it = waiting_.find(answer.message.sequence);
  if (it == waiting_.end()) return;  // its caller's time is up
  it->second = std::move(answer);
  changed_.NotifyAll();
}

Result<KeeperClient::Answer> KeeperClient::Call(Message message, std::chrono::milliseconds timeout,
                                                std::string_view doing) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  {
    MutexLock lock(mutex_);
    message.sequence = next_sequence_++;
    waiting_[message.sequence] = std::nullopt;
  }
  // While the keeper is too busy to read, its queue fills.
  int error = 0;
  while ((error = Send(socket_.Get(), {message, {}}, MSG_DONTWAIT)) == EAGAIN) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) break;
    pollfd polled = {socket_.Get(), POLLOUT, 0};
    poll(&polled, 1, static_cast<int>(left.count()));
  }
  std::optional<Answer> answer;
  {
    MutexLock lock(mutex_);
    while (error == 0 && !waiting_[message.sequence] && Connected()) {
      if (!changed_.WaitUntil(mutex_, deadline)) break;
    }
    answer = std::move(waiting_[message.sequence]);
    waiting_.erase(message.sequence);
  }
  if (answer && answer->message.status == 0) return *std::move(answer);
  if (answer) return KeeperError(answer->message.status, doing);
  // The reader may not have noticed yet; who asks now whether it is worth another try must know.
  if (error == EPIPE || error == ECONNRESET) disconnected_.store(true, std::memory_order_release);
  if (!Connected()) {
    return Unavailable(std::string(doing) + ": the connection to esc-keeper is gone; connect anew");
  }
  if (error != 0 && error != EAGAIN) return ErrnoError(error, doing);
  return MakeError(Code::kDeadlineExceeded,
                   std::string(doing) + ": no answer from esc-keeper in time");
}

Result<ListeningSockets> KeeperClient::GetSockets() {
  ESC_ASSIGN_OR_RETURN(Answer answer,
                       Call(NewMessage(Verb::kGetSockets), "fetch the listening sockets"));
  return ListeningSockets{.csi = std::move(answer.fds[0]),
                          .registration = std::move(answer.fds[1])};
}

Result<UniqueFd> KeeperClient::GetJournal() {
  ESC_ASSIGN_OR_RETURN(Answer answer, Call(NewMessage(Verb::kGetJournal), "fetch the journal"));
  return std::move(answer.fds[0]);
}

Result<std::vector<KeptVolume>> KeeperClient::ListVolumes() {
  std::vector<KeptVolume> volumes;
  Message request = NewMessage(Verb::kList);
  while (true) {
    Result<Answer> answer = Call(request, "list the kept volumes");
    if (!answer && answer.error().code == Code::kNotFound) return volumes;
    if (!answer) return std::unexpected(answer.error());
    const Message& m = answer->message;
    KeptVolume& volume = volumes.emplace_back();
    volume.target = {
        .volume = m.ids.volume, .pod_uid = m.ids.pod_uid, .volume_name = m.ids.volume_name};
    volume.generation = m.numbers[0];
    volume.device_number = m.numbers[1];
    volume.rotated = m.numbers[3];
    volume.tmpfs = Has(m, kTmpfs);
    volume.rotating = Has(m, kRotating);
    (volume.tmpfs ? volume.root : volume.device) = std::move(answer->fds[0]);
    volume.aborted = !volume.tmpfs && (!volume.device || HasError(volume.device));
    if (IsSealedState(answer->fds[1])) volume.state = std::move(answer->fds[1]);
    ESC_ASSIGN_OR_RETURN(const std::uint64_t mounted, ProbeDevice(volume.target));
    volume.gone = mounted == 0 || mounted != volume.device_number;
    ++request.numbers[0];
  }
}

Result<std::uint64_t> KeeperClient::ProbeDevice(const Target& target) {
  ESC_ASSIGN_OR_RETURN(const Message request, VolumeRequest(Verb::kProbe, target));
  ESC_ASSIGN_OR_RETURN(const Answer answer,
                       Call(request, "look what is mounted for volume " + target.volume));
  return answer.message.numbers[1];
}

Result<bool> KeeperClient::Probe(const Target& target) {
  ESC_ASSIGN_OR_RETURN(const std::uint64_t device, ProbeDevice(target));
  return device != 0;
}

Result<MountedDevice> KeeperClient::Mount(const Target& target, mode_t root_mode,
                                          std::string_view selinux_context, bool fresh) {
  ESC_ASSIGN_OR_RETURN(Message request, VolumeRequest(Verb::kMount, target));
  ESC_RETURN_IF_ERROR(SetText(request, selinux_context));
  request.numbers[0] = root_mode;
  if (fresh) request.flags |= kFresh;
  while (true) {
    ESC_ASSIGN_OR_RETURN(Answer answer, Call(request, "mount volume " + target.volume));
    MountedDevice mounted{.device = std::move(answer.fds[0]),
                          .device_number = answer.message.numbers[1],
                          .existed = Has(answer.message, kExisted)};
    if (!mounted.existed || !HasError(mounted.device)) return mounted;
    request.flags |= kFresh;  // somebody has aborted the connection
  }
}

Result<MountedTmpfs> KeeperClient::MountTmpfs(const Target& target, mode_t root_mode,
                                              std::uint64_t max_bytes, uid_t uid, gid_t gid,
                                              std::string_view selinux_context, bool fresh) {
  ESC_ASSIGN_OR_RETURN(Message request, VolumeRequest(Verb::kMountTmpfs, target));
  ESC_RETURN_IF_ERROR(SetText(request, selinux_context));
  request.numbers[0] = root_mode;
  request.numbers[1] = max_bytes;
  request.numbers[2] = uid;
  request.numbers[3] = gid;
  if (fresh) request.flags |= kFresh;
  ESC_ASSIGN_OR_RETURN(Answer answer, Call(request, "mount a tmpfs for volume " + target.volume));
  return MountedTmpfs{.root = std::move(answer.fds[0]),
                      .device_number = answer.message.numbers[1],
                      .noswap = Has(answer.message, kNoSwap),
                      .existed = Has(answer.message, kExisted)};
}

Status KeeperClient::Chown(const std::string& volume, std::string_view path, uid_t uid, gid_t gid) {
  ESC_ASSIGN_OR_RETURN(Message request, VolumeRequest(Verb::kChown, OfVolume(volume)));
  ESC_RETURN_IF_ERROR(SetText(request, path));
  request.numbers[0] = uid;
  request.numbers[1] = gid;
  ESC_RETURN_IF_ERROR(Call(request, "give a file of volume " + volume + " away"));
  return {};
}

Status KeeperClient::Store(const std::string& volume, std::uint64_t generation,
                           const UniqueFd& state) {
  const std::string doing = "store the state of volume " + volume;
  ESC_ASSIGN_OR_RETURN(Message request, VolumeRequest(Verb::kNewState, OfVolume(volume)));
  ESC_ASSIGN_OR_RETURN(const Answer answer, Call(request, doing));
  const UniqueFd& copy = answer.fds[0];
  off_t offset = 0;
  ssize_t copied = 0;
  do {
    copied = sendfile(copy.Get(), state.Get(), &offset, std::size_t{1} << 30);
  } while (copied > 0);
  if (offset > static_cast<off_t>(kMaxStateSize)) {
    return InvalidArgument(doing + ": it is larger than a successor accepts");
  }
  if (copied < 0 || fcntl(copy.Get(), F_ADD_SEALS, kAllSeals) != 0) return ErrnoError(errno, doing);
  request.verb = static_cast<std::uint16_t>(Verb::kStore);
  request.numbers[0] = generation;
  ESC_RETURN_IF_ERROR(Call(request, doing));
  return {};
}

Status KeeperClient::Rotate(const std::string& volume, std::uint64_t old_generation,
                            std::uint64_t new_generation, std::chrono::milliseconds timeout) {
  ESC_ASSIGN_OR_RETURN(Message request, VolumeRequest(Verb::kRotate, OfVolume(volume)));
  request.numbers[0] = old_generation;
  request.numbers[1] = new_generation;
  ESC_RETURN_IF_ERROR(Call(request, timeout, "rotate volume " + volume));
  return {};
}

Status KeeperClient::Unmount(const Target& target) {
  ESC_ASSIGN_OR_RETURN(const Message request, VolumeRequest(Verb::kUnmount, target));
  const auto deadline = std::chrono::steady_clock::now() + timeout_;
  while (true) {
    const auto answer = Call(request, "unmount volume " + target.volume);
    if (answer) return {};
    // The process that rotates is being killed.
    const bool again = answer.error().code == Code::kResourceExhausted;
    if (!again || std::chrono::steady_clock::now() >= deadline)
      return std::unexpected(answer.error());
    poll(nullptr, 0, kPauseMs);
  }
}

Status KeeperClient::Ready(bool just_started) {
  Message request = NewMessage(Verb::kReady);
  request.numbers[0] = just_started ? 1 : 0;
  ESC_RETURN_IF_ERROR(Call(request, "tell esc-keeper that the agent serves"));
  return {};
}

Status KeeperClient::Drained() {
  ESC_RETURN_IF_ERROR(Call(NewMessage(Verb::kDrained), "tell esc-keeper that the agent is done"));
  return {};
}

Result<UniqueFd> KeeperClient::SealedMemfd(std::string_view bytes) {
  UniqueFd fd = NewMemfd();
  if (!fd) return ErrnoError(errno, "make a memfd");
  while (!bytes.empty()) {
    const ssize_t written = write(fd.Get(), bytes.data(), bytes.size());
    if (written < 0) return ErrnoError(errno, "write a memfd");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (fcntl(fd.Get(), F_ADD_SEALS, kAllSeals) != 0) return ErrnoError(errno, "seal a memfd");
  return fd;
}

}  // namespace escagent::keeper
