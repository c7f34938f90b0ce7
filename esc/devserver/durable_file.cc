#include "esc/devserver/durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "base/unique_fd.h"

namespace escagent::devserver {
namespace {

namespace fs = std::filesystem;

Status WriteAll(int fd, std::string_view contents, const std::string& path) {
  while (!contents.empty()) {
    const ssize_t written = ::write(fd, contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoError(errno, "write " + path);
    contents.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Status SetNanoseconds(int fd, std::int64_t nanoseconds, const std::string& path) {
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  now.tv_nsec = static_cast<decltype(now.tv_nsec)>(nanoseconds);
  const timespec times[2] = {now, now};
  if (::futimens(fd, times) != 0) return ErrnoError(errno, "set the time of " + path);
  return {};
}

Status WriteTemporary(const std::string& path, std::string_view contents, mode_t mode,
                      std::int64_t nanoseconds) {
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd || ::fchmod(fd.Get(), mode) != 0) return ErrnoError(errno, "write " + path);
  ESC_RETURN_IF_ERROR(WriteAll(fd.Get(), contents, path));
  if (nanoseconds >= 0) ESC_RETURN_IF_ERROR(SetNanoseconds(fd.Get(), nanoseconds, path));
  if (::fsync(fd.Get()) != 0) return ErrnoError(errno, "write " + path + " to disk");
  return {};
}

}  // namespace

Status SyncFolder(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.Get()) != 0) return ErrnoError(errno, "write folder " + path + " to disk");
  return {};
}

Status WriteFileDurably(const std::string& path, std::string_view contents, mode_t mode,
                        std::int64_t nanoseconds) {
  // One name for all times: what a crash leaves is overwritten by the next one.
  const std::string temporary = path + ".tmp";
  if (const Status written = WriteTemporary(temporary, contents, mode, nanoseconds); !written) {
    ::unlink(temporary.c_str());
    return written;
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return ErrnoError(error, "rename " + temporary + " to " + path);
  }
  return SyncFolder(fs::path(path).parent_path());
}

FileStamp StampOfFile(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_ino, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

Status MakeFolderDurably(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return {};
  const std::string parent = fs::path(path).parent_path();
  if (!parent.empty() && parent != path) ESC_RETURN_IF_ERROR(MakeFolderDurably(parent));
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoError(errno, "make folder " + path);
  }
  return SyncFolder(parent.empty() ? "." : parent);
}

}  // namespace escagent::devserver
