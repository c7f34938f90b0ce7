#include "agent/controller/environment_hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_esc_api.h"

namespace escagent::controller {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Operation = testing::FakeEscApi::Operation;

constexpr seconds kPatience{10};

class EnvironmentHubTest : public ::testing::Test {
 protected:
  EnvironmentHubTest() {
    api_->SetEnvironmentJson("acme/web/dev", R"({"app": {"hello": "world"}})");
  }

  static cache::EnvironmentKey KeyOf(const std::string& environment) {
    return {.backend = "https://esc", .ref = {"acme", "web", environment, ""}, .identity = "me"};
  }
  static kube::ObjectKey User(const std::string& name) { return {"n", name}; }

  EnvironmentHub::View Use(const std::string& user, milliseconds interval = seconds(10),
                           const std::string& environment = "dev") {
    return hub_.Use(KeyOf(environment), api_, User(user), interval);
  }
  // Uses the environment until the view is as wanted, moving the clock along while ESC is not being
  // asked: what takes long on a busy machine takes no time here.
  template <class Condition>
  EnvironmentHub::View AwaitView(const std::string& user, const Condition& condition,
                                 const std::string& environment = "dev") {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    EnvironmentHub::View view = Use(user, seconds(10), environment);
    while (!condition(view) && std::chrono::steady_clock::now() < deadline) {
      if (cache_.Stats().in_flight == 0) {
        clock_.AwaitSleepers(2);  // the hub and the cache
        clock_.Advance(milliseconds(100));
      } else {
        std::this_thread::yield();
      }
      view = Use(user, seconds(10), environment);
    }
    return view;
  }
  EnvironmentHub::View AwaitOpened(const std::string& user) {
    return AwaitView(user, [](const auto& view) { return view.snapshot != nullptr; });
  }
  void Told(const std::vector<kube::ObjectKey>& users) {
    MutexLock lock(mutex_);
    for (const kube::ObjectKey& user : users) told_.push_back(user.name);
    changed_.NotifyAll();
  }
  bool AwaitTold(std::size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    MutexLock lock(mutex_);
    while (told_.size() < count) {
      if (!changed_.WaitUntil(mutex_, deadline)) return false;
    }
    return true;
  }

  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> told_;
  testing::FakeClock clock_;
  std::shared_ptr<testing::FakeEscApi> api_ = std::make_shared<testing::FakeEscApi>();
  cache::EnvironmentCache cache_{{.jitter = 0, .workers = 2}, clock_};
  EnvironmentHub hub_{cache_, clock_,
                      [this](const std::vector<kube::ObjectKey>& users) { Told(users); }};
};

TEST_F(EnvironmentHubTest, OpensInTheBackgroundAndTellsAllUsers) {
  EXPECT_TRUE(Use("a").pending);
  EXPECT_TRUE(Use("b").pending);
  ASSERT_NE(AwaitOpened("a").snapshot, nullptr);
  ASSERT_TRUE(AwaitTold(2));
  EXPECT_THAT(told_, ::testing::IsSupersetOf({"a", "b"}));
  EXPECT_EQ(api_->Calls(Operation::kOpen), 1);
}

TEST_F(EnvironmentHubTest, TellsOfAChange) {
  ASSERT_NE(AwaitOpened("a").snapshot, nullptr);
  ASSERT_TRUE(AwaitTold(1));
  api_->SetEnvironmentJson("acme/web/dev", R"({"app": {"hello": "again"}})");
  const auto view = AwaitView("a", [](const EnvironmentHub::View& now) {
    return now.snapshot->properties.Find("app")->Find("hello")->ScalarText() == "again";
  });
  EXPECT_FALSE(view.error);
  EXPECT_TRUE(AwaitTold(2));
}

TEST_F(EnvironmentHubTest, SaysWhyAndTriesAgain) {
  const auto view =
      AwaitView("a", [](const auto& now) { return now.error.has_value(); }, "missing");
  ASSERT_TRUE(view.error);
  EXPECT_EQ(view.error->code, Code::kNotFound);
  api_->SetEnvironmentJson("acme/web/missing", R"({"now": "here"})");
  const auto later =
      AwaitView("a", [](const auto& now) { return now.snapshot != nullptr; }, "missing");
  EXPECT_NE(later.snapshot, nullptr);
  EXPECT_FALSE(later.error);
}

TEST_F(EnvironmentHubTest, ThatEscIsAwayIsNoErrorWhileThereAreValues) {
  ASSERT_NE(AwaitOpened("a").snapshot, nullptr);
  api_->Fail(Operation::kHead, Error{.code = Code::kUnavailable, .message = "down"});
  const int heads = api_->Calls(Operation::kHead);
  const auto view =
      AwaitView("a", [&](const auto&) { return api_->Calls(Operation::kHead) > heads; });
  EXPECT_NE(view.snapshot, nullptr);
  EXPECT_FALSE(view.error);
}

TEST_F(EnvironmentHubTest, ARefusedIdentityIsAnErrorEvenWithValues) {
  ASSERT_NE(AwaitOpened("a").snapshot, nullptr);
  const Error refused{.code = Code::kUnauthenticated, .message = "bad token"};
  api_->Fail(Operation::kHead, refused);
  api_->Fail(Operation::kOpen, refused);
  const auto view = AwaitView("a", [](const auto& now) { return now.error.has_value(); });
  ASSERT_TRUE(view.error);
  EXPECT_EQ(view.error->code, Code::kUnauthenticated);
}

TEST_F(EnvironmentHubTest, TheShortestIntervalCountsAndUsersCanLeave) {
  ASSERT_NE(AwaitOpened("a").snapshot, nullptr);
  Use("b", seconds(2));
  const auto interval_is = [&](milliseconds wanted) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < deadline) {
      const auto list = cache_.List();
      if (list.size() == 1 && list[0].interval == wanted) return true;
      clock_.AwaitSleepers(1);
      clock_.Advance(milliseconds(10));
    }
    return false;
  };
  EXPECT_TRUE(interval_is(seconds(2)));
  hub_.KeepOnly(User("a"), {});
  hub_.KeepOnly(User("b"), {});
  // The hub may just have been making a subscription, which it gives up.
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (cache_.List()[0].subscribers > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(cache_.List()[0].subscribers, 0);
}

}  // namespace
}  // namespace escagent::controller
