// What a mounted volume looks like from outside.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include "fuse/mount_info.h"
#include "fuse/mount_ops.h"
#include "tests/component/fuse/mount_fixture.h"

namespace escagent::fuse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LayoutTest : public ProfileTest {};

INSTANTIATE_TEST_SUITE_P(Profiles, LayoutTest,
                         ::testing::Values(CacheProfile::kNone, CacheProfile::kPage,
                                           CacheProfile::kFull),
                         ProfileName);

TEST_P(LayoutTest, HasTheShapeOfTheAtomicWriter) {
  VolumeSpec spec = SpecOf({{"hello", "world"}, {"app/db/password", "pass"}, {"null", ""}});
  spec.empty_folders = {{"empty"}};
  Start(spec);
  const std::string generation = *LinkTarget(Path("..data"));
  EXPECT_TRUE(generation.starts_with("..1")) << generation;
  EXPECT_THAT(ListOf(mountpoint_),
              ElementsAre(".", "..", generation, "..data", "app", "empty", "hello", "null"));
  EXPECT_EQ(*LinkTarget(Path("hello")), "..data/hello");
  EXPECT_EQ(*LinkTarget(Path("app")), "..data/app");
  EXPECT_EQ(*ReadPath(Path("hello")), "world");
  EXPECT_EQ(*ReadPath(Path("app/db/password")), "pass");
  EXPECT_EQ(*ReadPath(Path("..data/app/db/password")), "pass");
  EXPECT_EQ(*ReadPath(Path("null")), "");
  EXPECT_THAT(ListOf(Path("empty/")), ElementsAre(".", ".."));
  EXPECT_EQ(ReadPath(Path("absent")).error(), ENOENT);
  EXPECT_EQ(ReadPath(Path("hello/x")).error(), ENOTDIR);
  EXPECT_EQ(ReadPath(Path(std::string(300, 'n'))).error(), ENAMETOOLONG);
}

TEST_P(LayoutTest, ShowsModesAndOwners) {
  VolumeSpec spec = SpecOf({{"d/key", "12345"}});
  spec.files[0].mode = 0440;
  spec.uid = 1001;
  spec.gid = 2002;
  spec.folder_mode = 0750;
  Start(spec);
  const struct stat file = *StatOf(Path("..data/d/key"));
  EXPECT_EQ(file.st_mode, S_IFREG | 0440u);
  EXPECT_EQ(file.st_uid, 1001u);
  EXPECT_EQ(file.st_gid, 2002u);
  EXPECT_EQ(file.st_size, 5);
  EXPECT_EQ(file.st_nlink, 1u);
  EXPECT_GT(file.st_mtime, 1'600'000'000);
  const struct stat folder = *StatOf(Path("..data/d"));
  EXPECT_EQ(folder.st_mode, S_IFDIR | 0750u);
  EXPECT_EQ(folder.st_nlink, 2u);
  const struct stat root = *StatOf(mountpoint_);
  EXPECT_EQ(root.st_mode, S_IFDIR | 0750u);
  EXPECT_EQ(root.st_uid, 1001u);
  EXPECT_EQ(root.st_gid, 2002u);
  EXPECT_EQ(StatOf(Path("d"))->st_mode & S_IFMT, static_cast<mode_t>(S_IFLNK));
}

// Runs `body` in a thread with other ids and without capabilities, as a container's process has
// them. The raw system calls change the calling thread only.
void RunAs(uid_t uid, gid_t gid, const std::function<void()>& body) {
  std::jthread([&] {
    ASSERT_EQ(syscall(SYS_setgroups, 0, nullptr), 0);
    ASSERT_EQ(syscall(SYS_setresgid, gid, gid, gid), 0);
    ASSERT_EQ(syscall(SYS_setresuid, uid, uid, uid), 0);
    body();
  });
}

TEST_P(LayoutTest, TheKernelChecksPermissions) {
  VolumeSpec spec = SpecOf({{"group", "g"}, {"all", "a"}, {"owner", "o"}});
  spec.files[0].mode = 0440;
  spec.files[2].mode = 0400;
  spec.uid = 1001;
  spec.gid = 2002;
  Start(spec);
  RunAs(3003, 2002, [this] {
    EXPECT_EQ(ReadPath(Path("group")), "g");
    EXPECT_EQ(ReadPath(Path("all")), "a");
    EXPECT_EQ(ReadPath(Path("owner")).error(), EACCES);
  });
  RunAs(3003, 3003, [this] {
    EXPECT_EQ(ReadPath(Path("group")).error(), EACCES);
    EXPECT_EQ(ReadPath(Path("all")), "a");
  });
  RunAs(1001, 3003, [this] { EXPECT_EQ(ReadPath(Path("owner")), "o"); });

  // A rotation changes them for everybody at once.
  spec.files[1].mode = 0400;
  Publish(spec);
  RunAs(3003, 3003, [this] { EXPECT_EQ(ReadPath(Path("all")).error(), EACCES); });
  spec.folder_mode = 0700;
  Publish(spec);
  RunAs(3003, 2002, [this] { EXPECT_EQ(ReadPath(Path("group")).error(), EACCES); });
}

TEST_P(LayoutTest, ListsLargeFolders) {
  std::vector<std::pair<std::string, std::string>> files;
  for (int i = 0; i < 3000; ++i) files.push_back({"d/file-" + std::to_string(i), "x"});
  Start(SpecOf(files));
  EXPECT_EQ(ListOf(Path("d/")).size(), 3002u);
}

TEST_P(LayoutTest, ReadsAnyPartOfLargeFiles) {
  std::string content;
  while (content.size() < 300'000) content += std::to_string(content.size()) + ",";
  Start(SpecOf({{"large", content}}));
  EXPECT_EQ(*ReadPath(Path("large")), content);
  const auto fd = OpenAt(AT_FDCWD, Path("large"), O_RDONLY);
  ASSERT_TRUE(fd);
  std::array<char, 100> part;
  for (const std::size_t offset : std::vector<std::size_t>{0, 4000, 4095, 8192, 131'000, 299'990}) {
    const ssize_t n = pread(fd->Get(), part.data(), part.size(), static_cast<off_t>(offset));
    ASSERT_GT(n, 0);
    EXPECT_EQ(std::string_view(part.data(), static_cast<std::size_t>(n)),
              std::string_view(content).substr(offset, part.size()));
  }
  EXPECT_EQ(pread(fd->Get(), part.data(), part.size(), 1'000'000), 0);
  EXPECT_EQ(lseek(fd->Get(), 0, SEEK_END), static_cast<off_t>(content.size()));
}

TEST_P(LayoutTest, FilesCanBeMapped) {
  Start(SpecOf({{"key", "mapped"}}));
  const auto fd = OpenAt(AT_FDCWD, Path("key"), O_RDONLY);
  ASSERT_TRUE(fd);
  void* const at = mmap(nullptr, 6, PROT_READ, MAP_PRIVATE, fd->Get(), 0);
  ASSERT_NE(at, MAP_FAILED);
  EXPECT_EQ(std::string_view(static_cast<const char*>(at), 6), "mapped");
  munmap(at, 6);
}

TEST_P(LayoutTest, PageCacheHoldsOnlyWhatTheProfileAllows) {
  Start(SpecOf({{"key", std::string(4096, 'k')}}));
  const auto fd = OpenAt(AT_FDCWD, Path("key"), O_RDONLY);
  ASSERT_TRUE(fd && ReadAll(*fd));
  void* const at = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE, fd->Get(), 0);
  ASSERT_NE(at, MAP_FAILED);
  unsigned char resident = 0;
  EXPECT_EQ(mincore(at, 4096, &resident), 0);
  EXPECT_EQ(resident & 1, GetParam() == CacheProfile::kNone ? 0 : 1);
  munmap(at, 4096);
}

TEST_P(LayoutTest, AnswersStatFsAndHasNoExtendedAttributes) {
  Start(SpecOf({{"key", std::string(10'000, 'k')}}));
  struct statvfs found = {};
  ASSERT_EQ(statvfs(mountpoint_.c_str(), &found), 0);
  EXPECT_EQ(found.f_blocks * found.f_frsize, 3u * 4096);
  EXPECT_EQ(found.f_bfree, 0u);
  EXPECT_EQ(found.f_namemax, 255u);
  EXPECT_NE(found.f_flag & ST_RDONLY, 0u);
  std::array<char, 16> value;
  EXPECT_EQ(getxattr(Path("key").c_str(), "user.x", value.data(), value.size()), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
}

TEST_P(LayoutTest, MountInfoShowsOurs) {
  Start(SpecOf({{"key", "x"}}));
  const auto layers = LayersAt(*ReadMountInfo(), mountpoint_);
  ASSERT_EQ(layers.size(), 1u);
  EXPECT_EQ(layers[0].fs_type, kFsType);
  EXPECT_EQ(layers[0].source, "esc-agent");
  EXPECT_THAT(layers[0].options, HasSubstr("ro,nosuid,nodev,noexec"));
  EXPECT_THAT(layers[0].super_options, HasSubstr("default_permissions,allow_other"));
}

}  // namespace
}  // namespace escagent::fuse
