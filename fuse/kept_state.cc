#include "fuse/kept_state.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace escagent::fuse {
namespace {

constexpr std::string_view kVersionLine = "1\n";
constexpr off_t kMaxStateSize = 1 << 20;

}  // namespace

std::string KeptState::Encode() const {
  return std::string(kVersionLine) + selinux_context + "\n" + metadata;
}

Result<KeptState> KeptState::Decode(std::string_view text) {
  const std::size_t end = text.find('\n', kVersionLine.size());
  if (!text.starts_with(kVersionLine) || end == std::string_view::npos) {
    return InvalidArgument("restore the volume: its state is of another version of esc-agent");
  }
  text.remove_prefix(kVersionLine.size());
  const std::size_t size = end - kVersionLine.size();
  return KeptState{.selinux_context = std::string(text.substr(0, size)),
                   .metadata = std::string(text.substr(size + 1))};
}

Result<KeptState> KeptState::Read(const UniqueFd& memfd) {
  struct stat found = {};
  if (fstat(memfd.Get(), &found) != 0) return ErrnoError(errno, "read a volume's state");
  if (found.st_size > kMaxStateSize)
    return InvalidArgument("read a volume's state: it is too large");
  std::string text(static_cast<std::size_t>(found.st_size), '\0');
  const ssize_t size = pread(memfd.Get(), text.data(), text.size(), 0);
  if (size != found.st_size) return ErrnoError(errno, "read a volume's state");
  return Decode(text);
}

}  // namespace escagent::fuse
