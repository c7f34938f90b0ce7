#pragma once

#include <cstdint>

namespace escagent::fuse {

// An inode number is a pure function of (generation, index), so that whoever takes over a
// connection needs no inode table:
//
//   bits 63..24  generation number; 0 for what belongs to the volume and not to one generation
//   bit  23      pinned, see below
//   bits 22..0   index
//
// Indexes: 1 is the folder itself (generation 0: the root of the volume, inode 1; generation g: the
// folder `..g`), 2 is the symlink `..data` of generation g, from 16 on they are the volume's
// paths in the order of its NameTable. (0, index of "key") is the symlink `key -> ..data/key`.
//
// A file has two inode numbers. Looked up while its generation is the current one it gets the plain
// number; whoever still holds that after a rotation (a subPath bind mount) follows the rotations.
// Looked up in the folder of a retired generation (by a reader that holds the folder open) it gets
// the pinned number, which keeps showing that generation as long as it is retained, so that a set
// of files read through one open folder is never a mix of two generations. The symlink
// `..data_tmp`, which becomes `..data` of generation g, has the pinned number of the latter.
inline constexpr std::uint64_t kRootInode = 1;
inline constexpr std::uint32_t kFolderIndex = 1;
inline constexpr std::uint32_t kDataLinkIndex = 2;
inline constexpr std::uint32_t kFirstNameIndex = 16;
inline constexpr std::uint32_t kMaxIndex = (std::uint32_t{1} << 23) - 1;
inline constexpr std::uint64_t kMaxGeneration = (std::uint64_t{1} << 40) - 1;

struct InodeParts {
  std::uint64_t generation = 0;
  std::uint32_t index = 0;
  bool pinned = false;
  bool operator==(const InodeParts&) const = default;
};

constexpr std::uint64_t MakeInode(const InodeParts& parts) {
  return (parts.generation << 24) | (parts.pinned ? std::uint64_t{1} << 23 : 0) | parts.index;
}

constexpr InodeParts SplitInode(std::uint64_t inode) {
  return {.generation = inode >> 24,
          .index = static_cast<std::uint32_t>(inode & kMaxIndex),
          .pinned = (inode >> 23 & 1) != 0};
}

}  // namespace escagent::fuse
