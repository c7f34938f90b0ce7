#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/unique_fd.h"

namespace escagent {

Result<Secret> ReadFile(const std::string& path, std::size_t max_size) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return ErrnoError(errno, "read " + path);
  struct stat st = {};
  if (fstat(fd.Get(), &st) != 0) return ErrnoError(errno, "read " + path);
  if (S_ISDIR(st.st_mode)) return InvalidArgument("read " + path + ": is a folder");
  SecretBuilder contents;
  std::array<char, 16384> buffer;
  while (true) {
    const ssize_t n = read(fd.Get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(errno, "read " + path);
    if (n == 0) break;
    contents.Append({buffer.data(), static_cast<std::size_t>(n)});
    if (contents.Size() > max_size) {
      explicit_bzero(buffer.data(), buffer.size());
      return MakeError(Code::kResourceExhausted,
                       "read " + path + ": larger than " + std::to_string(max_size) + " bytes");
    }
  }
  explicit_bzero(buffer.data(), buffer.size());
  return contents.Finish();
}

Status WriteFileAtomically(const std::string& path, std::string_view contents) {
  const std::string temporary = path + ".tmp";
  UniqueFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) return ErrnoError(errno, "write " + temporary);
  while (!contents.empty()) {
    const ssize_t n = write(fd.Get(), contents.data(), contents.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      unlink(temporary.c_str());
      return ErrnoError(error, "write " + temporary);
    }
    contents.remove_prefix(static_cast<std::size_t>(n));
  }
  fd.Reset();
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    unlink(temporary.c_str());
    return ErrnoError(error, "rename " + temporary + " to " + path);
  }
  return {};
}

}  // namespace escagent
