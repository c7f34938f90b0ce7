#include "agent/volume/file_name.h"

#include "base/strings.h"

namespace escagent::volume {

Status ValidateFileName(std::string_view name) {
  if (name.empty()) return InvalidArgument("an empty name cannot be a file name");
  if (name == "." || name.starts_with("..")) {
    return InvalidArgument("\".\" and names that start with \"..\" cannot be file names");
  }
  if (name.find('/') != std::string_view::npos) {
    return InvalidArgument("a file name cannot hold \"/\"");
  }
  if (name.find('\0') != std::string_view::npos) {
    return InvalidArgument("a file name cannot hold a NUL character");
  }
  if (name.size() > kMaxNameLength) {
    return InvalidArgument("a file name has at most " + std::to_string(kMaxNameLength) +
                           " bytes, this one has " + std::to_string(name.size()));
  }
  return {};
}

Status ValidateFilePath(std::string_view path) {
  if (path.empty()) return InvalidArgument("an empty path cannot be a file");
  if (path.starts_with('/')) return InvalidArgument("the path must be relative to the volume");
  if (path.size() > kMaxPathLength) {
    return InvalidArgument("a path has at most " + std::to_string(kMaxPathLength) + " bytes");
  }
  for (const std::string_view name : Split(path, '/')) {
    ESC_RETURN_IF_ERROR(ValidateFileName(name));
  }
  return {};
}

std::string QuoteForMessage(std::string_view text) {
  constexpr std::size_t kShown = 80;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      quoted += "\\x";
      quoted += kHex[byte >> 4];
      quoted += kHex[byte & 0xf];
    } else {
      quoted += c;
    }
  }
  if (text.size() > kShown) {
    // Not in the middle of a UTF-8 sequence: gRPC refuses a status message that is not UTF-8.
    while (!quoted.empty() && !IsValidUtf8(quoted)) quoted.pop_back();
    quoted += "...";
  }
  quoted += '"';
  return quoted;
}

}  // namespace escagent::volume
