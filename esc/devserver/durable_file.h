#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace escagent::devserver {

// Replaces or makes a file so that at every moment, also after a crash of this process or of the
// machine, it is there whole: the old or the new one. The caller sees to it that nobody else writes
// the same file. `nanoseconds` of the file's modification time can be given to tell versions apart
// (negative: as they come). Its folder must exist.
Status WriteFileDurably(const std::string& path, std::string_view contents, mode_t mode,
                        std::int64_t nanoseconds = -1);

// Tells versions of a file apart without reading it.
struct FileStamp {
  std::uint64_t file = 0;
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
  auto operator<=>(const FileStamp&) const = default;
};
// The zero stamp when there is no file.
FileStamp StampOfFile(const std::string& path);

// Makes a folder durably, with those above it that are missing, for its owner only.
Status MakeFolderDurably(const std::string& path);

// Makes what was renamed or removed in a folder last.
Status SyncFolder(const std::string& path);

}  // namespace escagent::devserver
