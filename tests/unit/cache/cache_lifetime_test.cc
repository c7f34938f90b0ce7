#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "tests/unit/cache/cache_fixture.h"

namespace escagent::cache {
namespace {

class CacheLifetimeTest : public CacheTest {};

TEST_F(CacheLifetimeTest, AnUnwantedEnvironmentLingersIsRefreshedAndDropped) {
  {
    ASSERT_TRUE(Subscribe());
  }
  ASSERT_EQ(cache().List().size(), 1U);
  EXPECT_EQ(cache().List()[0].subscribers, 0);
  const int heads = api_->heads();
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(api_->heads(), heads + 1);
  ASSERT_NO_FATAL_FAILURE(Advance(49999ms));
  EXPECT_EQ(cache().List().size(), 1U);
  ASSERT_NO_FATAL_FAILURE(Advance(1ms));
  EXPECT_TRUE(cache().List().empty());
  const int after = api_->heads();
  ASSERT_NO_FATAL_FAILURE(Advance(60s));
  EXPECT_EQ(api_->heads(), after);
}

TEST_F(CacheLifetimeTest, AReturnWithinLingerIsAHit) {
  {
    ASSERT_TRUE(Subscribe());
  }
  ASSERT_NO_FATAL_FAILURE(Advance(59s));
  const Result<Subscription> again = Subscribe();
  ASSERT_TRUE(again);
  EXPECT_EQ(api_->opens(), 1);
  ASSERT_NO_FATAL_FAILURE(Advance(120s));
  EXPECT_EQ(cache().List().size(), 1U);
}

TEST_F(CacheLifetimeTest, AFailedEnvironmentIsDroppedToo) {
  api_->Fail(Operation::kOpen, MakeTestError(Code::kNotFound));
  EXPECT_FALSE(Subscribe());
  const int opens = api_->opens();
  ASSERT_NO_FATAL_FAILURE(Advance(59s));
  EXPECT_EQ(cache().List().size(), 1U);
  ASSERT_NO_FATAL_FAILURE(Advance(1s));
  EXPECT_TRUE(cache().List().empty());
  EXPECT_EQ(api_->opens(), opens);
}

TEST_F(CacheLifetimeTest, AnAttemptUnderWayDelaysTheDrop) {
  {
    ASSERT_TRUE(Subscribe());
  }
  ASSERT_TRUE(Settle());
  api_->Block(Operation::kHead);
  clock_.Advance(10s);
  ASSERT_TRUE(api_->WaitForBlocked(Operation::kHead, 1));
  clock_.Advance(60s);
  EXPECT_EQ(cache().List().size(), 1U);
  api_->Release(Operation::kHead);
  EXPECT_TRUE(Eventually([&] { return cache().List().empty(); }));
}

TEST_F(CacheLifetimeTest, NoCallbackAfterTheDestructor) {
  std::atomic<int> calls = 0;
  Result<Subscription> gone = Subscribe(kDev, [&] { ++calls; });
  const Result<Subscription> stays = Subscribe();
  ASSERT_TRUE(gone && stays);
  *gone = Subscription();
  api_->SetEnvironmentJson(kDev, R"({"hello": "moon"})");
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(Text(stays->Status()), "moon");
  EXPECT_EQ(calls, 0);
}

TEST_F(CacheLifetimeTest, TheDestructorWaitsForItsRunningCallback) {
  std::atomic<bool> entered = false;
  std::atomic<bool> may_leave = false;
  std::atomic<bool> left = false;
  std::optional<Result<Subscription>> subscription = Subscribe(kDev, [&] {
    entered = true;
    EXPECT_TRUE(Eventually([&] { return may_leave.load(); }));
    left = true;
  });
  ASSERT_TRUE(*subscription);
  ASSERT_TRUE(Settle());
  api_->SetEnvironmentJson(kDev, R"({"hello": "moon"})");
  clock_.Advance(10s);
  ASSERT_TRUE(Eventually([&] { return entered.load(); }));
  std::atomic<bool> destroyed = false;
  std::jthread destroyer([&] {
    subscription.reset();
    destroyed = left.load();
  });
  // The subscriber is off the list, so its destructor waits for the callback now.
  ASSERT_TRUE(Eventually([&] { return cache().List()[0].subscribers == 0; }));
  EXPECT_FALSE(destroyed);
  may_leave = true;
  destroyer.join();
  EXPECT_TRUE(destroyed);
}

TEST_F(CacheLifetimeTest, ASubscriptionMayEndInItsOwnCallback) {
  auto subscription = std::make_shared<Subscription>();
  std::atomic<int> calls = 0;
  Result<Subscription> result = Subscribe(kDev, [&calls, subscription] {
    ++calls;
    *subscription = Subscription();
  });
  ASSERT_TRUE(result);
  *subscription = *std::move(result);
  api_->SetEnvironmentJson(kDev, R"({"hello": "moon"})");
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(cache().List()[0].subscribers, 0);
}

TEST_F(CacheLifetimeTest, ACallbackMaySubscribeAndRefresh) {
  api_->SetEnvironmentJson("acme/web/prod", "{}");
  std::optional<Result<Subscription>> inner;
  const Result<Subscription> subscription = Subscribe(kDev, [&] {
    if (inner) return;
    inner = Subscribe("acme/web/prod");
    cache().RefreshNow(kDev);
  });
  ASSERT_TRUE(subscription);
  api_->SetEnvironmentJson(kDev, R"({"hello": "moon"})");
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  ASSERT_TRUE(inner);
  EXPECT_TRUE(*inner);
  EXPECT_EQ(api_->opens(), 4);
  inner.reset();
}

TEST_F(CacheLifetimeTest, ASlowCallbackDelaysOnlyItsOwnEnvironment) {
  api_->SetEnvironmentJson("acme/web/prod", R"({"hello": "one"})");
  std::atomic<bool> entered = false;
  std::atomic<bool> may_leave = false;
  const Result<Subscription> dev = Subscribe(kDev, [&] {
    entered = true;
    EXPECT_TRUE(Eventually([&] { return may_leave.load(); }));
  });
  const Result<Subscription> prod = Subscribe("acme/web/prod");
  ASSERT_TRUE(dev && prod);
  ASSERT_TRUE(Settle());
  api_->SetEnvironmentJson(kDev, R"({"hello": "moon"})");
  clock_.Advance(10s);
  ASSERT_TRUE(Eventually([&] { return entered && prod->Status().fresh_at == clock_.Now(); }));
  api_->SetEnvironmentJson("acme/web/prod", R"({"hello": "two"})");
  ASSERT_TRUE(clock_.AwaitSleepers(1));
  clock_.Advance(10s);
  EXPECT_TRUE(Eventually([&] { return Text(prod->Status()) == "two"; }));
  may_leave = true;
}

TEST_F(CacheLifetimeTest, DestroyingTheCacheCancelsCallsUnderWay) {
  auto own = std::make_unique<EnvironmentCache>(options_, clock_);
  api_->Block(Operation::kOpen);
  std::optional<Result<Subscription>> result;
  std::jthread subscriber([&] { result = own->Subscribe(Request()); });
  ASSERT_TRUE(api_->WaitForBlocked(Operation::kOpen, 1));
  ASSERT_TRUE(clock_.AwaitSleepers(2));
  clock_.Advance(9s);
  subscriber.join();
  EXPECT_FALSE(*result);
  own.reset();  // the open still hangs; returns, or the test times out
  EXPECT_EQ(api_->Blocked(Operation::kOpen), 0);
}

TEST_F(CacheLifetimeTest, ManyThreadsComeAndGo) {
  // Real time: what runs beside what is for the scheduler, and for ThreadSanitizer, to decide.
  SystemClock clock;
  EnvironmentCache::Options options;
  options.linger = 0ms;
  EnvironmentCache busy(options, clock);
  std::atomic<int> calls = 0;
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) {
          EnvironmentCache::Request request = Request(kDev, [&] { ++calls; });
          request.key.identity = std::to_string(t % 2);
          const Result<Subscription> subscription = busy.Subscribe(std::move(request));
          if (!subscription || !subscription->Status().snapshot) ++failures;
          if (i % 10 == 0) busy.RefreshNow("");
          if (i % 25 == 0)
            api_->SetEnvironmentJson(kDev, R"({"hello": ")" + std::to_string(i) + R"("})");
          static_cast<void>(busy.List());
        }
      });
    }
  }
  EXPECT_EQ(failures, 0);
}

}  // namespace
}  // namespace escagent::cache
