#include "fuse/keeper/target_path.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdio>

#include "fuse/keeper/wire.h"

namespace escagent::keeper {
namespace {

constexpr int kFolderFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr const char kPods[] = "pods/";
constexpr const char kVolumes[] = "/volumes/kubernetes.io~csi/";
constexpr const char kMount[] = "/mount";

}  // namespace

UniqueFd OpenVolumeFolder(int kubelet_dir, const char* pod_uid, const char* volume_name) {
  char path[512];
  snprintf(path, sizeof path, "%s%s%s%s", kPods, pod_uid, kVolumes, volume_name);
  open_how how = {};
  how.flags = static_cast<unsigned>(kFolderFlags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  long fd = -1;
  // EAGAIN: something was renamed meanwhile, and the kernel cannot tell whether it matters.
  for (int tries = 0; tries < 16; ++tries) {
    fd = syscall(SYS_openat2, kubelet_dir, path, &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN) break;
  }
  if (fd < 0 && errno == ENOSYS) return OpenVolumeFolderStepwise(kubelet_dir, pod_uid, volume_name);
  return UniqueFd(static_cast<int>(fd));
}

UniqueFd OpenVolumeFolderStepwise(int kubelet_dir, const char* pod_uid, const char* volume_name) {
  UniqueFd folder;
  int at = kubelet_dir;
  for (const char* name : {"pods", pod_uid, "volumes", "kubernetes.io~csi", volume_name}) {
    UniqueFd next(openat(at, name, kFolderFlags));
    if (!next) return next;
    folder = std::move(next);
    at = folder.Get();
  }
  return folder;
}

bool SplitTarget(char* path, const char** pod_uid, const char** volume_name) {
  const std::size_t length = strlen(path);
  if (strncmp(path, kPods, strlen(kPods)) != 0 || length < strlen(kMount)) return false;
  char* const end = path + length - strlen(kMount);
  char* const middle = strstr(path, kVolumes);
  if (middle == nullptr || strcmp(end, kMount) != 0 || end < middle + strlen(kVolumes)) {
    return false;
  }
  *middle = 0;
  *end = 0;
  *pod_uid = path + strlen(kPods);
  *volume_name = middle + strlen(kVolumes);
  return IsName(*pod_uid) && IsName(*volume_name);
}

}  // namespace escagent::keeper
