#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace escagent::fuse {

// One line of /proc/<pid>/mountinfo (proc(5)).
struct MountInfo {
  std::uint64_t id = 0;
  std::uint64_t parent_id = 0;
  unsigned device_major = 0;
  unsigned device_minor = 0;
  std::string root;
  std::string mountpoint;
  std::string options;      // of this mount
  std::string propagation;  // "shared:12 master:3"; empty: private
  std::string fs_type;
  std::string source;
  std::string super_options;
};

// The lines that can be read; octal escapes (\040) are undone. Lines of another shape are skipped.
std::vector<MountInfo> ParseMountInfo(std::string_view text);

// The mounts of this process, from /proc/self/mountinfo. Never touches a mount.
Result<std::vector<MountInfo>> ReadMountInfo();

// The mounts stacked at `mountpoint`, lowest first.
std::vector<MountInfo> LayersAt(const std::vector<MountInfo>& mounts, std::string_view mountpoint);

}  // namespace escagent::fuse
