#include "fuse/secret_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <string>

#include "tests/unit/fuse/spec_builder.h"
#include "tests/unit/fuse/tree_walker.h"

namespace escagent::fuse {
namespace {

constexpr Generation::Time kTime{std::chrono::seconds{1000}};
constexpr std::uint64_t kFirst = 1700000000;

class SecretTreeTest : public ::testing::Test {
 protected:
  explicit SecretTreeTest(const VolumeSpec& spec = SpecOf({{"app/user", "root"}, {"key", "one"}}))
      : tree_(*SecretTree::Create(spec, kFirst, kTime)), walker_(*tree_) {}

  std::uint64_t InodeOf(std::string_view path) const { return walker_.Walk(path)->inode; }
  bool Set(const std::string& key) { return walker_.Rotate(SpecOf({{"key", key}})); }

  const std::unique_ptr<SecretTree> tree_;
  const TreeWalker walker_;
};

TEST_F(SecretTreeTest, HasTheShapeOfTheAtomicWriter) {
  EXPECT_EQ(walker_.List(kRootInode), (std::map<std::string, mode_t>{{".", S_IFDIR},
                                                                     {"..", S_IFDIR},
                                                                     {"..data", S_IFLNK},
                                                                     {"..1700000000", S_IFDIR},
                                                                     {"app", S_IFLNK},
                                                                     {"key", S_IFLNK}}));
  EXPECT_EQ(*tree_->ReadLink(tree_->Lookup(kRootInode, "..data")->inode), "..1700000000");
  EXPECT_EQ(*tree_->ReadLink(tree_->Lookup(kRootInode, "key")->inode), "..data/key");
  EXPECT_EQ(*tree_->ReadLink(tree_->Lookup(kRootInode, "app")->inode), "..data/app");
  EXPECT_EQ(*walker_.Read("key"), "one");
  EXPECT_EQ(*walker_.Read("app/user"), "root");
  EXPECT_EQ(*walker_.Read("..1700000000/app/user"), "root");
  EXPECT_EQ(walker_.List(InodeOf("app")),
            (std::map<std::string, mode_t>{{".", S_IFDIR}, {"..", S_IFDIR}, {"user", S_IFREG}}));
}

TEST_F(SecretTreeTest, InodesAreAFunctionOfGenerationAndIndex) {
  EXPECT_EQ(InodeOf("..data"), MakeInode({kFirst, kFolderIndex}));
  EXPECT_EQ(tree_->Lookup(kRootInode, "..data")->inode, MakeInode({kFirst, kDataLinkIndex}));
  const std::uint64_t link = tree_->Lookup(kRootInode, "key")->inode;
  const std::uint64_t file = InodeOf("key");
  EXPECT_EQ(SplitInode(link).generation, 0u);
  EXPECT_EQ(SplitInode(link).index, SplitInode(file).index);

  // The same names in a new generation: the same indexes, whatever came and went.
  ASSERT_TRUE(walker_.Rotate(SpecOf({{"aaa", "new"}, {"key", "two"}})));
  EXPECT_EQ(tree_->Lookup(kRootInode, "key")->inode, link);
  EXPECT_EQ(SplitInode(InodeOf("key")).index, SplitInode(file).index);
  EXPECT_EQ(SplitInode(InodeOf("key")).generation, kFirst + 1);
}

TEST_F(SecretTreeTest, GivesAttributes) {
  VolumeSpec spec = SpecOf({{"d/e/f", "12345"}});
  spec.files[0].mode = 0440;
  spec.uid = 1001;
  spec.gid = 2002;
  spec.folder_mode = 0750;
  ASSERT_TRUE(walker_.Rotate(spec));
  const NodeAttributes file = *walker_.Walk("d/e/f");
  EXPECT_EQ(file.mode, S_IFREG | 0440u);
  EXPECT_EQ(file.size, 5u);
  EXPECT_EQ(file.uid, 1001u);
  EXPECT_EQ(file.gid, 2002u);
  EXPECT_EQ(file.links, 1u);
  EXPECT_TRUE(file.cacheable);
  const NodeAttributes folder = *walker_.Walk("d");
  EXPECT_EQ(folder.mode, S_IFDIR | 0750u);
  EXPECT_EQ(folder.links, 3u);
  const NodeAttributes root = *tree_->GetAttributes(kRootInode);
  EXPECT_EQ(root.mode, S_IFDIR | 0750u);
  EXPECT_EQ(root.gid, 2002u);
  EXPECT_EQ(tree_->Lookup(kRootInode, "d")->size, std::string("..data/d").size());
}

TEST_F(SecretTreeTest, PublishingTheSameIsNothing) {
  const auto again = tree_->Publish(SpecOf({{"key", "one"}, {"app/user", "root"}}), kTime);
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->has_value());
  EXPECT_EQ(tree_->Current()->Number(), kFirst);
}

TEST_F(SecretTreeTest, ARefusedSpecLeavesTheVolumeAsItWas) {
  EXPECT_FALSE(tree_->Publish(SpecOf({{"../x", "1"}}), kTime));
  EXPECT_EQ(*walker_.Read("key"), "one");
  EXPECT_EQ(tree_->Names().size(), 3u);
}

TEST_F(SecretTreeTest, RotationSaysWhatIsGone) {
  const auto rotation = tree_->Publish(SpecOf({{"key", "two"}, {"new", "1"}}), kTime);
  ASSERT_TRUE(rotation && *rotation);
  EXPECT_THAT((*rotation)->removed_keys, ::testing::ElementsAre("app"));
  EXPECT_EQ((*rotation)->previous->Number(), kFirst);
  EXPECT_GT((*rotation)->current->CreatedAt(), (*rotation)->previous->CreatedAt());
  EXPECT_EQ(walker_.Read("app/user").error(), ENOENT);
}

TEST_F(SecretTreeTest, OpenFilesKeepTheirBytesThroughManyRotations) {
  const std::uint64_t inode = InodeOf("key");
  const OpenedFile file = *tree_->OpenFile(inode);
  EXPECT_TRUE(file.own_bytes);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Set("longer than before " + std::to_string(i)));
  EXPECT_EQ((*tree_->Content(inode, file.handle))->Reveal(), "one");
  // The kernel must not learn another size while somebody reads.
  EXPECT_EQ(tree_->GetAttributes(inode)->size, 3u);
  EXPECT_EQ(tree_->Retained().size(), 3u);
  tree_->CloseFile(inode, file.handle);
  EXPECT_EQ(tree_->Retained().size(), 2u);
  EXPECT_EQ(tree_->GetAttributes(inode)->size, std::string("longer than before 4").size());
  EXPECT_EQ(tree_->Content(inode, file.handle).error(), ESTALE);
}

TEST_F(SecretTreeTest, ARetiredFileFollowsTheRotations) {
  const std::uint64_t inode = InodeOf("key");
  for (const std::string value : {"second", "third", "fourth", "a fifth"}) {
    ASSERT_TRUE(Set(value));
    EXPECT_EQ(*walker_.ReadInode(inode), value);
    const NodeAttributes attributes = *tree_->GetAttributes(inode);
    EXPECT_EQ(attributes.inode, inode);
    EXPECT_EQ(attributes.size, value.size());
    EXPECT_FALSE(attributes.cacheable);
    EXPECT_FALSE(tree_->OpenFile(inode)->own_bytes);
    tree_->CloseFile(inode, tree_->Current()->Number());
  }
}

TEST_F(SecretTreeTest, ARetiredFileKeepsWhatItWasOpenedWithToo) {
  const std::uint64_t inode = InodeOf("key");
  ASSERT_TRUE(Set("two"));
  const OpenedFile file = *tree_->OpenFile(inode);
  for (const std::string value : {"three", "four", "five"}) ASSERT_TRUE(Set(value));
  EXPECT_EQ((*tree_->Content(inode, file.handle))->Reveal(), "two");
  // Its bytes are not the inode's own, so its size does not hold the attributes back.
  EXPECT_EQ(tree_->GetAttributes(inode)->size, 4u);
  tree_->CloseFile(inode, file.handle);
}

TEST_F(SecretTreeTest, ARetiredFileWhoseKeyIsGoneIsNotFoundUntilTheKeyIsBack) {
  const std::uint64_t inode = InodeOf("key");
  ASSERT_TRUE(walker_.Rotate(SpecOf({{"other", "x"}})));
  EXPECT_EQ(tree_->OpenFile(inode).error(), ENOENT);
  EXPECT_EQ(tree_->GetAttributes(inode).error(), ENOENT);
  ASSERT_TRUE(walker_.Rotate(SpecOf({{"key/is/a", "folder"}})));
  EXPECT_EQ(tree_->OpenFile(inode).error(), ENOENT);
  EXPECT_EQ(tree_->GetAttributes(inode).error(), ENOENT);
  ASSERT_TRUE(Set("back"));
  EXPECT_EQ(*walker_.ReadInode(inode), "back");
}

TEST_F(SecretTreeTest, BeforeTheKernelIsToldRetiredFilesKeepTheirOwnBytes) {
  const std::uint64_t inode = InodeOf("key");
  const auto rotation = tree_->Publish(SpecOf({{"key", "two"}}), kTime);
  ASSERT_TRUE(rotation && *rotation);
  EXPECT_EQ(*walker_.ReadInode(inode), "one");
  EXPECT_EQ((*tree_->Content(inode))->Reveal(), "one");
  EXPECT_EQ(tree_->SettledNumber(), kFirst);

  const auto following = tree_->Settle((*rotation)->current->Number());
  ASSERT_EQ(following.size(), 1u);
  EXPECT_EQ(following[0]->Number(), kFirst);
  EXPECT_EQ(*walker_.ReadInode(inode), "two");
  EXPECT_EQ((*tree_->Content(inode))->Reveal(), "two");
  EXPECT_TRUE(tree_->Settle((*rotation)->current->Number()).empty());
}

TEST_F(SecretTreeTest, UnsettledGenerationsAreRetained) {
  const std::uint64_t inode = InodeOf("key");
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(tree_->Publish(SpecOf({{"key", std::to_string(i)}}), kTime));
  }
  EXPECT_EQ(tree_->Retained().size(), 5u);
  EXPECT_EQ((*tree_->Content(inode))->Reveal(), "one");
  EXPECT_EQ(tree_->Settle(kFirst + 2).size(), 2u);
  EXPECT_EQ((*tree_->Content(inode))->Reveal(), "1");
  EXPECT_EQ(tree_->Retained().size(), 5u);
  tree_->Expire(kFirst + 2);
  EXPECT_EQ(tree_->Retained().size(), 3u);
  tree_->Expire(kFirst + 4);
  EXPECT_EQ(tree_->Retained().size(), 3u);
}

TEST_F(SecretTreeTest, AReaderWithAnOpenFolderNeverMixesGenerations) {
  const std::uint64_t folder = InodeOf("..data");
  ASSERT_TRUE(walker_.Rotate(SpecOf({{"app/user", "admin"}, {"key", "two"}})));
  const NodeAttributes pinned = *tree_->Lookup(folder, "key");
  EXPECT_TRUE(SplitInode(pinned.inode).pinned);
  EXPECT_FALSE(pinned.cacheable);
  EXPECT_EQ(*walker_.ReadInode(pinned.inode), "one");
  EXPECT_EQ(*walker_.ReadInode(tree_->Lookup(tree_->Lookup(folder, "app")->inode, "user")->inode),
            "root");
  // Two rotations on, the folder is gone; a file from it that is still held goes with the times.
  ASSERT_TRUE(Set("three"));
  EXPECT_EQ(tree_->Lookup(folder, "key").error(), ESTALE);
  EXPECT_EQ(tree_->GetAttributes(folder).error(), ESTALE);
  EXPECT_EQ(tree_->OpenFolder(folder).error(), ESTALE);
  EXPECT_EQ(*walker_.ReadInode(pinned.inode), "three");
}

// The file may have been looked up just before the rotation and opened just after.
TEST_F(SecretTreeTest, AnOpenFolderHoldsItsFilesUntilTheGenerationExpires) {
  const std::uint64_t inode = InodeOf("key");
  const std::uint64_t handle = *tree_->OpenFolder(InodeOf("..data"));
  const auto rotation = tree_->Publish(SpecOf({{"key", "two"}}), kTime);
  ASSERT_TRUE(rotation && *rotation);
  tree_->Settle(kFirst + 1);
  EXPECT_EQ(*walker_.ReadInode(inode), "one");
  tree_->Expire(kFirst + 1);
  EXPECT_EQ(*walker_.ReadInode(inode), "two");
  tree_->CloseFolder(handle);
}

TEST_F(SecretTreeTest, AnOpenFolderListsOneGeneration) {
  const std::uint64_t handle = *tree_->OpenFolder(kRootInode);
  const auto before = *tree_->List(kRootInode, handle, 0, 100);
  for (const std::string value : {"2", "3", "4"}) ASSERT_TRUE(Set(value));
  const auto after = *tree_->List(kRootInode, handle, 0, 100);
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(before[i].name, after[i].name);
  tree_->CloseFolder(handle);
  EXPECT_EQ(tree_->Retained().size(), 2u);
}

TEST_F(SecretTreeTest, WalksThatRotationsOvertookAreStaleAndStrangersNotFound) {
  for (const std::string value : {"2", "3", "4"}) ASSERT_TRUE(Set(value));
  EXPECT_TRUE(tree_->Lookup(kRootInode, "..1700000002"));  // the one before is retained
  EXPECT_EQ(tree_->Lookup(kRootInode, "..1700000000").error(), ESTALE);
  for (const std::string name : {"..1699999999", "..1700000004", "..", "..x", "..1700000000x",
                                 "..99999999999999999999", "absent", "..data_tmp"}) {
    EXPECT_EQ(tree_->Lookup(kRootInode, name).error(), ENOENT) << name;
  }
}

TEST_F(SecretTreeTest, AnswersNonsenseWithErrors) {
  const std::uint64_t file = InodeOf("key");
  EXPECT_EQ(tree_->Lookup(file, "x").error(), ENOTDIR);
  EXPECT_EQ(tree_->OpenFolder(file).error(), ENOTDIR);
  EXPECT_EQ(tree_->OpenFile(InodeOf("app")).error(), EISDIR);
  EXPECT_EQ(tree_->ReadLink(file).error(), EINVAL);
  EXPECT_EQ(tree_->ReadLink(0x123).error(), ESTALE);
  EXPECT_EQ(tree_->GetAttributes(MakeInode({kFirst, 9999})).error(), ENOENT);
  EXPECT_EQ(tree_->GetAttributes(MakeInode({kFirst, 5})).error(), ESTALE);
  EXPECT_EQ(tree_->GetAttributes(0x123).error(), ESTALE);
  EXPECT_EQ(tree_->Content(file, 12345).error(), ESTALE);
  EXPECT_EQ(tree_->List(kRootInode, 12345, 0, 10).error(), ESTALE);
  tree_->CloseFile(file, 12345);  // as after a takeover: nothing to do
}

}  // namespace
}  // namespace escagent::fuse
