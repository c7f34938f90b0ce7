#include "fuse/keeper/target_path.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>

#include "fuse/keeper/wire.h"

namespace escagent::keeper {
namespace {

constexpr int kFlags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
constexpr const char kPods[] = "pods/";
constexpr const char kVolumes[] = "/volumes/kubernetes.io~csi/";
constexpr const char kMount[] = "/mount";

}  // namespace

UniqueFd OpenBeneath(int folder, const char* path, int flags) {
  open_how how = {};
  how.flags = static_cast<unsigned>(kFlags | flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  long fd = -1;
  // EAGAIN: something was renamed meanwhile, and the kernel cannot tell whether it matters.
  for (int tries = 0; tries < 16; ++tries) {
    fd = syscall(SYS_openat2, folder, path, &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN) break;
  }
  if (fd < 0 && errno == ENOSYS) return OpenBeneathStepwise(folder, path, flags);
  return UniqueFd(static_cast<int>(fd));
}

UniqueFd OpenBeneathStepwise(int folder, const char* path, int flags) {
  UniqueFd at;
  for (const char* rest = path; *rest != 0;) {
    char name[NAME_MAX + 1] = {};
    const std::size_t length = strcspn(rest, "/");
    if (length <= NAME_MAX) memcpy(name, rest, length);
    if (name[0] == 0 || strcmp(name, "..") == 0) {
      errno = EXDEV;
      return UniqueFd();
    }
    rest += length + (rest[length] == '/' ? 1 : 0);
    UniqueFd next(
        openat(at ? at.Get() : folder, name, kFlags | (*rest != 0 ? O_DIRECTORY : flags)));
    if (!next) return next;
    at = std::move(next);
  }
  return at;
}

UniqueFd OpenVolumeFolder(int kubelet_dir, const char* pod_uid, const char* volume_name) {
  char path[512];
  snprintf(path, sizeof path, "%s%s%s%s", kPods, pod_uid, kVolumes, volume_name);
  return OpenBeneath(kubelet_dir, path, O_DIRECTORY);
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
