#include "fuse/user_mount.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace escagent::fuse {
namespace {

constexpr const char* kHelper = "fusermount3";
// Where the helper finds its end of the socket.
constexpr int kHelperFd = 3;

// Runs the helper and waits for it; `socket` becomes its kHelperFd when not -1.
Status RunHelper(std::vector<std::string> arguments, int socket, const std::string& what) {
  arguments.insert(arguments.begin(), kHelper);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::string variable = "_FUSE_COMMFD=" + std::to_string(kHelperFd);
  std::vector<char*> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
  environment.push_back(variable.data());
  environment.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (socket >= 0) posix_spawn_file_actions_adddup2(&actions, socket, kHelperFd);
  pid_t child = -1;
  const int error =
      posix_spawnp(&child, kHelper, &actions, nullptr, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return FailedPrecondition(what + ": cannot run " + kHelper +
                              "; install the package fuse3, or run as root");
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return ErrnoError(errno, what);
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return PermissionDenied(what + ": " + kHelper +
                            " refused (its reason is on stderr); is the folder yours?");
  }
  return {};
}

Result<UniqueFd> ReceiveDescriptor(int socket, const std::string& what) {
  char byte = 0;
  iovec data = {.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) < 0) return ErrnoError(errno, what);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
    return Internal(what + ": " + kHelper + " passed no descriptor");
  }
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  UniqueFd device(fd);
  if (fcntl(device.Get(), F_SETFL, O_RDWR | O_NONBLOCK) != 0) return ErrnoError(errno, what);
  return device;
}

}  // namespace

Result<UniqueFd> MountByHelper(const std::string& path) {
  const std::string what = "mount volume at " + path;
  std::array<int, 2> ends = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return ErrnoError(errno, what);
  }
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  // dup2 onto itself would keep close-on-exec.
  if (theirs.Get() == kHelperFd) theirs.Reset(fcntl(theirs.Get(), F_DUPFD_CLOEXEC, kHelperFd + 1));
  ESC_RETURN_IF_ERROR(RunHelper(
      {"-o", "ro,nosuid,nodev,noexec,default_permissions,fsname=esc-agent,subtype=esc-agent", "--",
       path},
      theirs.Get(), what));
  return ReceiveDescriptor(ours.Get(), what);
}

Status UnmountByHelper(const std::string& path) {
  return RunHelper({"-u", "-q", "-z", "--", path}, -1, "unmount " + path);
}

}  // namespace escagent::fuse
