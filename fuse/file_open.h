#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

#include "fuse/secret_tree.h"

namespace escagent::fuse {

// A process opened a file of a volume, or tried to.
struct FileOpen {
  ShownFile file{};
  // Of the process, as this process sees them (FUSE_OPEN's header); `pid` is 0 for one in a pid
  // namespace that is not visible from here.
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  // An errno; 0 when it is open.
  int error = 0;
};

// Called before the kernel hears of it, on a thread that serves the volume: it must be quick and
// must not touch the volume. What a process that dies had answered is told once; what it had not
// answered is told again by its successor.
//
// Not told of: what the kernel refuses by itself (the file's mode), volumes with
// CacheProfile::kFull, whose files are not opened, and Backend::kTmpfs.
using OpenListener = std::function<void(const FileOpen&)>;
// Makes the listener of a volume from its MountOptions::metadata. An empty one: nobody listens.
using OpenListenerFactory = std::function<OpenListener(std::string_view metadata)>;

}  // namespace escagent::fuse
