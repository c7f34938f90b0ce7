#include "tests/component/fuse/watcher.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace escagent::fuse {
namespace {

constexpr std::array<std::pair<std::uint32_t, const char*>, 9> kEventNames = {{
    {IN_CREATE, "CREATE"},
    {IN_DELETE, "DELETE"},
    {IN_MOVED_FROM, "MOVED_FROM"},
    {IN_MOVED_TO, "MOVED_TO"},
    {IN_ATTRIB, "ATTRIB"},
    {IN_MODIFY, "MODIFY"},
    {IN_DELETE_SELF, "DELETE_SELF"},
    {IN_IGNORED, "IGNORED"},
    {IN_Q_OVERFLOW, "OVERFLOW"},
}};

}  // namespace

Watcher::Watcher() : fd_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  if (!fd_) throw std::system_error(errno, std::generic_category(), "inotify_init1");
}

void Watcher::Watch(const std::string& path, std::uint32_t mask, const std::string& label) {
  const int watch = inotify_add_watch(fd_.Get(), path.c_str(), mask);
  if (watch < 0) throw std::system_error(errno, std::generic_category(), "watch " + path);
  labels_.emplace_back(watch, label);
}

std::vector<std::string> Watcher::Events() {
  std::vector<std::string> events;
  alignas(inotify_event) std::array<char, 16 * 1024> buffer;
  while (true) {
    const ssize_t size = read(fd_.Get(), buffer.data(), buffer.size());
    if (size <= 0) return events;
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
      inotify_event event = {};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      std::string text;
      for (const auto& [watch, label] : labels_) {
        if (watch == event.wd) text = label;
      }
      for (const auto& [bit, name] : kEventNames) {
        if ((event.mask & bit) != 0) text += name;
      }
      const char* const name = buffer.data() + at + sizeof event;
      if (event.len > 0) text += " " + std::string(name);
      events.push_back(std::move(text));
      at += sizeof event + event.len;
    }
  }
}

}  // namespace escagent::fuse
