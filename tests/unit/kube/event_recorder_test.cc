#include "kube/event_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_kube_api.h"

namespace escagent::kube {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::StartsWith;

constexpr seconds kPatience{20};

class EventRecorderTest : public ::testing::Test {
 protected:
  struct Call {
    bool is_create = false;
    ObjectKey key;
    nlohmann::json body;
  };

  EventRecorderTest() {
    api_.create = [this](const Resource& resource, const Object& object) -> Result<Object> {
      EXPECT_EQ(resource, Events());
      return Answer({true, object.Key(), object.json()});
    };
    api_.patch = [this](const Resource& resource, const ObjectKey& key,
                        const Object& patch) -> Result<Object> {
      EXPECT_EQ(resource, Events());
      return Answer({false, key, patch.json()});
    };
  }

  Result<Object> Answer(Call call) {
    const std::scoped_lock lock(mutex_);
    calls_.push_back(std::move(call));
    changed_.notify_all();
    if (!failure_) return Object();
    Error error = *std::exchange(failure_, std::nullopt);
    return std::unexpected(std::move(error));
  }
  void FailNext(Code code) {
    const std::scoped_lock lock(mutex_);
    failure_ = Error{.code = code, .message = "failed"};
  }
  Call AwaitCall() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [&] { return calls_.size() > seen_; })) {
      ADD_FAILURE() << "no call came";
      return {};
    }
    return calls_[seen_++];
  }
  // The recorder's thread has nothing to do until a time that comes.
  void PassMinute() {
    ASSERT_TRUE(clock_.AwaitSleepers(1));
    clock_.Advance(minutes(1));
  }

  testing::FakeClock clock_;
  testing::FakeKubeApi api_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Call> calls_;
  std::size_t seen_ = 0;
  std::optional<Error> failure_;
  EventRecorder recorder_{{.instance = "node-1"}, api_, clock_};
  const ObjectReference secret_{Secrets(), {"a", "x"}, "uid-x"};
};

TEST_F(EventRecorderTest, WritesAnEvent) {
  recorder_.Warning(secret_, "UpdateFailed", "the cause");
  const Call call = AwaitCall();
  EXPECT_TRUE(call.is_create);
  EXPECT_EQ(call.key.namespace_name, "a");
  EXPECT_THAT(call.key.name, StartsWith("x."));
  const nlohmann::json& event = call.body;
  EXPECT_EQ(event["involvedObject"],
            nlohmann::json::parse(R"({"apiVersion":"v1","kind":"Secret","namespace":"a",)"
                                  R"("name":"x","uid":"uid-x"})"));
  EXPECT_EQ(event["type"], "Warning");
  EXPECT_EQ(event["reason"], "UpdateFailed");
  EXPECT_EQ(event["message"], "the cause");
  EXPECT_EQ(event["count"], 1);
  EXPECT_EQ(event["firstTimestamp"], "2026-01-01T00:00:00Z");
  EXPECT_EQ(event["source"], nlohmann::json::parse(R"({"component":"esc-agent","host":"node-1"})"));
  EXPECT_EQ(event["reportingComponent"], "esc-agent");
  EXPECT_EQ(event["reportingInstance"], "node-1");
}

TEST_F(EventRecorderTest, CountsEqualEvents) {
  recorder_.Normal(secret_, "Updated", "done");
  const Call created = AwaitCall();
  recorder_.Normal(secret_, "Updated", "done");
  recorder_.Normal(secret_, "Updated", "done");
  PassMinute();
  const Call counted = AwaitCall();
  EXPECT_FALSE(counted.is_create);
  EXPECT_EQ(counted.key, created.key);
  EXPECT_EQ(counted.body,
            nlohmann::json::parse(R"({"count":3,"lastTimestamp":"2026-01-01T00:00:00Z"})"));
}

TEST_F(EventRecorderTest, AnEventThatTheServerDroppedIsMadeAgain) {
  recorder_.Normal(secret_, "Updated", "done");
  AwaitCall();
  recorder_.Normal(secret_, "Updated", "done");
  FailNext(Code::kNotFound);
  PassMinute();
  EXPECT_FALSE(AwaitCall().is_create);
  const Call again = AwaitCall();
  EXPECT_TRUE(again.is_create);
  EXPECT_EQ(again.body["count"], 2);
}

TEST_F(EventRecorderTest, AFailureIsTriedOnceMoreARefusalIsNot) {
  FailNext(Code::kUnavailable);
  recorder_.Normal(secret_, "Updated", "done");
  AwaitCall();
  PassMinute();
  EXPECT_EQ(AwaitCall().body["message"], "done");
  FailNext(Code::kPermissionDenied);
  recorder_.Normal(secret_, "Updated", "refused");
  EXPECT_EQ(AwaitCall().body["message"], "refused");
  PassMinute();
  recorder_.Normal(secret_, "Updated", "next");
  EXPECT_EQ(AwaitCall().body["message"], "next");
}

TEST_F(EventRecorderTest, ClusterWideObjectsAndLongTexts) {
  const ObjectReference cluster_wide{
      Namespaces(), {"", std::string(245, 'n') + "-" + std::string(7, 'm')}, "uid"};
  recorder_.Normal(cluster_wide, "Updated", std::string(5000, 'm'));
  const Call call = AwaitCall();
  EXPECT_EQ(call.key.namespace_name, "default");
  EXPECT_LE(call.key.name.size(), 253U);
  EXPECT_FALSE(call.body["involvedObject"].contains("namespace"));
  EXPECT_LE(call.body["message"].get<std::string>().size(), 1024U);
}

}  // namespace
}  // namespace escagent::kube
