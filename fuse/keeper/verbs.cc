#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>

#include "fuse/keeper/keeper.h"
#include "fuse/keeper/sockets.h"
#include "fuse/keeper/target_path.h"

// What an agent may ask for (protocol.h). Results are an errno, 0, or kNoReply.
namespace escagent::keeper {
namespace {

constexpr int kAllSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

bool IsEmptyOrName(const char* text) { return text[0] == 0 || IsName(text); }

bool IsContext(const char* text) {
  for (const char* p = text; *p != 0; ++p) {
    const bool plain = (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
                       (*p >= '0' && *p <= '9') || strchr("_-.:,", *p) != nullptr;
    if (!plain) return false;
  }
  return true;
}

// POLLERR: the connection was aborted.
bool IsAlive(const Volume& volume) {
  pollfd polled = {volume.device.Get(), 0, 0};
  return !volume.aborted && volume.mount &&
         (volume.tmpfs || poll(&polled, 1, 0) == 0 || (polled.revents & POLLERR) == 0);
}

bool AreTargetsEqual(const Volume& volume, const Message& m) {
  return strcmp(volume.pod_uid, m.pod_uid) == 0 && strcmp(volume.volume_name, m.volume_name) == 0;
}

}  // namespace

int Keeper::Dispatch(Connection& connection, Received& in, Reply& reply) {
  const Message& m = in.message;
  const Verb verb{m.verb};
  if (!IsEmptyOrName(m.volume) || !IsEmptyOrName(m.pod_uid) || !IsEmptyOrName(m.volume_name) ||
      (in.fd_count != 0 && verb != Verb::kStore && verb != Verb::kChown)) {
    return EINVAL;
  }
  if (&connection == agent_) return DispatchAgent(connection, in, reply);
  if (&connection == taker_) return DispatchTaker(m, reply);
  if (verb == Verb::kHello) return Hello(connection, m);
  return verb == Verb::kTakeover ? BeginTakeover(connection, reply) : EPROTO;
}

int Keeper::DispatchAgent(Connection& connection, Received& in, Reply& reply) {
  const Message& m = in.message;
  switch (Verb{m.verb}) {
    case Verb::kGetSockets:
      return GetSockets(reply, false);
    case Verb::kGetJournal:
      reply.Add(journal_.Get(), 0);
      return 0;
    case Verb::kList:
      return List(m, reply, false);
    case Verb::kMount:
    case Verb::kMountTmpfs:
      return Mount(m, reply);
    case Verb::kStore:
      return Store(in);
    case Verb::kKey:
      return AddKey(m);
    case Verb::kRotate:
      return Rotate(connection, m);
    case Verb::kUnmount:
      return Unmount(m);
    case Verb::kStale:
      return Stale(m, reply);
    case Verb::kChown:
      return Chown(in);
    case Verb::kReady:
      return Ready();
    case Verb::kDrained:
      connection.drained = true;
      return 0;
    case Verb::kListBlobs:
      return ListBlobs(m, reply);
    default:
      return EPROTO;
  }
}

int Keeper::DispatchTaker(const Message& m, Reply& reply) {
  switch (Verb{m.verb}) {
    case Verb::kGetSockets:
      return GetSockets(reply, true);
    case Verb::kGetJournal:
      reply.Add(journal_.Get(), 0);
      return 0;
    case Verb::kList:
      return List(m, reply, true);
    case Verb::kListBlobs:
      return ListBlobs(m, reply);
    case Verb::kTakeoverDone:
      // From here on it is the new one's: if it cannot be told, it is not.
      handed_over_ = Send(taker_->socket.Get(), m, nullptr, 0, MSG_DONTWAIT) == 0;
      return kNoReply;
    default:
      return EPROTO;
  }
}

int Keeper::GetSockets(Reply& reply, bool with_own) {
  if (with_own) reply.Add(listener_.Get(), 0);
  reply.Add(csi_.Get(), kHasCsi);
  reply.Add(registration_.Get(), kHasRegistration);
  return 0;
}

int Keeper::List(const Message& m, Reply& reply, bool with_mount) {
  std::uint64_t index = m.numbers[0];
  const Volume* const v = volumes_.Next(index);
  if (v == nullptr) return ENOENT;
  Message& r = reply.message;
  Copy(r.volume, sizeof r.volume, v->id);
  Copy(r.pod_uid, sizeof r.pod_uid, v->pod_uid);
  Copy(r.volume_name, sizeof r.volume_name, v->volume_name);
  r.numbers[0] = v->generation;
  r.numbers[1] = v->device_number;
  r.numbers[2] = index;
  r.flags = (IsAlive(*v) ? 0 : kAborted) | (v->tmpfs ? kTmpfs : 0) | (v->no_swap ? kNoSwap : 0) |
            (v->rotation != 0 ? kRotating : 0);
  reply.Add(v->device.Get(), kHasDevice);
  reply.Add(v->state.Get(), kHasState);
  if (with_mount) reply.Add(v->mount.Get(), kHasMount);
  return 0;
}

int Keeper::ListBlobs(const Message& m, Reply& reply) {
  std::uint64_t index = m.numbers[0];
  const Blob* const blob = volumes_.NextBlob(index);
  if (blob == nullptr) return ENOENT;
  Copy(reply.message.text, sizeof reply.message.text, blob->name);
  reply.message.numbers[2] = index;
  reply.Add(blob->state.Get(), 0);
  return 0;
}

int Keeper::Mount(const Message& m, Reply& reply) {
  const bool tmpfs = Verb{m.verb} == Verb::kMountTmpfs;
  const bool fits = m.numbers[0] <= 0777 && m.numbers[1] <= kMaxTmpfsSize &&
                    m.numbers[2] <= UINT32_MAX && m.numbers[3] <= UINT32_MAX;
  if (m.volume[0] == 0 || m.pod_uid[0] == 0 || m.volume_name[0] == 0 || !fits ||
      (tmpfs && m.numbers[1] == 0) || !IsContext(m.text)) {
    return EINVAL;
  }
  const UniqueFd folder = OpenVolumeFolder(kubelet_dir_.Get(), m.pod_uid, m.volume_name);
  if (!folder) return errno;
  Volume* v = volumes_.Find(m.volume);
  const bool added = v == nullptr;
  if (added) {
    if (volumes_.FindTarget(m.pod_uid, m.volume_name) != nullptr) return EEXIST;
    v = volumes_.Add(m.volume, m.pod_uid, m.volume_name);
    if (v == nullptr) return ENOSPC;
  } else if (!AreTargetsEqual(*v, m) || v->tmpfs != tmpfs) {
    return EEXIST;
  }
  const bool existed = !added && IsAlive(*v) && (m.flags & kFresh) == 0;
  int error = 0;
  if (!existed || TargetDevice(folder.Get()) != v->device_number) {
    if (v->rotation != 0) {
      error = EBUSY;
    } else if (existed) {
      error = MountAgain(folder.Get(), new_api_, &v->mount);
    } else {
      error = MountAnew(*v, folder.Get(), m);
    }
  }
  if (tmpfs && error == 0) {
    reply.owned.Reset(openat(v->mount.Get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!reply.owned) error = errno;
  }
  reply.Add(tmpfs ? reply.owned.Get() : v->device.Get(), 0);
  reply.message.numbers[1] = v->device_number;
  reply.message.flags = (existed ? kExisted : 0) | (v->no_swap ? kNoSwap : 0);
  if (error != 0) {
    Log("cannot mount", m.volume, error);
    if (added) volumes_.Remove(v);
  }
  return error;
}

int Keeper::MountAnew(Volume& volume, int folder, const Message& m) {
  MountRequest request;
  request.tmpfs = Verb{m.verb} == Verb::kMountTmpfs;
  request.mode = static_cast<unsigned>(m.numbers[0]);
  request.context = m.text;
  request.size = m.numbers[1];
  request.uid = static_cast<unsigned>(m.numbers[2]);
  request.gid = static_cast<unsigned>(m.numbers[3]);
  MountResult result;
  if (const int error = MountNew(folder, request, new_api_, &result)) return error;
  volume.device = std::move(result.device);
  volume.mount = std::move(result.mount);
  volume.device_number = result.device_number;
  volume.no_swap = result.no_swap;
  volume.tmpfs = request.tmpfs;
  volume.aborted = false;
  return 0;
}

int Keeper::Store(Received& in) {
  const Message& m = in.message;
  const bool is_blob = m.volume[0] == 0;
  Volume* const v = is_blob ? nullptr : volumes_.Find(m.volume);
  if (!is_blob && v == nullptr) return ENOENT;
  if ((is_blob && !IsName(m.text)) || in.fd_count > 1) return EINVAL;
  if (is_blob && in.fd_count == 0) return volumes_.StoreBlob(m.text, UniqueFd());
  // Only memfds have seals.
  struct stat found = {};
  const int seals = fcntl(in.fds[0].Get(), F_GET_SEALS);
  if (seals < 0 || (seals & kAllSeals) != kAllSeals || fstat(in.fds[0].Get(), &found) != 0) {
    return EBADF;
  }
  if (static_cast<std::uint64_t>(found.st_size) > kMaxStateSize) return EFBIG;
  if (is_blob) return volumes_.StoreBlob(m.text, std::move(in.fds[0]));
  v->state = std::move(in.fds[0]);
  v->generation = m.numbers[0];
  return 0;
}

int Keeper::AddKey(const Message& m) {
  Volume* const v = volumes_.Find(m.volume);
  if (v == nullptr) return ENOENT;
  if (!IsKey(m.text) || m.numbers[0] > 1) return EINVAL;
  return volumes_.AddKey(*v, m.numbers[0] == 1, m.text);
}

int Keeper::Rotate(Connection& connection, const Message& m) {
  Volume* const v = volumes_.Find(m.volume);
  if (v == nullptr) return ENOENT;
  KeyChange* const keys = volumes_.TakeKeys(*v);
  int error = 0;
  if (v->rotation != 0) error = EBUSY;
  if (v->tmpfs || m.numbers[1] == 0) error = EINVAL;
  if (!IsAlive(*v)) error = ENOTCONN;
  RotatorJob* const job = error == 0 ? Rotator::New() : nullptr;
  if (error == 0 && job == nullptr) error = ENOMEM;
  if (error == 0) {
    job->fd.Reset(fcntl(v->mount.Get(), F_DUPFD_CLOEXEC, 0));
    if (!job->fd) error = errno;
  }
  if (error != 0) {
    if (job != nullptr) Rotator::Free(job);
    FreeKeys(keys);
    return error;
  }
  v->rotation = ++last_id_;
  job->id = v->rotation;
  job->keys = keys;
  job->old_generation = m.numbers[0];
  job->new_generation = m.numbers[1];
  job->connection = connection.id;
  job->sequence = m.sequence;
  rotator_.Submit(job);
  return kNoReply;
}

int Keeper::Unmount(const Message& m) {
  Volume* v = m.volume[0] != 0 ? volumes_.Find(m.volume) : nullptr;
  const bool has_target = m.pod_uid[0] != 0 && m.volume_name[0] != 0;
  if (v == nullptr && !has_target) return m.volume[0] != 0 ? 0 : EINVAL;
  if (v != nullptr && has_target && !AreTargetsEqual(*v, m)) return EINVAL;
  if (v == nullptr) v = volumes_.FindTarget(m.pod_uid, m.volume_name);
  if (v != nullptr && m.volume[0] != 0 && strcmp(v->id, m.volume) != 0) return EINVAL;
  const UniqueFd folder =
      OpenVolumeFolder(kubelet_dir_.Get(), v != nullptr ? v->pod_uid : m.pod_uid,
                       v != nullptr ? v->volume_name : m.volume_name);
  int error = folder || errno == ENOENT ? 0 : errno;
  if (folder) error = UnmountAll(folder.Get(), v != nullptr ? v->device_number : 0);
  if (error != 0) {
    Log("cannot unmount", m.volume, error);
  } else if (v != nullptr) {
    volumes_.Remove(v);
  }
  return error;
}

int Keeper::Stale(const Message& m, Reply& reply) {
  const auto belongs = [](void* table, const char* pod_uid, const char* volume_name) {
    return static_cast<VolumeTable*>(table)->FindTarget(pod_uid, volume_name) != nullptr;
  };
  Message& r = reply.message;
  return FindOurs(kubelet_dir_.Get(), m.numbers[0], {belongs, &volumes_}, r.pod_uid,
                  sizeof r.pod_uid, r.volume_name, sizeof r.volume_name);
}

int Keeper::Chown(Received& in) {
  const Message& m = in.message;
  const Volume* const v = volumes_.Find(m.volume);
  if (v == nullptr) return ENOENT;
  // Unlike fstat it does not ask the server of a file that is not what it should be.
  struct statx found = {};
  if (in.fd_count != 1 || m.numbers[0] >= UINT32_MAX || m.numbers[1] >= UINT32_MAX) return EINVAL;
  const int fd = in.fds[0].Get();
  if (!v->tmpfs || v->device_number == 0 || DeviceOf(fd) != v->device_number ||
      statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &found) != 0 ||
      (!S_ISREG(found.stx_mode) && !S_ISDIR(found.stx_mode))) {
    return EBADF;
  }
  const UniqueFd ours = std::move(in.fds[0]);
  return fchown(fd, static_cast<uid_t>(m.numbers[0]), static_cast<gid_t>(m.numbers[1])) == 0
             ? 0
             : errno;
}

int Keeper::Ready() {
  if (!registration_ && options_.registration_socket != nullptr) {
    registration_ = ListenAt(options_.registration_socket, SOCK_STREAM, 0600, 0);
    if (!registration_) return errno;
  }
  agent_ready_ = true;
  watchdog_deadline_ = 0;
  return 0;
}

}  // namespace escagent::keeper
