#include "fuse/keeper/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>

#include "fuse/keeper/target_path.h"
#include "tests/component/keeper/keeper_fixture.h"

namespace escagent::keeper {
namespace {

// With and without the mount API of Linux 5.12.
class Mounts : public KeeperTest, public ::testing::WithParamInterface<bool> {
 protected:
  Mounts() : target_(NewTarget("pod-1")), kubelet_(open(Kubelet().c_str(), O_PATH | O_CLOEXEC)) {
    folder_fd_ = OpenVolumeFolder(kubelet_.Get(), "pod-1", "secrets");
    EXPECT_TRUE(folder_fd_);
  }
  Target target_;
  UniqueFd kubelet_;
  UniqueFd folder_fd_;
};

TEST_P(Mounts, FuseReadOnlyOutsideAndWritableInside) {
  MountRequest request;
  request.mode = 0755;
  MountResult result;
  ASSERT_EQ(MountNew(folder_fd_.Get(), request, GetParam(), &result), 0);
  EXPECT_EQ(result.device_number, DeviceAt(MountOf(target_)));
  EXPECT_EQ(TargetDevice(folder_fd_.Get()), result.device_number);
  const RawFuse server(DupOf(result.device), "value");
  EXPECT_EQ(ReadOrErrno(MountOf(target_) + "/key"), "value");
  EXPECT_EQ(mkdir((MountOf(target_) + "/new").c_str(), 0755), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(mkdirat(result.mount.Get(), "inside", 0755), 0) << errno;
  EXPECT_EQ(server.Changes(), std::vector<std::string>{"MKDIR inside"});

  ASSERT_EQ(MountAgain(folder_fd_.Get(), GetParam(), &result.mount), 0);
  EXPECT_EQ(ReadOrErrno(MountOf(target_) + "/key"), "value");
  EXPECT_EQ(mkdir((MountOf(target_) + "/new").c_str(), 0755), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(mkdirat(result.mount.Get(), "again", 0755), 0) << errno;
  ASSERT_EQ(UnmountAll(folder_fd_.Get(), result.device_number), 0);
  EXPECT_TRUE(MountsBelow(Kubelet()).empty());
  EXPECT_EQ(mkdirat(result.mount.Get(), "later", 0755), 0) << "the private mount stays";
}

TEST_P(Mounts, Tmpfs) {
  MountRequest request;
  request.tmpfs = true;
  request.mode = 0750;
  request.size = 1U << 20;
  request.uid = 5;
  MountResult result;
  ASSERT_EQ(MountNew(folder_fd_.Get(), request, GetParam(), &result), 0);
  EXPECT_EQ(mkdir((MountOf(target_) + "/new").c_str(), 0755), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(mkdirat(result.mount.Get(), "inside", 0755), 0) << errno;
  struct stat root = {};
  ASSERT_EQ(stat(MountOf(target_).c_str(), &root), 0);
  EXPECT_EQ(root.st_uid, 5U);
  EXPECT_EQ(root.st_mode & 07777, 0750U);
  ASSERT_EQ(UnmountAll(folder_fd_.Get(), 0), 0) << "recognised by its source";
  EXPECT_TRUE(MountsBelow(Kubelet()).empty());
}

INSTANTIATE_TEST_SUITE_P(Apis, Mounts, ::testing::Values(true, false),
                         [](const auto& param) { return param.param ? "New" : "Old"; });

TEST_F(KeeperTest, ThisKernelHasTheMountApi) { EXPECT_TRUE(HasMountApi()); }

}  // namespace
}  // namespace escagent::keeper
