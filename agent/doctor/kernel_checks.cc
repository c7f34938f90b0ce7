#include "agent/doctor/kernel_checks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <compare>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/strings.h"
#include "base/unique_fd.h"
#include "fuse/mount_info.h"

namespace escagent::doctor {
namespace {

struct Release {
  int major = 0;
  int minor = 0;
  auto operator<=>(const Release&) const = default;
};

constexpr Release kFloor{5, 4};
constexpr Release kNoSwap{6, 4};
constexpr Release kResend{6, 9};
constexpr char kElsewhere[] =
    "run it there as well: kubectl -n esc-agent exec ds/esc-agent-keeper -- esc-agent doctor "
    "--only node";

struct NewCall {
  const char* name;
  long number;
  Release since;
};
constexpr std::array kNewCalls = {NewCall{"openat2", SYS_openat2, {5, 6}},
                                  NewCall{"close_range", SYS_close_range, {5, 9}},
                                  NewCall{"mount_setattr", SYS_mount_setattr, {5, 12}}};

// "6.1.0-18-amd64"
std::optional<Release> ParseRelease(std::string_view text) {
  Release release;
  const char* const end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, release.major);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return std::nullopt;
  const auto minor = std::from_chars(major.ptr + 1, end, release.minor);
  if (minor.ec != std::errc()) return std::nullopt;
  return release;
}

// The first line of /proc/swaps is a header.
bool HasSwap(const NodeFiles& files) {
  const Result<std::string> swaps = files.Read("/proc/swaps");
  return swaps && swaps->find('\n') != std::string::npos;
}

Finding CheckNoSwap(const NodeFiles& files, const std::string& kernel, Release release) {
  const std::string check = "tmpfs without swap";
  if (release >= kNoSwap) return Ok(check, "volumes with backend: tmpfs are never swapped");
  if (!HasSwap(files)) {
    return Ok(check, kernel + " has no noswap (Linux 6.4), and the node has no swap");
  }
  return Warning(check,
                 kernel +
                     " has no noswap (Linux 6.4), and the node swaps: the values of volumes with "
                     "backend: tmpfs can get to the disk",
                 "turn swap off on the node, or use a newer kernel; other volumes are not "
                 "concerned");
}

Finding CheckResend(const std::string& kernel, Release release) {
  const std::string check = "FUSE_NOTIFY_RESEND";
  if (release >= kResend) return Ok(check, "the kernel sends lost requests again");
  return Warning(check,
                 "not in " + kernel +
                     " (Linux 6.9): after a crash of the agent its journal alone answers what was "
                     "being read",
                 "nothing needs to be done; a newer kernel is a second net");
}

Finding CheckCalls(Release release, const std::function<int(long)>& try_call) {
  std::string missing;
  for (const NewCall& call : kNewCalls) {
    // A seccomp profile, too, says ENOSYS for what it does not know; that is not the kernel's.
    if (release >= call.since || try_call(call.number) != ENOSYS) continue;
    missing += (missing.empty() ? "" : ", ") + std::string(call.name);
  }
  const std::string check = "system calls";
  if (missing.empty()) return Ok(check, "openat2, close_range and mount_setattr are there");
  return Warning(check, "the kernel has no " + missing + "; esc-keeper goes without",
                 "nothing needs to be done; Linux 5.12 and newer have all of them");
}

Finding CheckFuseDevice(const NodeFiles& files) {
  const std::string check = "/dev/fuse";
  const UniqueFd device(open(files.Path("/dev/fuse").c_str(), O_RDWR | O_CLOEXEC | O_NOCTTY));
  const int error = errno;
  struct stat found = {};
  if (device && fstat(device.Get(), &found) == 0 && S_ISCHR(found.st_mode)) {
    return Ok(check, "can be opened");
  }
  const std::string otherwise = "; where FUSE is not allowed use volumes with backend: tmpfs";
  if (device) {
    return Failed(check, "is no device", "give the container the node's /dev/fuse" + otherwise);
  }
  const std::string cause = std::error_code(error, std::generic_category()).message();
  if (error == EACCES || error == EPERM) {
    return Failed(check, "cannot be opened: " + cause,
                  "run the keeper's container privileged (an agent without a keeper: as root, with "
                  "the device)" +
                      otherwise);
  }
  return Failed(check, "cannot be opened: " + cause,
                "load the module on the node (modprobe fuse, and a line in /etc/modules-load.d), "
                "and give the container the device" +
                    otherwise);
}

Finding CheckFuseFileSystem(const NodeFiles& files, Vantage vantage) {
  const std::string check = "fuse in the kernel";
  const Result<std::string> known = files.Read("/proc/filesystems");
  if (!known) return Skipped(check, known.error().message);
  for (const std::string_view line : Split(*known, '\n')) {
    if (line.ends_with("\tfuse")) return Ok(check, "/proc/filesystems has it");
  }
  const std::string advice =
      "load it on the node: modprobe fuse, and a line in /etc/modules-load.d";
  const std::string text = "/proc/filesystems does not have it";
  if (vantage == Vantage::kMounter) return Failed(check, text, advice);
  return Warning(check, text + "; it may be loaded by the first mount", advice);
}

// The mount that a path is on: the last of those with the longest mountpoint.
const fuse::MountInfo* MountOf(const std::vector<fuse::MountInfo>& mounts,
                               const std::string& path) {
  const fuse::MountInfo* found = nullptr;
  for (const fuse::MountInfo& mount : mounts) {
    const std::string& point = mount.mountpoint;
    const bool holds =
        point == "/" || path == point || (path.starts_with(point) && path[point.size()] == '/');
    if (holds && (found == nullptr || point.size() >= found->mountpoint.size())) found = &mount;
  }
  return found;
}

}  // namespace

int TrySystemCall(long number) {
  // Descriptors that cannot be, ranges that are empty, and no memory.
  if (number == SYS_close_range) return syscall(number, 1U, 0U, 0U) == 0 ? 0 : errno;
  return syscall(number, -1, nullptr, 0, nullptr, 0) >= 0 ? 0 : errno;
}

Findings CheckKernel(const NodeFiles& files, const std::function<int(long)>& try_call) {
  const Result<std::string> text = files.Read("/proc/sys/kernel/osrelease");
  if (!text) return {Skipped("kernel", text.error().message)};
  const std::optional<Release> release = ParseRelease(*text);
  if (!release) return {Skipped("kernel", "its version \"" + *text + "\" is of no known form")};
  const std::string kernel =
      "Linux " + std::to_string(release->major) + "." + std::to_string(release->minor);
  if (*release < kFloor) {
    return {Failed("kernel", kernel + " is too old", "use Linux 5.4 or newer on the node")};
  }
  return {Ok("kernel", "Linux " + *text), CheckResend(kernel, *release),
          CheckNoSwap(files, kernel, *release), CheckCalls(*release, try_call)};
}

Findings CheckFuse(const NodeFiles& files, Vantage vantage) {
  if (vantage == Vantage::kMounter) {
    // Opening the device loads the module, where it is not there yet.
    Finding device = CheckFuseDevice(files);
    return {std::move(device), CheckFuseFileSystem(files, vantage)};
  }
  return {Skipped("/dev/fuse", "esc-keeper opens it, in its own container", kElsewhere),
          CheckFuseFileSystem(files, vantage)};
}

Finding CheckPropagation(const NodeFiles& files, const std::string& kubelet_dir, Vantage vantage) {
  const std::string check = "mount propagation";
  if (vantage == Vantage::kAgent) {
    return Skipped(check, "esc-keeper mounts, in its own container", kElsewhere);
  }
  // A container has the folder of the pods alone, maybe.
  const std::string pods = kubelet_dir + "/pods";
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(files.Path(pods), error);
  if (error) {
    return Failed(check, pods + ": " + error.message(),
                  "set --kubelet-dir to kubelet's --root-dir, and mount its folder pods into the "
                  "container");
  }
  const std::string path =
      "/" + real.lexically_relative(std::filesystem::canonical(files.Path("/"), error)).string();
  const Result<std::string> table = files.Read("/proc/self/mountinfo");
  if (!table) return Skipped(check, table.error().message);
  const std::vector<fuse::MountInfo> mounts = fuse::ParseMountInfo(*table);
  const fuse::MountInfo* const mount = MountOf(mounts, path);
  if (mount == nullptr) return Skipped(check, "no mount is known that holds " + pods);
  if (mount->propagation.find("shared:") != std::string::npos) {
    return Ok(check, pods + " is on a shared mount (" + mount->mountpoint + ")");
  }
  return Failed(check,
                pods + " is on a mount that is not shared (" + mount->mountpoint +
                    "): pods do not see what is mounted below it",
                "in a container: mount it with mountPropagation: Bidirectional; on the node: "
                "mount --make-rshared " +
                    mount->mountpoint);
}

}  // namespace escagent::doctor
