#pragma once

#include <sys/inotify.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace escagent::fuse {

// inotify, as a program in a pod uses it. Throws std::system_error.
class Watcher {
 public:
  Watcher();
  // `label` begins the events of this watch. A path's last symlink is followed.
  void Watch(const std::string& path, std::uint32_t mask, const std::string& label = "");
  // What has happened since the last call: "CREATE name" and the like.
  std::vector<std::string> Events();

 private:
  UniqueFd fd_;
  std::vector<std::pair<int, std::string>> labels_;
};

}  // namespace escagent::fuse
