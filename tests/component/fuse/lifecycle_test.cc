// Mounts that come, go, die and are many.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "fuse/mount_info.h"
#include "fuse/mount_ops.h"
#include "tests/component/fuse/mount_fixture.h"

namespace escagent::fuse {
namespace {

using ::testing::HasSubstr;

class LifecycleTest : public MountTest {};

std::ptrdiff_t CountEntries(const std::string& folder) {
  return std::distance(std::filesystem::directory_iterator(folder),
                       std::filesystem::directory_iterator());
}

std::size_t LayerCount(const std::string& mountpoint) {
  return LayersAt(*ReadMountInfo(), mountpoint).size();
}

// As an agent leaves a mount behind that is killed without a keeper.
void MakeDeadMount(const std::string& mountpoint) {
  MountOptions options;
  options.mountpoint = mountpoint;
  ASSERT_TRUE(MountFuse(mountpoint, options, 0755));
}

TEST_F(LifecycleTest, UnmountLeavesNothingBehind) {
  const std::string root = NewFolder("volume");
  const auto mounter = NewMounter();
  const auto volume = Mount(*mounter, root, SpecOf({{"key", "x"}}));
  EXPECT_TRUE(*mounter->IsMountPoint(root));
  EXPECT_TRUE(*mounter->IsMountPoint(root + "/"));
  EXPECT_TRUE(volume->Healthy());
  EXPECT_TRUE(volume->Unmount());
  EXPECT_TRUE(volume->Unmount());
  EXPECT_FALSE(*mounter->IsMountPoint(root));
  EXPECT_TRUE(WaitFor([&] { return mounter->SessionCount() == 0; }));
  EXPECT_FALSE(volume->Healthy());
  EXPECT_EQ(rmdir(root.c_str()), 0);
}

TEST_F(LifecycleTest, OpenFilesOfAnUnmountedVolumeCanBeReadUntilTheyAreClosed) {
  const std::string root = NewFolder("volume");
  const auto mounter = NewMounter();
  auto volume = Mount(*mounter, root, SpecOf({{"key", std::string(50'000, 'k')}}));
  auto fd = OpenAt(AT_FDCWD, root + "/key", O_RDONLY);
  ASSERT_TRUE(fd);
  EXPECT_TRUE(volume->Unmount());
  EXPECT_FALSE(*mounter->IsMountPoint(root));
  volume.reset();
  EXPECT_EQ(ReadAll(*fd)->size(), 50'000u);
  EXPECT_EQ(mounter->SessionCount(), 1u);
  fd->Reset();
  EXPECT_TRUE(WaitFor([&] { return mounter->SessionCount() == 0; }));
}

TEST_F(LifecycleTest, AVolumeThatIsDestroyedWithoutUnmountIsDead) {
  const std::string root = NewFolder("volume");
  const auto mounter = NewMounter();
  auto volume = Mount(*mounter, root, SpecOf({{"key", "x"}}));
  EXPECT_TRUE(volume->Publish(SpecOf({{"key", "y"}})));
  EXPECT_EQ(*ReadPath(root + "/key"), "y");
  const auto open_before = CountEntries("/proc/self/fd");
  volume.reset();
  // The descriptor goes with the last worker that is in the session.
  EXPECT_TRUE(WaitFor([&] { return CountEntries("/proc/self/fd") == open_before - 1; }));
  EXPECT_EQ(ReadPath(root + "/key").error(), ENOTCONN);
  EXPECT_TRUE(*mounter->IsMountPoint(root));
  EXPECT_TRUE(mounter->UnmountAll(root));
  EXPECT_FALSE(*mounter->IsMountPoint(root));
}

TEST_F(LifecycleTest, AVolumeMayOutliveItsMounter) {
  const std::string root = NewFolder("volume");
  auto mounter = NewMounter();
  const auto volume = Mount(*mounter, root, SpecOf({{"key", "1"}}));
  mounter.reset();
  EXPECT_EQ(*ReadPath(root + "/key"), "1");
  EXPECT_TRUE(volume->Publish(SpecOf({{"key", "2"}})));
  EXPECT_EQ(*ReadPath(root + "/key"), "2");
  EXPECT_TRUE(volume->Unmount());
}

TEST_F(LifecycleTest, MountsOnTopOfADeadMountWithoutTouchingIt) {
  const std::string root = NewFolder("volume");
  MakeDeadMount(root);
  ASSERT_EQ(StatOf(root + "/key").error(), ENOTCONN);
  const auto mounter = NewMounter();
  EXPECT_TRUE(*mounter->IsMountPoint(root));
  const auto volume = Mount(*mounter, root, SpecOf({{"key", "alive"}}));
  EXPECT_EQ(*ReadPath(root + "/key"), "alive");
  EXPECT_EQ(LayerCount(root), 2u);
  EXPECT_TRUE(volume->Unmount());
  EXPECT_EQ(LayerCount(root), 1u);
  EXPECT_TRUE(mounter->UnmountAll(root));
  EXPECT_EQ(LayerCount(root), 0u);
}

TEST_F(LifecycleTest, UnmountAllTakesEveryLayerAndIsHappyWithNone) {
  const std::string root = NewFolder("with space\tand\\more");
  const auto mounter = NewMounter();
  EXPECT_TRUE(mounter->UnmountAll(root));
  EXPECT_TRUE(mounter->UnmountAll(Folder() + "/absent/deeper"));
  for (int i = 0; i < 3; ++i) MakeDeadMount(root);
  const auto volume = Mount(*mounter, root, SpecOf({{"key", "x"}}));
  for (int i = 0; i < 2; ++i) MakeDeadMount(root);
  EXPECT_EQ(LayerCount(root), 6u);
  EXPECT_TRUE(mounter->UnmountAll(root));
  EXPECT_EQ(LayerCount(root), 0u);
  EXPECT_TRUE(WaitFor([&] { return !volume->Healthy(); }));
  EXPECT_TRUE(volume->Unmount());
}

TEST_F(LifecycleTest, UnmountOfABuriedVolumeIsRefused) {
  const std::string root = NewFolder("volume");
  const auto mounter = NewMounter();
  const auto volume = Mount(*mounter, root, SpecOf({{"key", "x"}}));
  MakeDeadMount(root);
  const Status refused = volume->Unmount();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_TRUE(mounter->UnmountAll(root));
}

TEST_F(LifecycleTest, AnAbortedConnectionIsNotHealthy) {
  const std::string root = NewFolder("volume");
  const std::string control = NewFolder("control");
  ASSERT_EQ(mount("fusectl", control.c_str(), "fusectl", 0, nullptr), 0);
  const auto mounter = NewMounter();
  const auto volume = Mount(*mounter, root, SpecOf({{"key", "1"}}));
  const unsigned minor = LayersAt(*ReadMountInfo(), root).back().device_minor;
  const auto abort = OpenAt(AT_FDCWD, control + "/" + std::to_string(minor) + "/abort", O_WRONLY);
  ASSERT_TRUE(abort);
  ASSERT_EQ(write(abort->Get(), "1", 1), 1);
  EXPECT_TRUE(WaitFor([&] { return !volume->Healthy(); }));
  EXPECT_EQ(StatOf(root + "/key").error(), ENOTCONN);
  // Neither of these may hang on a connection that is gone.
  EXPECT_TRUE(volume->Publish(SpecOf({{"key", "2"}})));
  EXPECT_TRUE(volume->Unmount());
  EXPECT_EQ(umount2(control.c_str(), MNT_DETACH), 0);
}

TEST_F(LifecycleTest, ServesManyVolumesWithTheSameThreads) {
  constexpr int kVolumes = 120;
  const auto mounter = NewMounter();
  const auto threads_before = CountEntries("/proc/self/task");
  std::vector<std::unique_ptr<MountedVolume>> volumes;
  for (int i = 0; i < kVolumes; ++i) {
    const std::string number = std::to_string(i);
    volumes.push_back(Mount(*mounter, NewFolder(number), SpecOf({{"key", "first " + number}})));
  }
  EXPECT_EQ(CountEntries("/proc/self/task"), threads_before);
  for (int i = 0; i < kVolumes; ++i) {
    const std::string number = std::to_string(i);
    EXPECT_EQ(*ReadPath(Folder() + "/" + number + "/key"), "first " + number);
    EXPECT_TRUE(volumes[static_cast<std::size_t>(i)]->Publish(SpecOf({{"key", number}})));
  }
  for (int i = 0; i < kVolumes; ++i) {
    const std::string number = std::to_string(i);
    EXPECT_EQ(*ReadPath(Folder() + "/" + number + "/key"), number);
    EXPECT_TRUE(volumes[static_cast<std::size_t>(i)]->Unmount());
  }
  EXPECT_TRUE(WaitFor([&] { return mounter->SessionCount() == 0; }));
}

TEST_F(LifecycleTest, LeaksNoDescriptorAndNoMount) {
  const std::string root = NewFolder("volume");
  const auto mounter = NewMounter();
  const auto mounts_before = ReadMountInfo()->size();
  const auto open_before = CountEntries("/proc/self/fd");
  for (int i = 0; i < 200; ++i) {
    const auto volume = Mount(*mounter, root, SpecOf({{"key", std::to_string(i)}}));
    ASSERT_EQ(*ReadPath(root + "/key"), std::to_string(i));
    ASSERT_TRUE(volume->Unmount());
  }
  EXPECT_TRUE(WaitFor([&] { return CountEntries("/proc/self/fd") == open_before; }));
  EXPECT_EQ(ReadMountInfo()->size(), mounts_before);
}

TEST_F(LifecycleTest, RefusedMountsLeaveNothingMounted) {
  const std::string root = NewFolder("volume");
  const auto mounter = NewMounter();
  const auto open_before = CountEntries("/proc/self/fd");
  const auto error_of = [&](const std::string& path, const VolumeSpec& spec,
                            const std::string& context = "") {
    MountOptions options;
    options.mountpoint = path;
    options.selinux_context = context;
    const auto refused = mounter->Mount(options, spec);
    EXPECT_FALSE(refused) << path;
    return refused ? Error{} : refused.error();
  };
  const VolumeSpec fine = SpecOf({{"key", "x"}});
  EXPECT_EQ(error_of(root, SpecOf({{"..data", "x"}})).code, Code::kInvalidArgument);
  EXPECT_EQ(error_of(root, fine, "system_u,fd=3\"").code, Code::kInvalidArgument);
  EXPECT_EQ(error_of(root + "/absent/deeper", fine).code, Code::kFailedPrecondition);
  // What was made for it is gone again.
  EXPECT_EQ(error_of(root + "/made", fine, "system_u,fd=3\"").code, Code::kInvalidArgument);
  EXPECT_EQ(StatOf(root + "/made").error(), ENOENT);
  EXPECT_EQ(error_of("", fine).code, Code::kInvalidArgument);
  EXPECT_EQ(error_of("/", fine).code, Code::kInvalidArgument);
  const std::string file = Folder() + "/file";
  std::ofstream(file).flush();
  EXPECT_THAT(error_of(file, fine).message, HasSubstr(file));
  EXPECT_EQ(LayerCount(root), 0u);
  EXPECT_EQ(CountEntries("/proc/self/fd"), open_before);
  EXPECT_EQ(mounter->SessionCount(), 0u);
}

TEST_F(LifecycleTest, FindsTheMountpointBehindSymlinksAndRelativePaths) {
  const std::string root = NewFolder("real");
  const std::string alias = Folder() + "/alias";
  ASSERT_EQ(symlink(Folder().c_str(), alias.c_str()), 0);
  const auto mounter = NewMounter();
  const auto volume = Mount(*mounter, alias + "/real", SpecOf({{"key", "x"}}));
  EXPECT_TRUE(*mounter->IsMountPoint(root));
  EXPECT_TRUE(*mounter->IsMountPoint(alias + "/real/"));
  EXPECT_TRUE(*mounter->IsMountPoint(Folder() + "/./real"));
  EXPECT_TRUE(volume->Unmount());
  EXPECT_FALSE(*mounter->IsMountPoint(root));
}

TEST_F(LifecycleTest, NeedsAtLeastOneOfEachThread) {
  EXPECT_FALSE(FuseMounter::Create({.workers = 0}));
  EXPECT_FALSE(FuseMounter::Create({.workers = 1, .notifiers = 0}));
}

}  // namespace
}  // namespace escagent::fuse
