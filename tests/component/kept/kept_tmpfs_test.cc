#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "tests/component/kept/kept_fixture.h"

namespace escagent::fuse {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using KeptTmpfsTest = KeptTest;

TEST_F(KeptTmpfsTest, OutlivesTheAgentAndIsRotatedByTheNext) {
  StartKeeper();
  auto agent = StartAgent();
  VolumeSpec spec = SpecOf({{"key", "one"}, {"sub/deep", "x"}});
  spec.uid = 1234;
  spec.gid = 5678;
  Mount(*agent, spec, Backend::kTmpfs);
  EXPECT_EQ(Read("key"), "one");
  struct stat found = {};
  ASSERT_EQ(stat(Path("key").c_str(), &found), 0);
  EXPECT_EQ(found.st_uid, 1234U);
  EXPECT_EQ(found.st_gid, 5678U);
  EXPECT_EQ(mkdir(Path("other").c_str(), 0700), -1);
  EXPECT_EQ(errno, EROFS);

  agent.reset();
  EXPECT_EQ(Read("key"), "one");
  agent = StartAgent();
  ASSERT_NE(agent->volume, nullptr);
  EXPECT_EQ(agent->restored.front().metadata, "pod-a");
  EXPECT_TRUE(agent->volume->Shows(spec));
  Watcher watcher;
  watcher.Watch(MountOf(), IN_MOVED_TO);
  spec.files[0].content = std::make_shared<const Secret>(std::string_view("two"));
  ASSERT_TRUE(agent->volume->Publish(spec));
  EXPECT_EQ(Read("key"), "two");
  EXPECT_THAT(watcher.Events(), Contains(HasSubstr("MOVED_TO ..data")));
  EXPECT_TRUE(agent->mounter->Remove(NewTarget("a").volume, MountOf()));
  EXPECT_THAT(keeper::MountsBelow(Kubelet()), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(MountOf()));
}

}  // namespace
}  // namespace escagent::fuse
