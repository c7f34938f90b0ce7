// Stopping, self-probe, and what the server costs in threads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "tests/component/csi/harness.h"

namespace escagent::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

class ServerTest : public CsiHarness {};

std::ptrdiff_t ThreadCount() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                       std::filesystem::directory_iterator());
}

TEST_F(ServerTest, SelfProbeGoesOverTheSocket) {
  Start();
  EXPECT_TRUE(server_->SelfProbe(seconds(5)));
  std::filesystem::remove(CsiSocket());
  const Status status = server_->SelfProbe(seconds(5));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kUnavailable);
  EXPECT_THAT(status.error().message, HasSubstr(CsiSocket()));
}

TEST_F(ServerTest, SelfProbeTellsWhyTheDriverIsUnhealthy) {
  Start();
  volumes_.FailHealth(Error{Code::kFailedPrecondition, "open /dev/fuse: no such file", {}});
  const Status status = server_->SelfProbe(seconds(5));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(status.error().message, HasSubstr("open /dev/fuse: no such file"));
}

TEST_F(ServerTest, StopWaitsForCallsUnderWay) {
  Start();
  volumes_.HoldPublishes(true);
  grpc::Status status;
  std::jthread caller([&] { status = Publish(PublishRequest()); });
  ASSERT_TRUE(volumes_.AwaitPublishing(1));
  std::jthread stopper([&] { server_->Stop(seconds(20)); });
  // The sockets go first, so that no new call comes.
  EXPECT_TRUE(Eventually([&] { return InodeAt(CsiSocket()) == 0; }));
  volumes_.HoldPublishes(false);
  caller.join();
  stopper.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(ServerTest, StopEndsCallsAfterTheDrain) {
  Start();
  volumes_.HoldPublishes(true);
  grpc::Status status;
  std::jthread caller([&] { status = Publish(PublishRequest()); });
  ASSERT_TRUE(volumes_.AwaitPublishing(1));
  std::jthread stopper([&] { server_->Stop(milliseconds(50)); });
  caller.join();
  EXPECT_FALSE(status.ok());
  volumes_.HoldPublishes(false);
  stopper.join();
}

TEST_F(ServerTest, StopTwiceIsFine) {
  Start();
  server_->Stop(seconds(1));
  server_->Stop(seconds(1));
  EXPECT_FALSE(server_->SelfProbe(milliseconds(100)));
}

TEST_F(ServerTest, DestructorUnderLoadIsClean) {
  for (int round = 0; round < 5; ++round) {
    Start();
    std::vector<std::jthread> callers;
    for (int i = 0; i < 8; ++i) {
      callers.emplace_back([this, i] {
        v1::NodePublishVolumeRequest request = PublishRequest();
        request.set_volume_id("csi-" + std::to_string(i));
        request.set_target_path(Target() + std::to_string(i));
        // Whatever the answer is, there must be one.
        const grpc::Status status = Publish(request, seconds(10));
        EXPECT_NE(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
      });
    }
    server_.reset();
  }
}

TEST_F(ServerTest, TellsTheObserverOfEveryCall) {
  Mutex mutex;
  std::map<std::string, std::vector<Code>> seen;
  csi::ServerOptions options = Options();
  options.observer = [&](std::string_view method, Code code, std::chrono::nanoseconds duration) {
    EXPECT_GT(duration.count(), 0);
    MutexLock lock(mutex);
    seen[std::string(method)].push_back(code);
  };
  server_ = StartServer(options);
  ASSERT_TRUE(Publish(PublishRequest()).ok());
  volumes_.FailPublish(Error{Code::kUnavailable, "down", {}});
  ASSERT_FALSE(Publish(PublishRequest()).ok());
  ASSERT_TRUE(server_->SelfProbe(seconds(5)));
  server_.reset();
  EXPECT_EQ(seen["NodePublishVolume"], (std::vector<Code>{Code::kOk, Code::kUnavailable}));
  EXPECT_EQ(seen["Probe"], std::vector<Code>{Code::kOk});
}

TEST_F(ServerTest, HasFewThreadsHoweverManyCalls) {
  const std::ptrdiff_t before = ThreadCount();
  Start();
  volumes_.HoldPublishes(true);
  std::vector<std::jthread> callers;
  constexpr int kCallers = 32;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([this, i] {
      v1::NodePublishVolumeRequest request = PublishRequest();
      request.set_volume_id("csi-" + std::to_string(i));
      request.set_target_path(Target() + std::to_string(i));
      EXPECT_TRUE(Publish(request).ok());
    });
  }
  ASSERT_TRUE(volumes_.AwaitPublishing(4));
  // Parked calls are on timers.
  volumes_.FailStore("esc", Error{Code::kUnavailable, "not yet", milliseconds(5)});
  volumes_.HoldPublishes(false);
  ASSERT_TRUE(volumes_.AwaitVolumesAsked(kCallers));
  // 8 of ours, and gRPC's own timer, executor and resolver threads (the clients' included).
  EXPECT_LE(ThreadCount() - before - kCallers, 8 + 6);
  volumes_.HealStore();
}

}  // namespace
}  // namespace escagent::testing
