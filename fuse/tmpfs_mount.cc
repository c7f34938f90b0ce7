#include "fuse/tmpfs_mount.h"

#include <fcntl.h>
#include <sys/mount.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string_view>

#include "base/log.h"

namespace escagent::fuse {
namespace {

constexpr const char* kSource = "esc-agent";
constexpr unsigned kAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
// More than any volume has files, so that empty ones cannot fill the node's memory.
constexpr const char* kMaxInodes = "16384";

std::unexpected<Error> Failed(int error, const std::string& path, const std::string& what) {
  const std::string doing = "mount a tmpfs at " + path;
  switch (error) {
    case ENOSYS:
      return FailedPrecondition(doing + ": this kernel cannot " + what +
                                "; backend tmpfs needs Linux 5.12 or newer, use backend fuse");
    case ENODEV:
      return FailedPrecondition(doing + ": this kernel has no tmpfs; use backend fuse");
    case EPERM:
      return PermissionDenied(doing + ": not permitted to " + what +
                              "; mounting needs root with CAP_SYS_ADMIN");
    default:
      return ErrnoError(error, doing + ": " + what);
  }
}

// The context of `context=...`, quoted or not.
std::string BareContext(std::string_view context) {
  if (context.starts_with("context=")) context.remove_prefix(8);
  if (context.size() >= 2 && context.front() == '"' && context.back() == '"') {
    context = context.substr(1, context.size() - 2);
  }
  return std::string(context);
}

bool SetText(const UniqueFd& file_system, const char* key, const std::string& value) {
  return fsconfig(file_system.Get(), FSCONFIG_SET_STRING, key, value.c_str(), 0) == 0;
}

// A mount that is nowhere yet.
Result<UniqueFd> MakeDetached(const std::string& path, const MountOptions& options,
                              mode_t root_mode, std::uint64_t max_bytes) {
  const UniqueFd file_system(fsopen("tmpfs", FSOPEN_CLOEXEC));
  if (!file_system) return Failed(errno, path, "open a new file system");
  std::array<char, 16> mode;
  std::snprintf(mode.data(), mode.size(), "%o", static_cast<unsigned>(root_mode));
  if (!SetText(file_system, "source", kSource) ||
      !SetText(file_system, "size", std::to_string(max_bytes)) ||
      !SetText(file_system, "nr_inodes", kMaxInodes) ||
      !SetText(file_system, "mode", mode.data())) {
    return Failed(errno, path, "set the options");
  }
  if (!options.selinux_context.empty() &&
      !SetText(file_system, "context", BareContext(options.selinux_context))) {
    return InvalidArgument("mount a tmpfs at " + path +
                           ": the kernel refused the SELinux context; is SELinux enabled on this "
                           "node, and has its policy this context?");
  }
  if (fsconfig(file_system.Get(), FSCONFIG_SET_FLAG, "noswap", nullptr, 0) != 0) {
    LogWarning(
        "this kernel may write the values of a tmpfs volume to the node's swap; Linux 6.4 and "
        "newer do not",
        {{log_key::kTarget, path}});
  }
  if (fsconfig(file_system.Get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return Failed(errno, path, "create the file system");
  }
  UniqueFd mount(fsmount(file_system.Get(), FSMOUNT_CLOEXEC, kAttributes));
  if (!mount) return Failed(errno, path, "make a mount of the file system");
  return mount;
}

bool SetAttributes(const UniqueFd& mount, std::uint64_t set, std::uint64_t clear,
                   std::uint64_t propagation) {
  mount_attr attributes = {};
  attributes.attr_set = set;
  attributes.attr_clr = clear;
  attributes.propagation = propagation;
  return mount_setattr(mount.Get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0;
}

// A writable clone that is mounted nowhere.
Result<UniqueFd> ClonePrivately(const UniqueFd& mount, const std::string& path) {
  UniqueFd clone(open_tree(mount.Get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!clone) return Failed(errno, path, "clone the mount");
  if (SetAttributes(clone, 0, MOUNT_ATTR_RDONLY, MS_PRIVATE)) return clone;
  return Failed(errno, path, "make the clone writable");
}

}  // namespace

Result<UniqueFd> MountTmpfs(const std::string& path, const MountOptions& options, mode_t root_mode,
                            std::uint64_t max_bytes) {
  // To the kernel 0 is "no limit".
  if (max_bytes == 0) return InvalidArgument("mount a tmpfs at " + path + ": it needs a size");
  const UniqueFd target(open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!target) return Failed(errno, path, "open the folder");
  ESC_ASSIGN_OR_RETURN(const UniqueFd mount, MakeDetached(path, options, root_mode, max_bytes));
  if (!SetAttributes(mount, MOUNT_ATTR_RDONLY, 0, 0)) {
    return Failed(errno, path, "make the mount read-only");
  }
  // A mount that is in no namespace cannot be cloned before Linux 6.15. So the first one goes to
  // the target, and its clone becomes the private one.
  if (move_mount(mount.Get(), "", target.Get(), "",
                 MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
    return Failed(errno, path, "move the mount there");
  }
  Result<UniqueFd> clone = ClonePrivately(mount, path);
  if (clone) return clone;
  const std::string mounted = "/proc/self/fd/" + std::to_string(mount.Get());
  if (umount2(mounted.c_str(), MNT_DETACH) != 0) {
    return Failed(errno, path, "unmount it again after an error");
  }
  return clone;
}

}  // namespace escagent::fuse
