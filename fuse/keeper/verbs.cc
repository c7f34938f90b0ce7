#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>

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

int Keeper::Dispatch(Connection& connection, const Message& m, Reply& reply) {
  if (!IsEmptyOrName(m.volume) || !IsEmptyOrName(m.pod_uid) || !IsEmptyOrName(m.volume_name)) {
    return EINVAL;
  }
  if (&connection == agent_) return DispatchAgent(connection, m, reply);
  if (&connection == taker_) return DispatchTaker(m, reply);
  if (Verb{m.verb} == Verb::kHello) return Hello(connection, m);
  return Verb{m.verb} == Verb::kTakeover ? BeginTakeover(connection, reply) : EPROTO;
}

int Keeper::DispatchAgent(Connection& connection, const Message& m, Reply& reply) {
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
      return Store(m);
    case Verb::kNewState:
      return NewState(m, reply);
    case Verb::kDropBlob:
      return DropBlob(m);
    case Verb::kKey:
      return AddKey(m);
    case Verb::kRotate:
      return Rotate(connection, m);
    case Verb::kUnmount:
      return Unmount(m);
    case Verb::kStale:
      return Stale(m, reply);
    case Verb::kChown:
      return Chown(m);
    case Verb::kReady:
      return Ready();
    case Verb::kDrained:
      connection.drained = true;
      return 0;
    case Verb::kListBlobs:
      return ListBlobs(m, reply, false);
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
      return ListBlobs(m, reply, true);
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
  if (with_mount) {
    reply.Add(v->mount.Get(), kHasMount);
    reply.Add(v->new_state.Get(), kHasNewState);
  }
  return 0;
}

int Keeper::ListBlobs(const Message& m, Reply& reply, bool with_new) {
  std::uint64_t index = m.numbers[0];
  const Blob* const blob = volumes_.NextBlob(index);
  if (blob == nullptr) return ENOENT;
  Copy(reply.message.text, sizeof reply.message.text, blob->name);
  reply.message.numbers[2] = index;
  reply.Add(blob->state.Get(), kHasState);
  if (with_new) reply.Add(blob->new_state.Get(), kHasNewState);
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

int Keeper::NewState(const Message& m, Reply& reply) {
  const bool is_blob = m.volume[0] == 0;
  Volume* const v = is_blob ? nullptr : volumes_.Find(m.volume);
  if (!is_blob && v == nullptr) return ENOENT;
  if (is_blob && !IsName(m.text)) return EINVAL;
  Blob* blob = is_blob ? volumes_.FindBlob(m.text) : nullptr;
  UniqueFd fd = NewMemfd();
  if (!fd) return errno;
  if (is_blob && blob == nullptr) blob = volumes_.AddBlob(m.text);
  if (is_blob && blob == nullptr) return ENOSPC;
  reply.Add(fd.Get(), 0);
  (is_blob ? blob->new_state : v->new_state) = std::move(fd);
  return 0;
}

int Keeper::Store(const Message& m) {
  Volume* const v = volumes_.Find(m.volume);
  Blob* const blob = m.volume[0] == 0 ? volumes_.FindBlob(m.text) : nullptr;
  if (v == nullptr && blob == nullptr) return ENOENT;
  UniqueFd fd = std::move(blob != nullptr ? blob->new_state : v->new_state);
  struct stat found = {};
  const int seals = fcntl(fd.Get(), F_GET_SEALS);
  const bool sealed = seals >= 0 && (seals & kAllSeals) == kAllSeals;
  int error = sealed && fstat(fd.Get(), &found) == 0 ? 0 : EBADF;
  if (error == 0 && static_cast<std::uint64_t>(found.st_size) > kMaxStateSize) error = EFBIG;
  if (error == 0) (blob != nullptr ? blob->state : v->state) = std::move(fd);
  if (error == 0 && v != nullptr) v->generation = m.numbers[0];
  if (error != 0 && blob != nullptr && !blob->state) volumes_.RemoveBlob(blob);
  return error;
}

int Keeper::DropBlob(const Message& m) {
  Blob* const blob = volumes_.FindBlob(m.text);
  if (blob != nullptr) volumes_.RemoveBlob(blob);
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
  if (error == 0) {
    Message job = m;
    job.numbers[2] = std::bit_cast<std::uint64_t>(keys);
    job.numbers[3] = connection.id;
    error = rotator_.Submit(job, v->mount.Get());
  }
  if (error != 0) {
    FreeKeys(keys);
    return error == EAGAIN ? EBUSY : error;
  }
  v->rotation = connection.id;
  v->rotation_sequence = m.sequence;
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

int Keeper::Chown(const Message& m) {
  const Volume* const v = volumes_.Find(m.volume);
  if (v == nullptr) return ENOENT;
  if (!v->tmpfs || m.numbers[0] >= UINT32_MAX || m.numbers[1] >= UINT32_MAX) return EINVAL;
  const UniqueFd file = OpenBeneath(v->mount.Get(), m.text, 0);
  const auto uid = static_cast<uid_t>(m.numbers[0]);
  const auto gid = static_cast<gid_t>(m.numbers[1]);
  return file && fchownat(file.Get(), "", uid, gid, AT_EMPTY_PATH) == 0 ? 0 : errno;
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
