#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

#include "tests/unit/volume/volume_fixture.h"

namespace escagent::volume {
namespace {

class UnpublishTest : public VolumeTest {
 protected:
  int Subscribers() {
    int subscribers = 0;
    for (const cache::EnvironmentStatus& environment : cache_->List()) {
      subscribers += environment.subscribers;
    }
    return subscribers;
  }
};

TEST_F(UnpublishTest, LeavesNothing) {
  ASSERT_TRUE(Publish(Request()));
  EXPECT_EQ(Subscribers(), 1);
  ASSERT_TRUE(manager().Unpublish("csi-1", Target()));
  EXPECT_EQ(mounter_.MountCount(), 0U);
  EXPECT_FALSE(Exists(Target()));
  EXPECT_TRUE(manager().List().empty());
  EXPECT_EQ(Subscribers(), 0);
  EXPECT_EQ(Events(VolumeEvent::Kind::kUnpublish).size(), 1U);

  ASSERT_TRUE(manager().Unpublish("csi-1", Target()));
  ASSERT_TRUE(Publish(Request()));
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "world");
}

TEST_F(UnpublishTest, OfAnUnknownVolumeIsOk) {
  EXPECT_TRUE(manager().Unpublish("nobody", Target()));
  EXPECT_TRUE(manager().Unpublish("nobody", folder_.path() + "/no/parent"));
}

TEST_F(UnpublishTest, CleansUpAfterAFormerAgent) {
  std::filesystem::create_directory(Target());
  mounter_.AddDeadMount(Target());
  mounter_.AddDeadMount(Target());
  EXPECT_TRUE(manager().Unpublish("csi-1", Target()));
  EXPECT_EQ(mounter_.MountCount(), 0U);
  EXPECT_FALSE(Exists(Target()));
}

TEST_F(UnpublishTest, UnmountsEveryLayer) {
  ASSERT_TRUE(Publish(Request()));
  mounter_.Kill(Target());
  ASSERT_TRUE(Publish(Request()));
  ASSERT_TRUE(manager().Unpublish("csi-1", Target()));
  EXPECT_EQ(mounter_.MountCount(), 0U);
}

TEST_F(UnpublishTest, AFailureKeepsTheVolumeAndTheNextTrySucceeds) {
  ASSERT_TRUE(Publish(Request()));
  mounter_.FailUnmount(Error{Code::kInternal, "umount: no"});
  const Status status = manager().Unpublish("csi-1", Target());
  ASSERT_FALSE(status);
  EXPECT_EQ(manager().List().size(), 1U);
  EXPECT_TRUE(Exists(Target()));
  // It is still served and refreshed.
  esc_->SetEnvironmentJson(kDev, Json("new"));
  ASSERT_TRUE(AdvanceUntil([&] { return mounter_.Read(Target(), "hello") == "new"; }));

  mounter_.FailUnmount(std::nullopt);
  EXPECT_TRUE(manager().Unpublish("csi-1", Target()));
  EXPECT_FALSE(Exists(Target()));
  EXPECT_TRUE(manager().List().empty());
}

TEST_F(UnpublishTest, AFolderThatIsNotEmptyIsAnErrorUntilItIs) {
  ASSERT_TRUE(Publish(Request()));
  std::ofstream(Target() + "/foreign") << "x";
  const Status status = manager().Unpublish("csi-1", Target());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kFailedPrecondition);
  std::filesystem::remove(Target() + "/foreign");
  EXPECT_TRUE(manager().Unpublish("csi-1", Target()));
  EXPECT_FALSE(Exists(Target()));
}

TEST_F(UnpublishTest, AtAnotherPathDoesNotTouchTheVolume) {
  ASSERT_TRUE(Publish(Request()));
  EXPECT_TRUE(manager().Unpublish("csi-1", Target("other")));
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "world");
  const Status foreign = manager().Unpublish("csi-2", Target());
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(mounter_.Read(Target(), "hello"), "world");
  EXPECT_EQ(manager().List().size(), 1U);
}

TEST_F(UnpublishTest, PathsAreChecked) {
  for (const std::string path : {"", "/", "relative", "/a/../b"}) {
    const Status status = manager().Unpublish("csi-1", path);
    ASSERT_FALSE(status) << path;
    EXPECT_EQ(status.error().code, Code::kInvalidArgument);
  }
}

// Publish, republish, unpublish and rotation of a few volumes from many threads end with nothing.
TEST_F(UnpublishTest, AnyMixOfOperationsEndsClean) {
  VolumeManager& volumes = manager();
  std::atomic<int> wrong = 0;
  std::atomic<int> succeeded = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < 30; ++round) {
          const std::string name = std::to_string((i + round) % 3);
          const Status published = Publish(Request("v" + name, {{"secretStore", "app"}}, name));
          // While it waits others may unpublish it, or move time on beyond its patience.
          const bool good = published || published.error().code == Code::kAborted ||
                            published.error().code == Code::kUnavailable;
          if (!good) ++wrong;
          if (published) ++succeeded;
          if (round % 5 == 0) esc_->SetEnvironmentJson(kDev, Json(std::to_string(round)));
          if (round % 7 == 0) volumes.Reconcile();
          clock_.Advance(1s);
          if (!volumes.Unpublish("v" + name, Target(name))) ++wrong;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(succeeded, 0);
  EXPECT_EQ(mounter_.MountCount(), 0U);
  EXPECT_TRUE(volumes.List().empty());
  EXPECT_EQ(Subscribers(), 0);
  for (const std::string name : {"0", "1", "2"}) EXPECT_FALSE(Exists(Target(name)));
}

}  // namespace
}  // namespace escagent::volume
