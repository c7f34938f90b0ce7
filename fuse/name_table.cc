#include "fuse/name_table.h"

#include "fuse/path_rules.h"

namespace escagent::fuse {

NameTable::NameTable(const std::vector<std::string>& paths) {
  std::uint32_t next = kFirstNameIndex;
  for (const std::string& path : paths) index_by_path_.emplace(path, next++);
}

Result<std::uint32_t> NameTable::IndexOf(std::string_view path) {
  if (const auto it = index_by_path_.find(path); it != index_by_path_.end()) return it->second;
  const std::size_t next = kFirstNameIndex + index_by_path_.size();
  if (next > kMaxIndex) {
    return MakeError(Code::kResourceExhausted,
                     "show " + PrintablePath(path) +
                         ": the volume has shown too many different paths; publish it anew");
  }
  const auto index = static_cast<std::uint32_t>(next);
  index_by_path_.emplace(path, index);
  return index;
}

std::vector<std::string> NameTable::Paths() const {
  std::vector<std::string> paths(index_by_path_.size());
  for (const auto& [path, index] : index_by_path_) paths[index - kFirstNameIndex] = path;
  return paths;
}

}  // namespace escagent::fuse
