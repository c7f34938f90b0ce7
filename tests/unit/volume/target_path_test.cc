#include "agent/volume/target_path.h"

#include <gtest/gtest.h>

#include <string>

namespace escagent::volume {
namespace {

TEST(TargetPathTest, OnlyCleanAbsolutePathsAreTargets) {
  EXPECT_TRUE(ValidateTarget("/var/lib/kubelet/pods/u/volumes/kubernetes.io~csi/v/mount"));
  for (const std::string& path :
       {std::string(), std::string("/"), std::string("a/b"), std::string("/a/../b"),
        std::string("/a/./b"), std::string("/a//b"), std::string("/a/"), std::string("/.."),
        std::string("/a\0b", 4), "/" + std::string(5000, 'a')}) {
    const Status status = ValidateTarget(path);
    ASSERT_FALSE(status) << path;
    EXPECT_EQ(status.error().code, Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace escagent::volume
