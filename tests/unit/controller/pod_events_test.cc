#include "agent/controller/pod_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_kube_api.h"

namespace escagent::controller {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using volume::VolumeEvent;

Error Denied(std::string why) {
  return {.code = Code::kPermissionDenied, .message = std::move(why)};
}

class PodEventsTest : public ::testing::Test {
 protected:
  PodEventsTest() {
    api_.create = [this](const kube::Resource& resource,
                         const kube::Object& object) -> Result<kube::Object> {
      EXPECT_EQ(resource.plural, "events");
      MutexLock lock(mutex_);
      events_.push_back(object.json());
      return kube::Object(object.json());
    };
  }

  static VolumeEvent Event(VolumeEvent::Kind kind, std::optional<Error> error) {
    VolumeEvent event{.kind = kind, .volume_id = "csi-1", .error = std::move(error)};
    event.pod = {
        .name = "web-1", .namespace_name = "shop", .uid = "uid-1", .service_account = "web"};
    event.source = {"ServiceAccount shop/web", "acme/shop/prod"};
    return event;
  }
  // Those that were written, once there are so many.
  std::vector<json> Events(std::size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      {
        MutexLock lock(mutex_);
        if (events_.size() >= count) return events_;
      }
      std::this_thread::yield();
    }
    ADD_FAILURE() << "no event";
    return std::vector<json>(count, json::object());
  }

  Mutex mutex_;
  std::vector<json> events_ GUARDED_BY(mutex_);
  testing::FakeKubeApi api_;
  testing::FakeClock clock_;
  PodEvents pods_{"node-1", api_, clock_};
};

TEST_F(PodEventsTest, ThePodOfADeniedMountIsTold) {
  pods_.Note(Event(VolumeEvent::Kind::kPublish, Denied("HTTP 403: no policy")));
  const json event = Events(1).at(0);
  EXPECT_EQ(event["reason"].get<std::string>(), "AccessDenied");
  EXPECT_EQ(event["type"].get<std::string>(), "Warning");
  EXPECT_EQ(event["involvedObject"]["kind"].get<std::string>(), "Pod");
  EXPECT_EQ(event["involvedObject"]["name"].get<std::string>(), "web-1");
  EXPECT_EQ(event["involvedObject"]["uid"].get<std::string>(), "uid-1");
  EXPECT_EQ(event["metadata"]["namespace"].get<std::string>(), "shop");
  EXPECT_EQ(event["source"]["host"].get<std::string>(), "node-1");
  EXPECT_THAT(event["message"].get<std::string>(),
              AllOf(HasSubstr("not mounted"), HasSubstr("acme/shop/prod"),
                    HasSubstr("HTTP 403: no policy")));
}

TEST_F(PodEventsTest, ThePodOfARefusedMountIsTold) {
  const Error cause{.code = Code::kUnauthenticated, .message = "HTTP 401"};
  pods_.Note(Event(VolumeEvent::Kind::kRefuse, cause));
  EXPECT_THAT(Events(1).at(0)["message"].get<std::string>(),
              AllOf(HasSubstr("ESC refuses the identity of a mounted volume"),
                    HasSubstr("ServiceAccount shop/web"), HasSubstr("HTTP 401")));
}

TEST_F(PodEventsTest, OtherEventsAreNoneOfThePods) {
  pods_.Note(Event(VolumeEvent::Kind::kPublish, std::nullopt));
  pods_.Note(Event(VolumeEvent::Kind::kPublish,
                   Error{.code = Code::kUnavailable, .message = "ESC is down"}));
  pods_.Note(Event(VolumeEvent::Kind::kRotate, Denied("no")));
  VolumeEvent nameless = Event(VolumeEvent::Kind::kRefuse, std::nullopt);
  nameless.pod = {};
  pods_.Note(nameless);
  // They are written in order: this one is the first.
  pods_.Note(Event(VolumeEvent::Kind::kRefuse, Denied("the last")));
  EXPECT_THAT(Events(1).at(0)["message"].get<std::string>(), HasSubstr("the last"));
}

}  // namespace
}  // namespace escagent::controller
