#include "fuse/target_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/unit/volume/temp_folder.h"

namespace escagent::fuse {
namespace {

TEST(TargetFolderTest, IsCreatedAndRemoved) {
  const volume::TempFolder folder;
  const std::string target = folder.path() + "/mount";
  auto created = CreateTarget(target, false);
  ASSERT_TRUE(created);
  EXPECT_TRUE(*created);
  struct stat status{};
  ASSERT_EQ(stat(target.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0027U, 0U);

  created = CreateTarget(target, false);
  ASSERT_TRUE(created);
  EXPECT_FALSE(*created);

  EXPECT_TRUE(RemoveTarget(target));
  EXPECT_FALSE(std::filesystem::exists(target));
  EXPECT_TRUE(RemoveTarget(target));
}

TEST(TargetFolderTest, WhatIsNotOursStays) {
  const volume::TempFolder folder;
  const std::string file = folder.path() + "/file";
  std::ofstream(file) << "x";
  const auto created = CreateTarget(file, false);
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, Code::kFailedPrecondition);
  EXPECT_FALSE(RemoveTarget(file));

  const Status removed = RemoveTarget(folder.path());
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, Code::kFailedPrecondition);
  EXPECT_TRUE(std::filesystem::exists(file));

  const auto without_parent = CreateTarget(folder.path() + "/no/mount", false);
  ASSERT_FALSE(without_parent);
  EXPECT_EQ(without_parent.error().code, Code::kFailedPrecondition);
}

}  // namespace
}  // namespace escagent::fuse
