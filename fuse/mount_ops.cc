#include "fuse/mount_ops.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "fuse/user_mount.h"

namespace escagent::fuse {
namespace {

constexpr const char* kDevice = "/dev/fuse";

// `context="..."` for the kernel, from `context=...` or the bare context, quoted or not.
Result<std::string> ContextOption(std::string_view context) {
  if (context.starts_with("context=")) context.remove_prefix(8);
  if (context.size() >= 2 && context.front() == '"' && context.back() == '"') {
    context = context.substr(1, context.size() - 2);
  }
  const bool plain = std::ranges::all_of(context, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-.:,").find(c) != std::string_view::npos;
  });
  if (context.empty() || !plain) {
    return InvalidArgument(
        "mount volume: the SELinux context may only have letters, digits and _ - . : ,");
  }
  return ",context=\"" + std::string(context) + "\"";
}

}  // namespace

Result<UniqueFd> OpenFuseDevice() {
  UniqueFd device(open(kDevice, O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (device) return device;
  switch (errno) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return FailedPrecondition(
          "open /dev/fuse: this node has no FUSE; load the kernel module (modprobe fuse), and when "
          "in a container give it the device /dev/fuse");
    case EACCES:
    case EPERM:
      return FailedPrecondition(
          "open /dev/fuse: not permitted; run as root, and when in a container give it the device "
          "/dev/fuse (privileged, or a device rule)");
    default:
      return ErrnoError(errno, "open /dev/fuse");
  }
}

Result<std::string> ResolveMountpoint(const std::string& path) {
  std::string_view rest = path;
  while (rest.size() > 1 && rest.ends_with('/')) rest.remove_suffix(1);
  const std::size_t slash = rest.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? rest : rest.substr(slash + 1);
  if (name.empty() || path.find('\0') != std::string::npos) {
    return InvalidArgument("mountpoint \"" + path + "\": it must be a folder and not /");
  }
  const bool is_dots = name == "." || name == "..";
  const std::string folder = is_dots                           ? std::string(rest)
                             : slash == std::string_view::npos ? "."
                             : slash == 0                      ? "/"
                                                               : std::string(rest.substr(0, slash));
  std::array<char, PATH_MAX> resolved;
  if (realpath(folder.c_str(), resolved.data()) == nullptr) {
    // There is no such folder, so nothing can be mounted below it and mountinfo has no such line.
    if (errno == ENOENT) return std::string(rest);
    return ErrnoError(errno, "resolve the folder of mountpoint " + path);
  }
  const std::string result(resolved.data());
  if (is_dots) return result;
  return (result == "/" ? result : result + "/") + std::string(name);
}

Result<UniqueFd> MountFuse(const std::string& path, const MountOptions& options, mode_t root_mode) {
  if (geteuid() != 0) return MountByHelper(path);
  ESC_ASSIGN_OR_RETURN(UniqueFd device, OpenFuseDevice());
  std::array<char, 128> data;
  std::snprintf(data.data(), data.size(),
                "fd=%d,rootmode=%o,user_id=0,group_id=0,allow_other,default_permissions",
                device.Get(), static_cast<unsigned>(S_IFDIR | root_mode));
  std::string mount_data(data.data());
  if (!options.selinux_context.empty()) {
    ESC_ASSIGN_OR_RETURN(const std::string context, ContextOption(options.selinux_context));
    mount_data += context;
  }
  constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;
  if (mount("esc-agent", path.c_str(), kFsType, kFlags, mount_data.c_str()) == 0) return device;
  const int error = errno;
  if (error == EPERM) {
    return PermissionDenied("mount volume at " + path +
                            ": not permitted; mounting needs root with CAP_SYS_ADMIN");
  }
  if (error == ENODEV) {
    return FailedPrecondition("mount volume at " + path +
                              ": this kernel has no FUSE; load its module (modprobe fuse)");
  }
  if (error == EINVAL && !options.selinux_context.empty()) {
    return InvalidArgument(
        "mount volume at " + path +
        ": the kernel refused the options; is SELinux, which the context is for, "
        "enabled on this node?");
  }
  return ErrnoError(error, "mount volume at " + path);
}

Result<DeviceNumber> MountedDevice(const std::string& path) {
  struct statx found = {};
  if (statx(AT_FDCWD, path.c_str(), AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0,
            &found) != 0) {
    return ErrnoError(errno, "find the device of the volume at " + path);
  }
  return DeviceNumber{.major = found.stx_dev_major, .minor = found.stx_dev_minor};
}

Status DetachTop(const std::string& path) {
  if (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) return {};
  // EINVAL: it is not a mountpoint (any more).
  if (errno == EINVAL || errno == ENOENT) return {};
  if (errno == EPERM && geteuid() != 0) return UnmountByHelper(path);
  return ErrnoError(errno, "unmount " + path);
}

}  // namespace escagent::fuse
