#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kube/informer_pool.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http_streams.h"
#include "tests/fakes/fake_kube_api.h"
#include "tests/unit/kube/informer_recorder.h"

namespace escagent::kube {

// An InformerPool whose lists, watches and time the test gives by hand.
class InformerTest : public ::testing::Test {
 protected:
  // An object of the lists and events: namespace "a", a uid made from the name unless given.
  struct Item {
    std::string name;
    std::string version;
    std::string uid{};
  };

  static Config ConfigOfTest() {
    Config config;
    config.server = "https://kube.test";
    config.token = std::make_shared<const Secret>(std::string_view("token"));
    return config;
  }
  static std::string Json(const Item& item) {
    return R"({"metadata":{"namespace":"a","name":")" + item.name + R"(","uid":")" +
           (item.uid.empty() ? "uid-" + item.name : item.uid) + R"(","resourceVersion":")" +
           item.version + R"("}})";
  }
  static std::string Event(const std::string& type, const Item& item) {
    return R"({"type":")" + type + R"(","object":)" + Json(item) + "}\n";
  }
  static std::string Bookmark(const std::string& version, bool ends_initial_events = false) {
    return R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":")" + version + "\"" +
           (ends_initial_events ? R"(,"annotations":{"k8s.io/initial-events-end":"true"})" : "") +
           "}}}\n";
  }
  static std::string Gone() {
    return R"({"type":"ERROR","object":{"code":410,"reason":"Expired","message":"too old"}})"
           "\n";
  }

  static ListPage Page(const std::vector<Item>& items, const std::string& version,
                       const std::string& continue_token = {}) {
    ListPage page;
    for (const Item& item : items) page.items.emplace_back(nlohmann::json::parse(Json(item)));
    page.resource_version = version;
    page.continue_token = continue_token;
    return page;
  }
  // What lists answer from now on.
  void List(std::vector<Item> items, std::string version) {
    api_.Set([&](auto& api) {
      api.list = [this, items = std::move(items), version = std::move(version)](
                     const Resource&, const ListOptions&) -> Result<ListPage> {
        ++lists_;
        lists_.notify_all();
        return Page(items, version);
      };
    });
  }
  void FailLists(Error error) {
    api_.Set([&](auto& api) {
      api.list = [this, error](const Resource&, const ListOptions&) -> Result<ListPage> {
        ++lists_;
        lists_.notify_all();
        return std::unexpected(error);
      };
    });
  }

  void Start(Selection selection = {.resource = Secrets()}) {
    handle_ = pool_.Start(std::move(selection), recorder_);
  }
  // The next watch, accepted by the server.
  testing::FakeHttpStreams::Stream Accept() {
    const auto stream = streams_.AwaitOpened();
    if (!stream) {
      ADD_FAILURE() << "no watch was opened";
      return {};
    }
    streams_.Respond(stream->id, 200);
    return *stream;
  }
  // Starts with one object, a/x v1, and is told it.
  testing::FakeHttpStreams::Stream StartSynced() {
    List({{"x", "1"}}, "10");
    Start();
    EXPECT_THAT(recorder_->AwaitNext(2), ::testing::ElementsAre("upsert a/x v1 initial", "synced"));
    return Accept();
  }
  // Lets the time come at which the one step that waits goes on.
  void PassDelay() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
      // A timer without anything to wait for sleeps for an hour.
      const auto until = clock_.UntilNextWakeUp();
      if (until && *until < std::chrono::minutes(30)) {
        delay_ = *until;
        clock_.Advance(*until);
        return;
      }
      // Looks again when something may have changed: there are only two timers.
      clock_.AwaitSleepers(3, std::chrono::milliseconds(5));
    }
    FAIL() << "nothing waits";
  }
  void AwaitLists(int count) {
    for (int seen = lists_; seen < count; seen = lists_) lists_.wait(seen);
    EXPECT_EQ(lists_, count);
  }
  // So long that the watch counts as a good one, whatever it brought.
  void LiveLong() { clock_.Advance(std::chrono::seconds(10)); }

  testing::FakeClock clock_;
  testing::FakeKubeApi api_;
  testing::FakeHttpStreams streams_;
  Connection connection_{ConfigOfTest(), clock_};
  std::shared_ptr<InformerRecorder> recorder_ = std::make_shared<InformerRecorder>();
  std::atomic<int> lists_ = 0;
  std::chrono::milliseconds delay_{0};
  InformerPool pool_{{}, api_, connection_, streams_, clock_};
  InformerHandle handle_;
};

}  // namespace escagent::kube
