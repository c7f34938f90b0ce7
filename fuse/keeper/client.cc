#include "fuse/keeper/client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/thread.h"
#include "fuse/keeper/wire.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U  // Linux 6.3
#endif

namespace escagent::keeper {
namespace {

constexpr int kAllSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

std::unexpected<Error> KeeperError(int error, std::string_view doing) {
  const std::string context(doing);
  switch (error) {
    case EBUSY:
      return Unavailable(context + ": the keeper is busy with it; try again");
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

// A request about a volume; INVALID_ARGUMENT for what no field can hold.
Result<Message> VolumeRequest(Verb verb, const Target& target) {
  Message message = NewMessage(verb);
  if (!Copy(message.volume, sizeof message.volume, target.volume.c_str()) ||
      !Copy(message.pod_uid, sizeof message.pod_uid, target.pod_uid.c_str()) ||
      !Copy(message.volume_name, sizeof message.volume_name, target.volume_name.c_str())) {
    return InvalidArgument("volume \"" + target.volume + "\": a name is too long for esc-keeper");
  }
  for (const std::string* name : {&target.volume, &target.pod_uid, &target.volume_name}) {
    if (name->contains('\0') || (!name->empty() && !IsName(name->c_str()))) {
      return InvalidArgument("volume \"" + target.volume +
                             "\": its names may only have letters, digits, '.', '_' and '-'");
    }
  }
  return message;
}

Target OfVolume(const std::string& volume) {
  return {.volume = volume, .pod_uid = "", .volume_name = ""};
}

Status SetText(Message& message, std::string_view text) {
  const std::string copy(text);
  if (!copy.contains('\0') && Copy(message.text, sizeof message.text, copy.c_str())) return {};
  return InvalidArgument("a name or context of " + std::to_string(text.size()) +
                         " bytes: too long for esc-keeper");
}

bool Has(const Message& message, std::uint32_t flag) { return (message.flags & flag) != 0; }

}  // namespace

UniqueFd KeeperClient::TakeFd(Answer& answer, bool present) {
  if (!present || answer.taken == kMaxFds) return UniqueFd();
  return std::move(answer.fds[answer.taken++]);
}

KeeperClient::KeeperClient(UniqueFd socket, Callbacks callbacks, std::chrono::milliseconds timeout)
    : socket_(std::move(socket)), callbacks_(std::move(callbacks)), timeout_(timeout) {}

Result<std::unique_ptr<KeeperClient>> KeeperClient::Connect(const std::string& socket_path,
                                                            Callbacks callbacks,
                                                            std::chrono::milliseconds timeout) {
  UniqueFd socket = ConnectTo(socket_path.c_str());
  if (!socket) {
    const int error = errno;
    const std::string doing = "connect to esc-keeper at " + socket_path;
    if (error == ENOENT || error == ECONNREFUSED) {
      return Unavailable(doing + ": nobody listens there; is esc-keeper running?");
    }
    return ErrnoError(error, doing);
  }
  std::unique_ptr<KeeperClient> client(
      new KeeperClient(std::move(socket), std::move(callbacks), timeout));
  client->reader_ = StartThread("keeper-client", [c = client.get()] { c->ReadReplies(); });
  ESC_RETURN_IF_ERROR(client->Hello());
  return client;
}

KeeperClient::~KeeperClient() {
  closing_.store(true, std::memory_order_release);
  shutdown(socket_.Get(), SHUT_RDWR);  // wakes the reader
}

Status KeeperClient::Hello() {
  Message message = NewMessage(Verb::kHello);
  message.numbers[0] = kVersion;
  message.numbers[1] = kVersion;
  ESC_ASSIGN_OR_RETURN(const Answer answer, Call(message, "say hello to esc-keeper"));
  predecessor_died_ = Has(answer.message, kPredecessorDied);
  return {};
}

void KeeperClient::ReadReplies() {
  while (true) {
    Received in;
    const Arrival arrival = keeper::Receive(socket_.Get(), &in, 0);
    if (arrival == Arrival::kNothing) continue;
    if (arrival != Arrival::kMessage) break;
    Answer answer{.message = in.message, .fds = {}, .taken = 0};
    std::ranges::move(in.fds, answer.fds.begin());
    const Verb verb{in.message.verb};
    if (in.message.sequence != 0) {
      Deliver(std::move(answer));
    } else if (verb == Verb::kDrain && callbacks_.on_drain) {
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
  while ((error = Send(socket_.Get(), message, nullptr, 0, MSG_DONTWAIT)) == EAGAIN) {
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
  if (!Connected() || error == EPIPE || error == ECONNRESET) {
    return Unavailable(std::string(doing) + ": the connection to esc-keeper is gone; connect anew");
  }
  if (error != 0 && error != EAGAIN) return ErrnoError(error, doing);
  return MakeError(Code::kDeadlineExceeded,
                   std::string(doing) + ": no answer from esc-keeper in time");
}

Result<ListeningSockets> KeeperClient::GetSockets() {
  ESC_ASSIGN_OR_RETURN(Answer answer,
                       Call(NewMessage(Verb::kGetSockets), "fetch the listening sockets"));
  ListeningSockets sockets;
  sockets.csi = TakeFd(answer, Has(answer.message, kHasCsi));
  sockets.registration = TakeFd(answer, Has(answer.message, kHasRegistration));
  return sockets;
}

Result<UniqueFd> KeeperClient::GetJournal() {
  ESC_ASSIGN_OR_RETURN(Answer answer, Call(NewMessage(Verb::kGetJournal), "fetch the journal"));
  return TakeFd(answer, true);
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
    volume.target = {.volume = m.volume, .pod_uid = m.pod_uid, .volume_name = m.volume_name};
    volume.generation = m.numbers[0];
    volume.device_number = m.numbers[1];
    volume.rotated = m.numbers[3];
    volume.aborted = Has(m, kAborted);
    volume.gone = Has(m, kGone);
    volume.tmpfs = Has(m, kTmpfs);
    volume.rotating = Has(m, kRotating);
    volume.device = TakeFd(*answer, Has(m, kHasDevice));
    volume.state = TakeFd(*answer, Has(m, kHasState));
    request.numbers[0] = m.numbers[2];
  }
}

Result<bool> KeeperClient::Probe(const Target& target) {
  ESC_ASSIGN_OR_RETURN(const Message request, VolumeRequest(Verb::kProbe, target));
  ESC_ASSIGN_OR_RETURN(const Answer answer,
                       Call(request, "look what is mounted for volume " + target.volume));
  return answer.message.numbers[1] != 0;
}

Result<MountedDevice> KeeperClient::Mount(const Target& target, mode_t root_mode,
                                          std::string_view selinux_context, bool fresh) {
  ESC_ASSIGN_OR_RETURN(Message request, VolumeRequest(Verb::kMount, target));
  ESC_RETURN_IF_ERROR(SetText(request, selinux_context));
  request.numbers[0] = root_mode;
  if (fresh) request.flags |= kFresh;
  ESC_ASSIGN_OR_RETURN(Answer answer, Call(request, "mount volume " + target.volume));
  return MountedDevice{.device = TakeFd(answer, true),
                       .device_number = answer.message.numbers[1],
                       .existed = Has(answer.message, kExisted)};
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
  return MountedTmpfs{.root = TakeFd(answer, true),
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
  ESC_ASSIGN_OR_RETURN(Answer answer, Call(request, doing));
  const UniqueFd copy = TakeFd(answer, true);
  off_t offset = 0;
  ssize_t copied = 0;
  do {
    copied = sendfile(copy.Get(), state.Get(), &offset, std::size_t{1} << 30);
  } while (copied > 0);
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
  ESC_RETURN_IF_ERROR(Call(request, "unmount volume " + target.volume));
  return {};
}

Status KeeperClient::Ready() {
  ESC_RETURN_IF_ERROR(Call(NewMessage(Verb::kReady), "tell esc-keeper that the agent serves"));
  return {};
}

Status KeeperClient::Drained() {
  ESC_RETURN_IF_ERROR(Call(NewMessage(Verb::kDrained), "tell esc-keeper that the agent is done"));
  return {};
}

Result<UniqueFd> KeeperClient::SealedMemfd(std::string_view bytes) {
  UniqueFd fd(memfd_create("esc-agent", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL));
  if (!fd) fd.Reset(memfd_create("esc-agent", MFD_CLOEXEC | MFD_ALLOW_SEALING));
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
