#include "fuse/keeper/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "fuse/keeper/target_path.h"
#include "fuse/keeper/wire.h"

namespace escagent::keeper {
namespace {

constexpr const char kTarget[] = "mount";
constexpr const char kSource[] = "esc-agent";
constexpr const char kFuseType[] = "fuse.esc-agent";
constexpr unsigned kAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
// More inodes than any volume has files, so that small files cannot fill the node's memory.
constexpr unsigned kTmpfsInodes = 16384;
constexpr int kMaxLayers = 256;

struct FdPath {
  explicit FdPath(int fd, const char* below = "") {
    snprintf(text, sizeof text, "/proc/self/fd/%d%s", fd, below);
  }
  char text[48];
};

UniqueFd OpenTarget(int folder) {
  return UniqueFd(openat(folder, kTarget, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

int SetAttributes(int fd, std::uint64_t set, std::uint64_t clear, std::uint64_t propagation) {
  mount_attr attributes = {};
  attributes.attr_set = set;
  attributes.attr_clr = clear;
  attributes.propagation = propagation;
  return mount_setattr(fd, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0 ? 0 : errno;
}

// The parameters of a new file system, one by one; the first error stays.
class Context {
 public:
  explicit Context(const char* type) : fd_(fsopen(type, FSOPEN_CLOEXEC)) {
    if (!fd_) error_ = errno;
  }
  int Flag(const char* key) { return fsconfig(fd_.Get(), FSCONFIG_SET_FLAG, key, nullptr, 0); }
  void Require(bool done) {
    if (!done && error_ == 0) error_ = errno;
  }
  void Text(const char* key, const char* value) {
    Require(fsconfig(fd_.Get(), FSCONFIG_SET_STRING, key, value, 0) == 0);
  }
  void Number(const char* key, unsigned long long value) {
    char text[32];
    snprintf(text, sizeof text, "%llu", value);
    Text(key, text);
  }
  void Octal(const char* key, unsigned value) {
    char text[32];
    snprintf(text, sizeof text, "%o", value);
    Text(key, text);
  }
  int Mount(UniqueFd* mount) {
    Require(fsconfig(fd_.Get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0);
    if (error_ != 0) return error_;
    mount->Reset(fsmount(fd_.Get(), FSMOUNT_CLOEXEC, kAttributes));
    return *mount ? 0 : errno;
  }

 private:
  UniqueFd fd_;
  int error_ = 0;
};

int CreateDetached(const MountRequest& request, MountResult* result) {
  Context context(request.tmpfs ? "tmpfs" : "fuse");
  context.Text("source", kSource);
  if (request.context[0] != 0) context.Text("context", request.context);
  if (request.tmpfs) {
    context.Number("size", request.size);
    context.Number("nr_inodes", kTmpfsInodes);
    context.Octal("mode", request.mode);
    context.Number("uid", request.uid);
    context.Number("gid", request.gid);
    result->no_swap = context.Flag("noswap") == 0;
  } else {
    context.Text("subtype", kSource);
    context.Number("fd", static_cast<unsigned>(result->device.Get()));
    context.Octal("rootmode", S_IFDIR | request.mode);
    context.Number("user_id", 0);
    context.Number("group_id", 0);
    context.Require(context.Flag("allow_other") == 0);
    context.Require(context.Flag("default_permissions") == 0);
  }
  return context.Mount(&result->mount);
}

// A mount that is not in our namespace cannot be cloned before Linux 6.15. So the detached one
// itself goes to the target, and its clone becomes the private one.
int Attach(int target, UniqueFd* mount) {
  const int fd = mount->Get();
  if (const int error = SetAttributes(fd, MOUNT_ATTR_RDONLY, 0, 0)) return error;
  if (move_mount(fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
    const int error = errno;
    SetAttributes(fd, 0, MOUNT_ATTR_RDONLY, 0);
    return error;
  }
  UniqueFd clone(open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  const int error = clone ? SetAttributes(clone.Get(), 0, MOUNT_ATTR_RDONLY, MS_PRIVATE) : errno;
  if (error != 0) {
    umount2(FdPath(fd).text, MNT_DETACH);
    return error;
  }
  *mount = std::move(clone);
  return 0;
}

// For kernels without the API. Whoever opens the target in the middle sees it writable; but no pod
// has it yet, and nobody serves it.
int BindReadOnly(int folder, UniqueFd* mount) {
  const UniqueFd target = OpenTarget(folder);
  if (!target || ::mount(FdPath(mount->Get()).text, FdPath(target.Get()).text, nullptr, MS_BIND,
                         nullptr) != 0) {
    return errno;
  }
  const UniqueFd top = OpenTarget(folder);
  if (top && ::mount(nullptr, FdPath(top.Get()).text, nullptr,
                     MS_REMOUNT | MS_BIND | MS_RDONLY | kFlags, nullptr) == 0) {
    return 0;
  }
  const int error = errno;
  umount2(FdPath(folder, "/mount").text, MNT_DETACH | UMOUNT_NOFOLLOW);
  return error;
}

int MountByPath(int folder, int target, const MountRequest& request, MountResult* result) {
  char data[512];
  const bool labelled = request.context[0] != 0;
  const char* const label[] = {labelled ? ",context=\"" : "", request.context,
                               labelled ? "\"" : ""};
  if (request.tmpfs) {
    snprintf(data, sizeof data, "size=%llu,nr_inodes=%u,mode=%o,uid=%u,gid=%u%s%s%s",
             static_cast<unsigned long long>(request.size), kTmpfsInodes, request.mode, request.uid,
             request.gid, label[0], label[1], label[2]);
  } else {
    snprintf(data, sizeof data,
             "fd=%d,rootmode=%o,user_id=0,group_id=0,allow_other,default_permissions%s%s%s",
             result->device.Get(), S_IFDIR | request.mode, label[0], label[1], label[2]);
  }
  if (::mount(kSource, FdPath(target).text, request.tmpfs ? "tmpfs" : kFuseType, kFlags, data) !=
      0) {
    return errno;
  }
  result->mount = OpenTarget(folder);
  const int error = result->mount ? BindReadOnly(folder, &result->mount) : errno;
  if (error != 0) umount2(FdPath(folder, "/mount").text, MNT_DETACH | UMOUNT_NOFOLLOW);
  return error;
}

// mnt_id of where `fd` is; 0 when it cannot be told.
int MountId(int fd) {
  char path[48];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  FILE* const file = fopen(path, "re");
  if (file == nullptr) return 0;
  int id = 0;
  char line[128];
  while (id == 0 && fgets(line, sizeof line, file) != nullptr) {
    if (strncmp(line, "mnt_id:", 7) == 0) id = atoi(line + 7);
  }
  fclose(file);
  return id;
}

// Calls `visit(id, mountpoint)` for the mounts of our making, until it says true. Paths of ours
// have no character that mountinfo escapes.
template <class Visit>
int VisitOurs(Visit visit) {
  FILE* const file = fopen("/proc/self/mountinfo", "re");
  if (file == nullptr) return errno;
  char* line = nullptr;
  size_t room = 0;
  bool found = false;
  while (!found && getline(&line, &room, file) > 0) {
    const char* const type = strstr(line, " - ");
    if (type == nullptr) continue;
    const bool fuse = strncmp(type + 3, "fuse.esc-agent ", 15) == 0;
    const bool tmpfs = strncmp(type + 3, "tmpfs esc-agent ", 16) == 0;
    char mountpoint[PATH_MAX];
    if ((fuse || tmpfs) && sscanf(line, "%*d %*d %*s %*s %4095s", mountpoint) == 1) {
      found = visit(atoi(line), mountpoint);
    }
  }
  free(line);
  fclose(file);
  return found ? 0 : ENOENT;
}

}  // namespace

bool HasMountApi() {
  // The newest of the calls; with what no kernel accepts.
  return mount_setattr(-1, "", 0, nullptr, 0) == 0 || (errno != ENOSYS && errno != EPERM);
}

int MountNew(int folder, const MountRequest& request, bool new_api, MountResult* result) {
  const bool made = mkdirat(folder, kTarget, 0750) == 0;
  if (!made && errno != EEXIST) return errno;
  const UniqueFd target = OpenTarget(folder);
  int error = target ? 0 : errno;
  if (error == 0 && !request.tmpfs) {
    result->device.Reset(open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (!result->device) error = errno;
  }
  if (error == 0 && !new_api) error = MountByPath(folder, target.Get(), request, result);
  if (error == 0 && new_api) {
    error = CreateDetached(request, result);
    if (error == 0) error = Attach(target.Get(), &result->mount);
  }
  if (error == 0) result->device_number = DeviceOf(result->mount.Get());
  if (error != 0 && made) unlinkat(folder, kTarget, AT_REMOVEDIR);
  return error;
}

int MountAgain(int folder, bool new_api, UniqueFd* mount) {
  if (mkdirat(folder, kTarget, 0750) != 0 && errno != EEXIST) return errno;
  if (!new_api) return BindReadOnly(folder, mount);
  const UniqueFd target = OpenTarget(folder);
  return target ? Attach(target.Get(), mount) : errno;
}

std::uint64_t DeviceOf(int fd) {
  struct statx found = {};
  // DONT_SYNC: a FUSE server is not asked.
  if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &found) != 0) return 0;
  return makedev(found.stx_dev_major, found.stx_dev_minor);
}

std::uint64_t TargetDevice(int folder) {
  const UniqueFd target = OpenTarget(folder);
  return target ? DeviceOf(target.Get()) : 0;
}

int UnmountAll(int folder, std::uint64_t device_number) {
  for (int layer = 0; layer < kMaxLayers; ++layer) {
    const UniqueFd top = OpenTarget(folder);
    if (!top) return errno == ENOENT ? 0 : errno;
    const int id = MountId(top.Get());
    if (id == 0) return EIO;
    if (id == MountId(folder)) {
      return unlinkat(folder, kTarget, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : errno;
    }
    if (device_number == 0 || DeviceOf(top.Get()) != device_number) {
      const int error = VisitOurs([id](int other, char*) { return other == id; });
      if (error != 0) return error == ENOENT ? EBUSY : error;
    }
    if (umount2(FdPath(folder, "/mount").text, MNT_DETACH | UMOUNT_NOFOLLOW) != 0 &&
        errno != EINVAL && errno != ENOENT) {
      return errno;
    }
  }
  return EBUSY;
}

int FindOurs(int kubelet_dir, std::uint64_t index, StaleFilter filter, char* pod_uid,
             unsigned pod_uid_size, char* volume_name, unsigned volume_name_size) {
  char prefix[PATH_MAX];
  const ssize_t length = readlink(FdPath(kubelet_dir).text, prefix, sizeof prefix);
  if (length <= 0) return errno;
  return VisitOurs([&](int, char* path) {
    const auto n = static_cast<size_t>(length);
    const char* uid = nullptr;
    const char* name = nullptr;
    if (strncmp(path, prefix, n) != 0 || path[n] != '/' ||
        !SplitTarget(path + n + 1, &uid, &name) || filter.skip(filter.context, uid, name) ||
        !Copy(pod_uid, pod_uid_size, uid) || !Copy(volume_name, volume_name_size, name)) {
      return false;
    }
    return index-- == 0;
  });
}

int AbortConnection(std::uint64_t device_number) {
  Context context("fusectl");
  UniqueFd control;
  if (const int error = context.Mount(&control)) return error;
  char path[32];
  snprintf(path, sizeof path, "%u/abort", minor(device_number));
  const UniqueFd file(openat(control.Get(), path, O_WRONLY | O_CLOEXEC));
  return file && write(file.Get(), "1", 1) == 1 ? 0 : errno;
}

}  // namespace escagent::keeper
