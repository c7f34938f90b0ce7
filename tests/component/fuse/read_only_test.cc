// Every way to write is EROFS: by the kernel as we mount, and by us when somebody remounts.

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "tests/component/fuse/mount_fixture.h"

namespace escagent::fuse {
namespace {

class ReadOnlyTest : public MountTest, public ::testing::WithParamInterface<bool> {};

INSTANTIATE_TEST_SUITE_P(Mounts, ReadOnlyTest, ::testing::Bool(),
                         [](const ::testing::TestParamInfo<bool>& tested) {
                           return tested.param ? "RemountedReadWrite" : "AsMounted";
                         });

int ErrnoOf(long result) { return result < 0 ? errno : 0; }

int OpenErrno(const std::string& path, int flags) {
  const auto fd = OpenAt(AT_FDCWD, path, flags);
  return fd ? 0 : fd.error();
}

TEST_P(ReadOnlyTest, RefusesEveryWrite) {
  const std::string root = NewFolder("volume");
  const auto mounter = NewMounter();
  const auto volume = Mount(*mounter, root, SpecOf({{"key", "value"}, {"d/e", "x"}}));
  if (GetParam()) {
    ASSERT_EQ(mount(nullptr, root.c_str(), nullptr, MS_REMOUNT, nullptr), 0) << errno;
  }
  const std::string key = root + "/key";
  const std::string fresh = root + "/new";
  const std::string folder = root + "/..data/d";
  EXPECT_EQ(OpenErrno(fresh, O_CREAT | O_WRONLY), EROFS);
  EXPECT_EQ(OpenErrno(key, O_WRONLY), EROFS);
  EXPECT_EQ(OpenErrno(key, O_RDWR), EROFS);
  EXPECT_EQ(OpenErrno(key, O_WRONLY | O_APPEND), EROFS);
  EXPECT_EQ(OpenErrno(key, O_WRONLY | O_TRUNC), EROFS);
  EXPECT_EQ(ErrnoOf(truncate(key.c_str(), 0)), EROFS);
  EXPECT_EQ(ErrnoOf(unlink(key.c_str())), EROFS);
  EXPECT_EQ(ErrnoOf(unlink((folder + "/e").c_str())), EROFS);
  EXPECT_EQ(ErrnoOf(rmdir(folder.c_str())), EROFS);
  EXPECT_EQ(ErrnoOf(rename(key.c_str(), fresh.c_str())), EROFS);
  EXPECT_EQ(ErrnoOf(mkdir(fresh.c_str(), 0755)), EROFS);
  EXPECT_EQ(ErrnoOf(mknod(fresh.c_str(), S_IFREG | 0644, 0)), EROFS);
  EXPECT_EQ(ErrnoOf(mkfifo(fresh.c_str(), 0644)), EROFS);
  EXPECT_EQ(ErrnoOf(symlink("x", fresh.c_str())), EROFS);
  EXPECT_EQ(ErrnoOf(link((folder + "/e").c_str(), fresh.c_str())), EROFS);
  EXPECT_EQ(ErrnoOf(chmod(key.c_str(), 0777)), EROFS);
  EXPECT_EQ(ErrnoOf(chown(key.c_str(), 1, 1)), EROFS);
  EXPECT_EQ(ErrnoOf(utimensat(AT_FDCWD, key.c_str(), nullptr, 0)), EROFS);
  EXPECT_EQ(ErrnoOf(setxattr(key.c_str(), "user.x", "1", 1, 0)), EROFS);
  EXPECT_EQ(ErrnoOf(removexattr(key.c_str(), "user.x")), EROFS);

  EXPECT_EQ(*ReadPath(key), "value");
  EXPECT_EQ(*ReadPath(root + "/d/e"), "x");
  EXPECT_TRUE(volume->Healthy());
  EXPECT_TRUE(volume->Unmount());
}

}  // namespace
}  // namespace escagent::fuse
