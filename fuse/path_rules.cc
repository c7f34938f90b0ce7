#include "fuse/path_rules.h"

#include "base/strings.h"

namespace escagent::fuse {
namespace {

constexpr std::size_t kMaxComponent = 255;  // NAME_MAX
constexpr std::size_t kMaxPath = 4096;      // PATH_MAX
constexpr std::size_t kMaxShown = 300;

std::unexpected<Error> Refuse(std::string_view path, std::string_view why) {
  return InvalidArgument("show file \"" + PrintablePath(path) + "\": " + std::string(why));
}

}  // namespace

std::string PrintablePath(std::string_view path) {
  std::string shown;
  for (const char c : path.substr(0, kMaxShown)) {
    if (const auto byte = static_cast<unsigned char>(c); byte < 0x20 || byte == 0x7f) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      shown += "\\x";
      shown += kDigits[byte >> 4];
      shown += kDigits[byte & 0xf];
    } else {
      shown += c;
    }
  }
  return path.size() > kMaxShown ? shown + "..." : shown;
}

Status CheckVolumePath(std::string_view path) {
  if (path.empty()) return Refuse(path, "the path is empty");
  if (path.size() > kMaxPath) return Refuse(path, "the path is longer than 4096 bytes");
  if (path.find('\0') != std::string_view::npos) return Refuse(path, "the path contains a NUL");
  if (path.front() == '/') return Refuse(path, "the path must be relative");
  if (path.starts_with("..")) {
    return Refuse(path, "a name that starts with \"..\" is reserved for the volume itself");
  }
  for (const std::string_view component : Split(path, '/')) {
    if (component.empty()) return Refuse(path, "a part of the path is empty");
    if (component == "." || component == "..") {
      return Refuse(path, "\".\" and \"..\" are not allowed in the path");
    }
    if (component.size() > kMaxComponent) {
      return Refuse(path, "a part of the path is longer than 255 bytes");
    }
  }
  return {};
}

}  // namespace escagent::fuse
