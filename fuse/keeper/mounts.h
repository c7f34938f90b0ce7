#pragma once

#include <dirent.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <climits>
#include <csignal>

#include "fuse/keeper/protocol.h"

// File systems, mounted at <folder>/mount, where `folder` is of OpenVolumeFolder. An int is 0 or an
// errno. Only StartRotation's process waits for whoever serves a FUSE mount.
namespace escagent::keeper {
inline constexpr int kMaxDescriptors = 16384;  // of the process: three a volume, and some
// More than any volume has: small files must not fill the node's memory, nor a folder never end.
inline constexpr int kMaxFiles = 16384;
inline constexpr int kMaxDepth = 16;
inline constexpr int kMaxLayers = 256;
inline constexpr int kPathFlags = O_PATH | O_NOFOLLOW | O_CLOEXEC;

struct FileSystem {
  UniqueFd device;  // /dev/fuse; of a tmpfs its writable root
  UniqueFd mount;   // private: not mounted anywhere, and writable, unlike what is at the target
  std::uint32_t flags = 0;  // kTmpfs, kNoSwap
};

// One line of JSON to stderr. `text` is fixed; `about` is a name, a path, or "".
inline void Log(const char* text, const char* about, int error) {
  dprintf(STDERR_FILENO,
          "{\"program\":\"esc-keeper\",\"msg\":\"%s\",\"about\":\"%s\",\"error\":\"%s\"}\n", text,
          about, error == 0 ? "" : strerror(error));
}

// Milliseconds from some point on.
inline long NowMs() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// openat2 for Linux < 5.6: one component at a time.
inline UniqueFd OpenStepwise(int folder, const char* path, int flags) {
  char copy[512];
  snprintf(copy, sizeof copy, "%s", path);
  UniqueFd at;
  for (const char* name = strtok(copy, "/"); name != nullptr;) {
    const char* const next = strtok(nullptr, "/");
    const int kind = next != nullptr ? O_DIRECTORY : flags;
    const int from = strcmp(name, "..") == 0 ? -1 : (at ? at.Get() : folder);
    at = UniqueFd(openat(from, name, kPathFlags | kind));
    name = at ? next : nullptr;
  }
  return at;
}

// An O_PATH descriptor: whatever happens to the path afterwards, it stays this file. Follows no
// symlink and never leaves the folder. `flags`: 0, or O_DIRECTORY. None, with errno.
inline UniqueFd OpenBeneath(int folder, const char* path, int flags) {
  open_how how = {};
  how.flags = static_cast<unsigned>(kPathFlags | flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  // EAGAIN: something was renamed meanwhile, and the kernel cannot tell whether it matters.
  long fd = -1;
  for (int tries = 0; fd < 0 && tries < 16 && (tries == 0 || errno == EAGAIN); ++tries) {
    fd = syscall(SYS_openat2, folder, path, &how, sizeof how);
  }
  if (fd < 0 && errno == ENOSYS) return OpenStepwise(folder, path, flags);
  return UniqueFd(static_cast<int>(fd));
}

inline UniqueFd OpenVolumeFolder(int kubelet_dir, const Ids& ids) {
  char path[512];
  snprintf(path, sizeof path, "pods/%s/volumes/kubernetes.io~csi/%s", ids.pod_uid, ids.volume_name);
  errno = EINVAL;
  const bool valid = IsName(ids.pod_uid) && IsName(ids.volume_name);
  return valid ? OpenBeneath(kubelet_dir, path, O_DIRECTORY) : UniqueFd();
}

inline UniqueFd OpenTarget(int folder) { return OpenBeneath(folder, "mount", O_DIRECTORY); }

// st_dev of an open file, or of what is mounted at the target; 0 when there is none.
inline std::uint64_t DeviceOf(int fd) {
  struct statx found = {};
  const bool known = statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &found) == 0;
  return known ? makedev(found.stx_dev_major, found.stx_dev_minor) : 0;
}

inline std::uint64_t MountedDevice(int folder) {
  const std::uint64_t device = DeviceOf(OpenTarget(folder).Get());
  return device != DeviceOf(folder) ? device : 0;
}

// Every file system of ours has a device number of its own.
inline bool IsOurs(std::uint64_t device) {
  char number[32];
  snprintf(number, sizeof number, " %u:%u ", major(device), minor(device));
  FILE* const file = fopen("/proc/self/mountinfo", "re");
  if (file == nullptr) return false;
  bool found = false;
  for (char line[2 * PATH_MAX]; !found && fgets(line, sizeof line, file) != nullptr;) {
    const bool ours = strstr(line, " - fuse.esc-agent ") || strstr(line, " - tmpfs esc-agent ");
    found = ours && strstr(line, number) != nullptr;
  }
  fclose(file);
  return found;
}

// Takes off what is at the target until it is not ours (EBUSY) or nothing, then removes the target.
inline int UnmountAll(int folder) {
  char path[48];
  snprintf(path, sizeof path, "/proc/self/fd/%d/mount", folder);
  for (int layer = 0; layer < kMaxLayers; ++layer) {
    const UniqueFd top = OpenTarget(folder);
    if (!top) return errno == ENOENT ? 0 : errno;
    const std::uint64_t device = DeviceOf(top.Get());
    if (device == DeviceOf(folder)) return rmdir(path) == 0 ? 0 : errno;
    if (!IsOurs(device)) return EBUSY;
    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL) return errno;
  }
  return EBUSY;
}

// Makes a file system that is mounted nowhere. `options` is key=value,key,... and is cut up.
inline int Create(const char* type, char* options, const char* context, FileSystem* files) {
  const UniqueFd parameters(fsopen(type, FSOPEN_CLOEXEC));
  const auto set = [&](const char* key, const char* value) {
    const auto kind = value != nullptr ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
    return fsconfig(parameters.Get(), kind, key, value, 0) == 0;
  };
  if (!parameters || (context[0] != 0 && !set("context", context))) return errno;
  for (char* key = strtok(options, ","); key != nullptr; key = strtok(nullptr, ",")) {
    char* const value = strchr(key, '=');
    if (value != nullptr) *value = 0;
    if (!set(key, value != nullptr ? value + 1 : nullptr)) return errno;
  }
  if ((files->flags & kTmpfs) != 0 && set("noswap", nullptr)) files->flags |= kNoSwap;  // Linux 6.4
  if (fsconfig(parameters.Get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return errno;
  const unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  files->mount.Reset(fsmount(parameters.Get(), FSMOUNT_CLOEXEC, attributes));
  return files->mount ? 0 : errno;
}

// Makes what a kMount or kMountTmpfs asks for.
inline int CreateFor(const Message& request, FileSystem* files) {
  char options[256];
  const std::uint64_t* const n = request.numbers;
  const std::uint64_t mode = n[0] & 0777;
  if (Verb{request.verb} == Verb::kMountTmpfs) {
    files->flags = kTmpfs;
    snprintf(options, sizeof options,
             "source=esc-agent,mode=%lo,size=%lu,uid=%lu,gid=%lu,nr_inodes=%d", mode, n[1], n[2],
             n[3], kMaxFiles);
    return Create("tmpfs", options, request.text, files);
  }
  files->device.Reset(open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!files->device) return errno;
  snprintf(options, sizeof options,
           "source=esc-agent,subtype=esc-agent,user_id=0,group_id=0,allow_other,"
           "default_permissions,rootmode=%lo,fd=%d",
           S_IFDIR | mode, files->device.Get());
  return Create("fuse", options, request.text, files);
}

inline bool SetAttributes(const UniqueFd& mount, std::uint64_t set, std::uint64_t clear) {
  mount_attr attributes = {set, clear, MS_PRIVATE, 0};
  return mount_setattr(mount.Get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0;
}

// A mount that is not in our namespace cannot be cloned before Linux 6.15. So the private one
// itself goes to the target, read-only, and its clone becomes the private one. Before Linux 5.12 it
// becomes read-only only there; but an agent accepts no changes that it has not asked for.
inline int Attach(const UniqueFd& target, UniqueFd* mount) {
  constexpr auto kReadOnly = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  const bool old = !SetAttributes(*mount, MOUNT_ATTR_RDONLY, 0);
  if (old && errno != ENOSYS) return errno;
  const int how = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  if (move_mount(mount->Get(), "", target.Get(), "", how) != 0) return errno;
  UniqueFd clone(open_tree(mount->Get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", mount->Get());
  const bool done = clone && (old ? ::mount(nullptr, path, nullptr, kReadOnly, nullptr) == 0
                                  : SetAttributes(clone, 0, MOUNT_ATTR_RDONLY));
  if (done) *mount = std::move(clone);
  return done ? 0 : errno;
}

// Stacks `files` on whatever is at the target, which is made if it is missing. If there are none
// yet, they become what the request asks for.
inline int MountAt(int folder, const Message& request, FileSystem* files) {
  if (mkdirat(folder, "mount", 0750) != 0 && errno != EEXIST) return errno;
  const UniqueFd target = OpenTarget(folder);
  int error = target ? 0 : errno;
  if (error == 0 && !files->mount) error = CreateFor(request, files);
  if (error == 0) error = Attach(target, &files->mount);
  if (error != 0) UnmountAll(folder);
  if (error == 0 && (files->flags & kTmpfs) != 0) {
    files->device.Reset(openat(files->mount.Get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  return error;
}

// Ends the FUSE connection with this st_dev, whoever else holds its descriptor.
inline int AbortConnection(std::uint64_t device) {
  char path[32] = {};
  FileSystem control;
  if (const int error = Create("fusectl", path, "", &control)) return error;
  snprintf(path, sizeof path, "%u/abort", minor(device));
  const UniqueFd file(openat(control.mount.Get(), path, O_WRONLY | O_CLOEXEC));
  return file && write(file.Get(), "1", 1) == 1 ? 0 : errno;
}

// Calls `visit(folder, name)` for what is in parent/path, but names that start with "..".
template <class Visit>
void ForEachEntry(int parent, const char* path, Visit visit) {
  const int fd = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR* const folder = fd < 0 ? nullptr : fdopendir(fd);
  if (folder == nullptr) return;
  const dirent* entry = nullptr;
  for (int left = kMaxFiles; left > 0 && (entry = readdir(folder)) != nullptr; --left) {
    const char* const name = entry->d_name;
    if (strncmp(name, "..", 2) != 0 && strcmp(name, ".") != 0) visit(fd, name);
  }
  closedir(folder);
}

// Unmounts what an earlier keeper has left of volumes that kubelet knows nothing of any more: it
// keeps vol_data.json beside the target of those that it publishes or unpublishes by itself.
inline void UnmountForgotten(int kubelet_dir) {
  ForEachEntry(kubelet_dir, "pods", [&](int pods, const char* pod) {
    char path[512];
    snprintf(path, sizeof path, "%s/volumes/kubernetes.io~csi", pod);
    ForEachEntry(pods, path, [&](int volumes, const char* name) {
      Ids ids = {};
      snprintf(ids.pod_uid, sizeof ids.pod_uid, "%s", pod);
      snprintf(ids.volume_name, sizeof ids.volume_name, "%s", name);
      const UniqueFd folder = OpenVolumeFolder(kubelet_dir, ids);
      if (MountedDevice(folder.Get()) == 0) return;
      if (faccessat(folder.Get(), "vol_data.json", F_OK, 0) == 0 || errno != ENOENT) return;
      const int error = UnmountAll(folder.Get());
      if (error == 0) unlinkat(volumes, name, AT_REMOVEDIR);
      Log("unmounted what kubelet has forgotten", name, error);
    });
  });
}

// A new time for each file below, for those who watch it.
inline void TouchFiles(int parent, const char* path, int depth, int* left) {
  ForEachEntry(parent, path, [=](int folder, const char* name) {
    struct stat found = {};
    if (--*left < 0 || fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (S_ISREG(found.st_mode)) utimensat(folder, name, nullptr, AT_SYMLINK_NOFOLLOW);
    if (S_ISDIR(found.st_mode) && depth > 0) TouchFiles(folder, name, depth - 1, left);
  });
}

// What kubelet's atomic writer does (fuse.md 4). Any part of it may have been done before. What
// comes after the rename is done as far as possible.
inline int Rotate(int root, const char* old_folder, const char* new_folder) {
  constexpr const char* kNewData = "..data_tmp";
  if (mkdirat(root, new_folder, 0755) != 0 && errno != EEXIST) return errno;
  const auto link = [=] { return symlinkat(new_folder, root, kNewData) == 0; };
  if (!link() && (errno != EEXIST || unlinkat(root, kNewData, 0) != 0 || !link())) return errno;
  if (renameat(root, kNewData, root, "..data") != 0) return errno;
  int error = 0;
  char path[32 + NAME_MAX];
  ForEachEntry(root, new_folder, [&](int, const char* name) {
    snprintf(path, sizeof path, "..data/%s", name);
    if (symlinkat(path, root, name) != 0 && errno != EEXIST) error = errno;
  });
  ForEachEntry(root, old_folder, [&](int, const char* name) {
    snprintf(path, sizeof path, "%s/%s", new_folder, name);
    const bool kept = faccessat(root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
    if (!kept) unlinkat(root, name, 0);
  });
  int left = kMaxFiles;
  TouchFiles(root, old_folder, kMaxDepth, &left);
  return error;
}

// Starts a process that does so through the private mount `root`; its exit status is an errno. It
// is killed when its parent ends, and has no descriptor but `root`: whoever serves the mount may
// never answer, and then the end of the last other one ends it. -1, with errno.
inline pid_t StartRotation(int root, std::uint64_t old_generation, std::uint64_t new_generation) {
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(root, 0);
  const bool closed = close_range(1, ~0U, 0) == 0;  // Linux 5.9
  for (int fd = 1; !closed && fd < kMaxDescriptors; ++fd) close(fd);
  char folders[2][24];
  snprintf(folders[0], sizeof folders[0], "..%lu", old_generation);
  snprintf(folders[1], sizeof folders[1], "..%lu", new_generation);
  _exit(getppid() == parent ? Rotate(0, folders[0], folders[1]) : ECANCELED);
}
}  // namespace escagent::keeper
