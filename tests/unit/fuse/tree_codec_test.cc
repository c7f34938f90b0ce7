#include "fuse/tree_codec.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <string>

#include "tests/unit/fuse/spec_builder.h"
#include "tests/unit/fuse/tree_walker.h"

namespace escagent::fuse {
namespace {

constexpr Generation::Time kTime{std::chrono::nanoseconds{1'000'000'000'123}};
constexpr std::uint64_t kFirst = 1700000000;

SavedVolume MakeVolume() {
  VolumeSpec spec = SpecOf({{"app/user", "root"}, {"key", std::string("a\0b", 3)}, {"none", ""}});
  spec.files[0].mode = 0400;
  spec.empty_folders.push_back({.path = "empty/folder"});
  spec.uid = 12;
  spec.gid = 34;
  spec.folder_mode = 0750;
  spec.revision = "7";
  spec.withheld = true;
  const std::unique_ptr<SecretTree> tree = *SecretTree::Create(spec, kFirst, kTime);
  spec.files[2].content = Bytes("something");
  EXPECT_TRUE(tree->Prepare(spec, kTime));
  SavedVolume volume;
  volume.tree = tree->Save();
  volume.cache = CacheProfile::kNone;
  volume.init = {.request = std::vector<std::byte>(104, std::byte{7}),
                 .capabilities = 0x123456789,
                 .max_write = 4096,
                 .max_background = 64};
  volume.metadata = std::string("pod\0x", 5);
  return volume;
}

std::string BytesOf(const UniqueFd& fd) {
  struct stat found = {};
  EXPECT_EQ(fstat(fd.Get(), &found), 0);
  std::string bytes(static_cast<std::size_t>(found.st_size), '\0');
  EXPECT_EQ(pread(fd.Get(), bytes.data(), bytes.size(), 0), found.st_size);
  return bytes;
}

TEST(TreeCodecTest, ReadsWhatItWrote) {
  const SavedVolume volume = MakeVolume();
  const auto fd = EncodeTree(volume);
  ASSERT_TRUE(fd) << fd.error().ToString();
  const auto read = DecodeTree(*fd);
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(read->cache, volume.cache);
  EXPECT_EQ(read->init.request, volume.init.request);
  EXPECT_TRUE(read->init.SameAgreement(volume.init));
  EXPECT_EQ(read->metadata, volume.metadata);
  EXPECT_EQ(read->tree.first_number, kFirst);
  EXPECT_EQ(read->tree.settled_number, kFirst);
  EXPECT_EQ(read->tree.names, volume.tree.names);
  ASSERT_EQ(read->tree.generations.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const Generation& was = *volume.tree.generations[i];
    const Generation& is = *read->tree.generations[i];
    EXPECT_TRUE(is.ShowsSameAs(was));
    EXPECT_EQ(is.Number(), was.Number());
    EXPECT_EQ(is.CreatedAt(), was.CreatedAt());
    EXPECT_EQ(is.Revision(), "7");
    EXPECT_TRUE(is.Withheld());
  }
  // What was shared is shared again.
  EXPECT_EQ(read->tree.generations[0]->ToSpec().files[0].content,
            read->tree.generations[1]->ToSpec().files[0].content);
  const std::unique_ptr<SecretTree> tree = *SecretTree::Restore(read->tree);
  EXPECT_EQ(*TreeWalker(*tree).Read("key"), std::string("a\0b", 3));
  EXPECT_EQ(*TreeWalker(*tree).Read("none"), "something");
}

TEST(TreeCodecTest, VolumesThatShowTheSameShareItAgain) {
  const SavedVolume volume = MakeVolume();
  ContentPool contents;
  const auto one = DecodeTree(*EncodeTree(volume), contents);
  const auto two = DecodeTree(*EncodeTree(volume), contents);
  ASSERT_TRUE(one && two);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(one->tree.generations[0]->ToSpec().files[i].content,
              two->tree.generations[0]->ToSpec().files[i].content);
  }
  EXPECT_NE(contents.Share("a"), contents.Share("b"));
  EXPECT_EQ(contents.Share(""), contents.Share(""));
}

TEST(TreeCodecTest, TheMemfdCannotBeChanged) {
  const auto fd = EncodeTree(MakeVolume());
  ASSERT_TRUE(fd);
  EXPECT_NE(pwrite(fd->Get(), "x", 1, 0), 1);
  EXPECT_NE(ftruncate(fd->Get(), 0), 0);
  EXPECT_EQ(mmap(nullptr, 4096, PROT_WRITE, MAP_SHARED, fd->Get(), 0), MAP_FAILED);
}

TEST(TreeCodecTest, RefusesAnUnsealedFile) {
  const UniqueFd fd(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const auto read = DecodeTree(fd);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kInvalidArgument);
}

TEST(TreeCodecTest, RefusesANewerVersion) {
  std::string bytes = BytesOf(*EncodeTree(MakeVolume()));
  bytes[8] = 3;
  const auto read = DecodeTreeBytes(bytes);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kFailedPrecondition);
}

TEST(TreeCodecTest, ReadsTheVersionBefore) {
  SavedVolume volume = MakeVolume();
  volume.tree = (*SecretTree::Create(SpecOf({{"key", "x"}}), kFirst, kTime))->Save();
  std::string bytes = BytesOf(*EncodeTree(volume));
  // The one generation's revision (none) and whether it is withheld.
  bytes.resize(bytes.size() - 8);
  bytes[8] = 1;
  const auto read = DecodeTreeBytes(bytes);
  ASSERT_TRUE(read) << read.error().ToString();
  ASSERT_EQ(read->tree.generations.size(), 1u);
  EXPECT_EQ(read->tree.generations[0]->Revision(), "");
  EXPECT_FALSE(read->tree.generations[0]->Withheld());
}

TEST(TreeCodecTest, RefusesEveryPartOfIt) {
  const std::string bytes = BytesOf(*EncodeTree(MakeVolume()));
  ASSERT_TRUE(DecodeTreeBytes(bytes));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeTreeBytes(std::string_view(bytes).substr(0, size))) << size;
  }
  EXPECT_FALSE(DecodeTreeBytes(bytes + "x"));
}

TEST(TreeCodecTest, SurvivesEveryDamagedByte) {
  const std::string bytes = BytesOf(*EncodeTree(MakeVolume()));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const char damage : {'\x01', '\x80', '\xff'}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ damage);
      const auto read = DecodeTreeBytes(damaged);
      if (!read) continue;
      const auto tree = SecretTree::Restore(read->tree);
      if (!tree) continue;
      EXPECT_TRUE(TreeWalker(**tree).Walk("..data")) << i;
    }
  }
}

}  // namespace
}  // namespace escagent::fuse
