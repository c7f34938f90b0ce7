// The VolumeManager over real FUSE mounts: what a pod sees from publish to unpublish. ESC and the
// stores are fakes; the cache runs on the system's clock and is told when to look.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/cache/environment_cache.h"
#include "agent/volume/volume_manager.h"
#include "base/clock.h"
#include "fuse/mount_info.h"
#include "tests/component/fuse/mount_fixture.h"
#include "tests/fakes/fake_esc_api.h"
#include "tests/fakes/fake_store_registry.h"

namespace escagent::volume {
namespace {

using ::testing::IsSupersetOf;
using Attributes = std::map<std::string, std::string>;

constexpr char kDev[] = "acme/web/dev";

class VolumeMountTest : public fuse::MountTest {
 protected:
  VolumeMountTest() : mounter_(NewMounter()), pods_(NewFolder("pods")) {
    esc_->SetEnvironmentJson(kDev, R"({"hello": "world", "app": {"port": 8080, "list": ["a"]}})");
    stores_.SetStore("default/app", kDev, "pul-token");
    StartAgent();
  }
  ~VolumeMountTest() override { manager_.reset(); }

  void StartAgent() {
    manager_.reset();
    cache_ = std::make_unique<cache::EnvironmentCache>(cache::EnvironmentCache::Options(), clock_);
    manager_ = std::make_unique<VolumeManager>(
        VolumeManager::Options(), stores_, *cache_, *mounter_, clock_,
        [this](const store::ResolvedStore&) -> std::shared_ptr<esc::Api> { return esc_; });
  }

  std::string Target(const std::string& name = "mount") const { return pods_ + "/" + name; }
  csi::PublishRequest Request(Attributes attributes = {}, const std::string& name = "mount") const {
    csi::PublishRequest request;
    request.received_at = clock_.Now();
    request.volume_id = "csi-" + name;
    request.target_path = Target(name);
    request.pod = {.name = "podinfo",
                   .namespace_name = "default",
                   .uid = "0000-1111",
                   .service_account = "podinfo"};
    request.attributes = std::move(attributes);
    request.attributes.emplace("secretStore", "app");
    return request;
  }
  // As the CSI server does: again while the answer is "not yet".
  Status Publish(const csi::PublishRequest& request) {
    while (true) {
      Status status = manager_->Publish(request);
      if (status || status.error().retry_after == std::chrono::milliseconds(0)) return status;
      std::this_thread::yield();
    }
  }
  static std::string Read(const std::string& path) {
    return fuse::ReadPath(path).value_or("(cannot be read)");
  }
  static std::size_t Layers(const std::string& path) {
    return fuse::LayersAt(fuse::ReadMountInfo().value(), path).size();
  }

  SystemClock clock_;
  testing::FakeStoreRegistry stores_;
  const std::shared_ptr<testing::FakeEscApi> esc_ = std::make_shared<testing::FakeEscApi>();
  const std::unique_ptr<fuse::FuseMounter> mounter_;
  const std::string pods_;
  std::unique_ptr<cache::EnvironmentCache> cache_;
  std::unique_ptr<VolumeManager> manager_;
};

TEST_F(VolumeMountTest, PublishRotateUnpublish) {
  const Status published = Publish(Request());
  ASSERT_TRUE(published) << published.error().message;
  EXPECT_EQ(Read(Target() + "/hello"), "world");
  EXPECT_EQ(Read(Target() + "/app/port"), "8080");
  EXPECT_EQ(Read(Target() + "/app/list/0"), "a");
  const auto status = fuse::StatOf(Target() + "/..data/hello");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->st_mode & 07777U, 0444U);
  EXPECT_EQ(status->st_size, 5);

  esc_->SetEnvironmentJson(kDev, R"({"hello": "again", "more": "x"})");
  EXPECT_EQ(cache_->RefreshNow(kDev), 1);
  ASSERT_TRUE(fuse::WaitFor([&] { return Read(Target() + "/hello") == "again"; }));
  EXPECT_EQ(Read(Target() + "/more"), "x");
  EXPECT_FALSE(fuse::ReadPath(Target() + "/app/port"));
  EXPECT_EQ(Layers(Target()), 1U);

  const auto stats = manager_->Stats("csi-mount", Target());
  ASSERT_TRUE(stats);
  EXPECT_FALSE(stats->abnormal) << stats->condition;

  ASSERT_TRUE(manager_->Unpublish("csi-mount", Target()));
  EXPECT_EQ(Layers(Target()), 0U);
  EXPECT_FALSE(fuse::StatOf(Target()));
  EXPECT_TRUE(fuse::WaitFor([&] { return mounter_->SessionCount() == 0; }));
}

TEST_F(VolumeMountTest, EveryFormatIsAFile) {
  const std::vector<std::pair<std::string, std::string>> kCases = {
      {"json", "values.json"},
      {"yaml", "values.yaml"},
      {"dotenv", ".env"},
      {"properties", "values.properties"}};
  for (const auto& [format, file] : kCases) {
    ASSERT_TRUE(Publish(Request({{"format", format}}, format)));
    EXPECT_THAT(Read(Target(format) + "/" + file), ::testing::HasSubstr("8080"));
    EXPECT_THAT(fuse::ListOf(Target(format)), IsSupersetOf({file}));
    ASSERT_TRUE(manager_->Unpublish("csi-" + format, Target(format)));
  }
}

TEST_F(VolumeMountTest, OwnersModesAndItems) {
  csi::PublishRequest request = Request(
      {{"uid", "1234"},
       {"items", "[{path: hello, file: conf/greeting, mode: 0400}, {path: app, file: app.json}]"}});
  request.volume_mount_group = "4321";
  ASSERT_TRUE(Publish(request));
  const auto greeting = fuse::StatOf(Target() + "/..data/conf/greeting");
  const auto json = fuse::StatOf(Target() + "/..data/app.json");
  const auto folder = fuse::StatOf(Target() + "/..data/conf");
  ASSERT_TRUE(greeting && json && folder);
  EXPECT_EQ(greeting->st_uid, 1234U);
  EXPECT_EQ(greeting->st_gid, 4321U);
  EXPECT_EQ(greeting->st_mode & 07777U, 0400U);
  EXPECT_EQ(json->st_mode & 07777U, 0440U);
  EXPECT_EQ(folder->st_mode & 07777U, 0750U);
}

TEST_F(VolumeMountTest, AFailedPublishLeavesNothing) {
  stores_.SetStore("default/gone", "acme/web/gone", "pul-token");
  const Status status = Publish(Request({{"secretStore", "gone"}}));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kNotFound);
  EXPECT_FALSE(fuse::StatOf(Target()));
  EXPECT_EQ(Layers(Target()), 0U);

  // A path in the way only fails when the mount is made.
  const Status without_parent = Publish(Request({}, "no/parent"));
  ASSERT_FALSE(without_parent);
  EXPECT_EQ(without_parent.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(mounter_->SessionCount(), 0U);
}

TEST_F(VolumeMountTest, TheNextAgentStacksItsMountOnTheDeadOne) {
  ASSERT_TRUE(Publish(Request()));
  StartAgent();
  const auto dead = fuse::StatOf(Target());
  ASSERT_FALSE(dead);
  EXPECT_EQ(dead.error(), ENOTCONN);
  EXPECT_EQ(Layers(Target()), 1U);

  ASSERT_TRUE(Publish(Request()));
  EXPECT_EQ(Layers(Target()), 2U);
  EXPECT_EQ(Read(Target() + "/hello"), "world");
  ASSERT_TRUE(Publish(Request()));
  EXPECT_EQ(Layers(Target()), 2U);

  ASSERT_TRUE(manager_->Unpublish("csi-mount", Target()));
  EXPECT_EQ(Layers(Target()), 0U);
  EXPECT_FALSE(fuse::StatOf(Target()));
}

TEST_F(VolumeMountTest, UnpublishByAnAgentThatNeverKnewTheVolume) {
  ASSERT_TRUE(Publish(Request()));
  StartAgent();
  ASSERT_TRUE(manager_->Unpublish("csi-mount", Target()));
  EXPECT_EQ(Layers(Target()), 0U);
  EXPECT_FALSE(fuse::StatOf(Target()));
  EXPECT_TRUE(manager_->Unpublish("csi-mount", pods_ + "/no/parent"));
}

}  // namespace
}  // namespace escagent::volume
