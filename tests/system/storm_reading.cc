#include "tests/system/storm_reading.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/unique_fd.h"
#include "tests/system/storm_value.h"

namespace escagent::testing {

Failure Errno(const std::string& what) {
  const int error = errno;
  return what + ": " + std::strerror(error);
}

Failure ReadOpen(int fd, const std::string& name, std::string& bytes) {
  // Less than a page, so that one file takes several requests.
  std::array<char, 3000> buffer;
  while (true) {
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n < 0) return Errno("read " + name);
    if (n == 0) return "";
    bytes.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

Failure ReadFile(int folder, const std::string& path, std::string& bytes) {
  const UniqueFd fd(openat(folder, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Errno("open " + path);
  return ReadOpen(fd.Get(), path, bytes);
}

// The counter of a file that must be whole, and not older than `floor`.
Failure CheckStorm(const std::string& file, const std::string& bytes, int floor, int& count) {
  const std::optional<int> found = StormCount(file, bytes);
  if (!found) {
    return file + ": torn, " + std::to_string(bytes.size()) + " bytes: " + bytes.substr(0, 30) +
           "...";
  }
  count = *found;
  if (count >= floor) return "";
  return file + ": shows " + std::to_string(count) + " after " + std::to_string(floor) +
         " was seen";
}

}  // namespace escagent::testing
