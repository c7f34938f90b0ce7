// Publishes that are "not yet" done: they wait without a thread.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
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
using ::testing::Not;

constexpr char kWaitCanary[] = "canary-5c1d";

class WaitTest : public CsiHarness {
 protected:
  // Publishes whose store is "esc" are not yet done; asked again after `pause`.
  void HoldBack(milliseconds pause) {
    volumes_.FailStore("esc", Error{Code::kUnavailable, "no answer from ESC", pause});
  }

  v1::NodePublishVolumeRequest Request(int number) const {
    v1::NodePublishVolumeRequest request = PublishRequest();
    request.set_volume_id("csi-" + std::to_string(number));
    request.set_target_path(Target() + std::to_string(number));
    return request;
  }
  v1::NodePublishVolumeRequest WarmRequest() const {
    v1::NodePublishVolumeRequest request = PublishRequest();
    request.set_volume_id("csi-warm");
    request.set_target_path(Target() + "-warm");
    (*request.mutable_volume_context())["secretStore"] = "warm";
    return request;
  }

  // `count` callers of their own; answers are in statuses_ once the callers are joined.
  void StartWaiting(std::size_t count) {
    statuses_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      callers_.emplace_back(
          [this, i] { statuses_[i] = Publish(Request(static_cast<int>(i)), seconds(60)); });
    }
  }

  std::size_t Turns(const std::string& volume_id) const {
    std::size_t turns = 0;
    for (const auto& request : volumes_.Requests())
      turns += request.volume_id == volume_id ? 1U : 0U;
    return turns;
  }

  std::vector<grpc::Status> statuses_;
  std::vector<std::jthread> callers_;
};

TEST_F(WaitTest, IsAskedAgainWithTheSameRequestUntilItIsDone) {
  Start();
  HoldBack(milliseconds(5));
  v1::NodePublishVolumeRequest request = Request(0);
  (*request.mutable_secrets())["password"] = kWaitCanary;
  grpc::Status status;
  std::jthread caller([&] { status = Publish(request); });
  ASSERT_TRUE(Eventually([&] { return Turns("csi-0") >= 3; }));
  volumes_.HealStore();
  caller.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  const auto turns = volumes_.Requests();
  ASSERT_GE(turns.size(), 4U);
  for (const auto& turn : turns) {
    EXPECT_EQ(turn.volume_id, "csi-0");
    EXPECT_EQ(turn.attributes, turns[0].attributes);
    EXPECT_EQ(turn.secrets.at("password"), kWaitCanary);
    EXPECT_EQ(turn.received_at, turns[0].received_at);
  }
}

TEST_F(WaitTest, SixtyFourWaitingPublishesDelayNothingElse) {
  csi::ServerOptions options = Options();
  options.publish_patience = seconds(60);
  server_ = StartServer(options);
  HoldBack(milliseconds(25));
  constexpr std::size_t kWaiting = 64;
  StartWaiting(kWaiting);
  // All of them have arrived, although there are 4 threads.
  ASSERT_TRUE(volumes_.AwaitVolumesAsked(kWaiting));

  EXPECT_TRUE(Publish(WarmRequest(), seconds(20)).ok());
  EXPECT_TRUE(server_->SelfProbe(seconds(20)));
  EXPECT_EQ(volumes_.VolumeCount(), 1U) << "the others wait all the while";
  volumes_.HealStore();
  callers_.clear();
  for (const grpc::Status& status : statuses_) EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(volumes_.VolumeCount(), kWaiting + 1);
  EXPECT_LE(volumes_.MaxPublishing(), 4U);
}

TEST_F(WaitTest, MoreThanCanBeParkedAreAllAnswered) {
  Start();
  HoldBack(milliseconds(5));
  constexpr std::size_t kWaiting = 400;  // more than CallQueue::kMaxCalls
  const auto node = Node();
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<v1::NodePublishVolumeResponse> responses(kWaiting);
  std::vector<grpc::Status> statuses(kWaiting);
  std::vector<std::unique_ptr<grpc::ClientAsyncResponseReader<v1::NodePublishVolumeResponse>>>
      calls;
  grpc::CompletionQueue queue;
  for (std::size_t i = 0; i < kWaiting; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    calls.push_back(
        node->AsyncNodePublishVolume(contexts[i].get(), Request(static_cast<int>(i)), &queue));
    calls[i]->Finish(&responses[i], &statuses[i], nullptr);
  }
  ASSERT_TRUE(volumes_.AwaitVolumesAsked(200));
  volumes_.HealStore();
  void* tag = nullptr;
  bool ok = false;
  for (std::size_t i = 0; i < kWaiting; ++i) ASSERT_TRUE(queue.Next(&tag, &ok));
  for (const grpc::Status& status : statuses) EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(volumes_.VolumeCount(), kWaiting);
}

TEST_F(WaitTest, TheErrorIsTheAnswerWhenThePatienceIsOver) {
  csi::ServerOptions options = Options();
  options.publish_patience = milliseconds(1000);
  std::vector<Code> codes;
  options.observer = [&](std::string_view method, Code code, std::chrono::nanoseconds duration) {
    if (method != "NodePublishVolume") return;
    codes.push_back(code);
    EXPECT_GT(duration, milliseconds(500));
  };
  server_ = StartServer(options);
  HoldBack(milliseconds(100));
  const grpc::Status status = Publish(Request(0));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "no answer from ESC");
  EXPECT_GE(Turns("csi-0"), 2U);
  EXPECT_EQ(volumes_.VolumeCount(), 0U);
  server_.reset();
  EXPECT_EQ(codes, std::vector<Code>{Code::kUnavailable}) << "one call, whatever its turns";
}

TEST_F(WaitTest, ATimeThatDoesNotFitIsNotWaited) {
  Start();
  HoldBack(seconds(30));
  EXPECT_EQ(Publish(Request(0)).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Turns("csi-0"), 1U);
  // Nor one that fits, but not into what the caller allows.
  HoldBack(seconds(8));
  EXPECT_EQ(Publish(Request(1), seconds(7)).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Turns("csi-1"), 1U);
  // Only UNAVAILABLE is "not yet".
  volumes_.FailStore("esc", Error{Code::kResourceExhausted, "too many requests", milliseconds(5)});
  EXPECT_EQ(Publish(Request(2)).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Turns("csi-2"), 1U);
}

TEST_F(WaitTest, ACallerThatHangsUpIsNotPublishedFor) {
  csi::ServerOptions options = Options();
  options.publish_patience = seconds(300);
  Mutex mutex;
  std::vector<Code> codes;
  options.observer = [&](std::string_view method, Code code, std::chrono::nanoseconds) {
    MutexLock lock(mutex);
    if (method == "NodePublishVolume") codes.push_back(code);
  };
  server_ = StartServer(options);
  // Longer than the test: only the hanging up can bring the next turn.
  HoldBack(seconds(200));
  grpc::ClientContext context;
  grpc::Status status;
  std::jthread caller([&] {
    v1::NodePublishVolumeResponse response;
    status = Node()->NodePublishVolume(&context, Request(0), &response);
  });
  ASSERT_TRUE(volumes_.AwaitVolumesAsked(1));
  context.TryCancel();
  caller.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(Eventually([&] {
    MutexLock lock(mutex);
    return codes == std::vector<Code>{Code::kCancelled};
  }));
  EXPECT_EQ(Turns("csi-0"), 1U);
}

TEST_F(WaitTest, StopAnswersThoseThatWait) {
  csi::ServerOptions options = Options();
  options.publish_patience = seconds(300);
  server_ = StartServer(options);
  HoldBack(seconds(200));
  constexpr std::size_t kWaiting = 16;
  StartWaiting(kWaiting);
  ASSERT_TRUE(volumes_.AwaitVolumesAsked(kWaiting));
  // With time to spare: nobody is cut off, and nobody is waited for.
  server_->Stop(seconds(100));
  callers_.clear();
  for (std::size_t i = 0; i < kWaiting; ++i) {
    EXPECT_EQ(statuses_[i].error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(statuses_[i].error_message(), "no answer from ESC");
  }
  EXPECT_EQ(volumes_.VolumeCount(), 0U);
}

TEST_F(WaitTest, StopDoesNotTakeLongWhenPublishesWait) {
  csi::ServerOptions options = Options();
  options.publish_patience = seconds(300);
  server_ = StartServer(options);
  HoldBack(seconds(200));
  StartWaiting(4);
  ASSERT_TRUE(volumes_.AwaitVolumesAsked(4));
  const auto before = std::chrono::steady_clock::now();
  server_->Stop(seconds(100));
  EXPECT_LT(std::chrono::steady_clock::now() - before, milliseconds(500));
  callers_.clear();
  EXPECT_LT(std::chrono::steady_clock::now() - before, milliseconds(500));
  for (const grpc::Status& status : statuses_) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  }
}

TEST_F(WaitTest, DestructorWithThoseThatWaitIsClean) {
  for (int round = 0; round < 5; ++round) {
    Start();
    HoldBack(milliseconds(1));
    StartWaiting(16);
    server_.reset();
    callers_.clear();
    for (const grpc::Status& status : statuses_) EXPECT_FALSE(status.ok());
  }
}

TEST_F(WaitTest, LogsOnlyTheOutcomeAndNoSecret) {
  Start();
  HoldBack(milliseconds(5));
  ::testing::internal::CaptureStderr();
  v1::NodePublishVolumeRequest request = Request(0);
  (*request.mutable_secrets())["password"] = kWaitCanary;
  grpc::Status status;
  std::jthread caller([&] { status = Publish(request); });
  const bool repeated = Eventually([&] { return Turns("csi-0") >= 3; });
  volumes_.HealStore();
  caller.join();
  server_.reset();
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(repeated);
  EXPECT_THAT(log, Not(HasSubstr(kWaitCanary)));
  EXPECT_THAT(log, Not(HasSubstr("CSI call failed")));
  EXPECT_THAT(log, HasSubstr("CSI call answered"));
}

}  // namespace
}  // namespace escagent::testing
