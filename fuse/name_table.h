#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "fuse/inode_number.h"

namespace escagent::fuse {

// The paths a volume has ever shown, each with its index (fuse/inode_number.h). Append-only: a path
// keeps its index through every generation. That is what lets an inode of a generation that is
// long gone be answered with the current bytes of the same path. Thread-compatible.
class NameTable {
 public:
  NameTable() = default;
  // From what Paths() returned, for a successor that takes a connection over.
  explicit NameTable(const std::vector<std::string>& paths);

  // The index of `path`, given out now if it is new. RESOURCE_EXHAUSTED when all are used.
  Result<std::uint32_t> IndexOf(std::string_view path);

  std::size_t Size() const { return index_by_path_.size(); }
  // Every path in the order of its index; the first one has kFirstNameIndex.
  std::vector<std::string> Paths() const;

 private:
  std::map<std::string, std::uint32_t, std::less<>> index_by_path_;
};

}  // namespace escagent::fuse
