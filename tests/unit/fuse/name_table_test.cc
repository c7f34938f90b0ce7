#include "fuse/name_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace escagent::fuse {
namespace {

TEST(NameTableTest, KeepsThePlaceOfAName) {
  NameTable names;
  EXPECT_EQ(*names.IndexOf("b"), kFirstNameIndex);
  EXPECT_EQ(*names.IndexOf("a"), kFirstNameIndex + 1);
  EXPECT_EQ(*names.IndexOf("b"), kFirstNameIndex);
  EXPECT_EQ(names.Paths(), (std::vector<std::string>{"b", "a"}));
}

TEST(NameTableTest, GoesOnWhereARestoredTableEnded) {
  NameTable names(std::vector<std::string>{"b", "a"});
  EXPECT_EQ(*names.IndexOf("a"), kFirstNameIndex + 1);
  EXPECT_EQ(*names.IndexOf("c"), kFirstNameIndex + 2);
}

TEST(InodeNumberTest, SplitsIntoWhatItWasMadeOf) {
  static_assert(MakeInode({.generation = 0, .index = kFolderIndex}) == kRootInode);
  for (const std::uint64_t generation :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 39}) {
    for (const std::uint32_t index : {std::uint32_t{1}, kFirstNameIndex, kMaxIndex}) {
      for (const bool pinned : {false, true}) {
        const InodeParts parts{.generation = generation, .index = index, .pinned = pinned};
        EXPECT_EQ(SplitInode(MakeInode(parts)), parts);
      }
    }
  }
}

}  // namespace
}  // namespace escagent::fuse
