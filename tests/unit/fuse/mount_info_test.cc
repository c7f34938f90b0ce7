#include "fuse/mount_info.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace escagent::fuse {
namespace {

TEST(MountInfoTest, ReadsTheFieldsOfALine) {
  const auto mounts = ParseMountInfo(
      "36 35 98:1024 /root\\040dir /mnt/a\\040b\\134c\\011d\\012e rw,noatime - ext3 /dev/root "
      "rw,errors=continue\n");
  ASSERT_EQ(mounts.size(), 1u);
  const MountInfo& mount = mounts[0];
  EXPECT_EQ(mount.id, 36u);
  EXPECT_EQ(mount.parent_id, 35u);
  EXPECT_EQ(mount.device_major, 98u);
  EXPECT_EQ(mount.device_minor, 1024u);
  EXPECT_EQ(mount.root, "/root dir");
  EXPECT_EQ(mount.mountpoint, "/mnt/a b\\c\td\ne");
  EXPECT_EQ(mount.options, "rw,noatime");
  EXPECT_EQ(mount.fs_type, "ext3");
  EXPECT_EQ(mount.source, "/dev/root");
  EXPECT_EQ(mount.super_options, "rw,errors=continue");
}

TEST(MountInfoTest, AcceptsAnyNumberOfOptionalFields) {
  for (const std::string& optional : std::vector<std::string>{
           "", "shared:1 ", "shared:1 master:2 ", "shared:1 master:2 propagate_from:3 "}) {
    const auto mounts =
        ParseMountInfo("1 2 0:5 / /m ro " + optional + "- fuse.esc-agent esc-agent ro");
    ASSERT_EQ(mounts.size(), 1u) << optional;
    EXPECT_EQ(mounts[0].fs_type, "fuse.esc-agent");
    EXPECT_EQ(mounts[0].propagation.empty() ? "" : mounts[0].propagation + " ", optional);
  }
}

TEST(MountInfoTest, SkipsWhatIsNoMountInfo) {
  const std::vector<std::string> lines = {
      "",
      "-",
      "1 2 0:5 / /m ro",
      "1 2 0:5 / /m ro - ext4",
      "x 2 0:5 / /m ro - ext4 src ro",
      "1 2 05 / /m ro - ext4 src ro",
      "1 2 0:x / /m ro - ext4 src ro",
      "99999999999999999999 2 0:5 / /m ro - ext4 src ro",
  };
  for (const std::string& line : lines) EXPECT_TRUE(ParseMountInfo(line).empty()) << line;
  std::string all = "1 2 0:5 / /good ro - ext4 src ro\n";
  for (const std::string& line : lines) all = line + "\n" + all;
  EXPECT_EQ(ParseMountInfo(all).size(), 1u);
}

TEST(MountInfoTest, LeavesIncompleteEscapesAlone) {
  const auto mounts = ParseMountInfo("1 2 0:5 / /m\\9\\04 ro - ext4 src ro");
  ASSERT_EQ(mounts.size(), 1u);
  EXPECT_EQ(mounts[0].mountpoint, "/m\\9\\04");
}

TEST(MountInfoTest, OrdersStackedMountsFromTheLowest) {
  const std::vector<std::string> lines = {
      "12 11 0:3 / /m ro - fuse.esc-agent esc-agent ro",
      "10 1 0:1 / /m ro - tmpfs tmpfs ro",
      "11 10 0:2 / /m ro - fuse.esc-agent esc-agent ro",
      "13 1 0:4 / /m/below ro - tmpfs tmpfs ro",
  };
  std::vector<std::size_t> order = {0, 1, 2, 3};
  do {
    std::string text;
    for (const std::size_t i : order) text += lines[i] + "\n";
    const auto layers = LayersAt(ParseMountInfo(text), "/m");
    ASSERT_EQ(layers.size(), 3u);
    EXPECT_EQ(layers[0].id, 10u);
    EXPECT_EQ(layers[1].id, 11u);
    EXPECT_EQ(layers[2].id, 12u);
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_TRUE(LayersAt(ParseMountInfo(lines[0]), "/other").empty());
}

TEST(MountInfoTest, ReadsThisProcess) {
  const auto mounts = ReadMountInfo();
  ASSERT_TRUE(mounts) << mounts.error().message;
  EXPECT_FALSE(LayersAt(*mounts, "/proc").empty());
}

}  // namespace
}  // namespace escagent::fuse
