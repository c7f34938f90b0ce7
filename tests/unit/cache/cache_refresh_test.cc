#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "tests/unit/cache/cache_fixture.h"

namespace escagent::cache {
namespace {

class CacheRefreshTest : public CacheTest {};

TEST_F(CacheRefreshTest, FiveHundredSubscribersCauseOneHeadAnInterval) {
  std::vector<Subscription> subscriptions;
  for (int i = 0; i < 500; ++i) {
    Result<Subscription> subscription = Subscribe();
    ASSERT_TRUE(subscription);
    subscriptions.push_back(*std::move(subscription));
  }
  const int heads = api_->heads();
  for (int i = 1; i <= 10; ++i) {
    ASSERT_NO_FATAL_FAILURE(Advance(9999ms));
    EXPECT_EQ(api_->heads(), heads + i - 1);
    ASSERT_NO_FATAL_FAILURE(Advance(1ms));
    EXPECT_EQ(api_->heads(), heads + i);
  }
  EXPECT_EQ(api_->opens(), 1);
}

TEST_F(CacheRefreshTest, ANewRevisionIsOpenedPublishedAndAnnounced) {
  std::atomic<int> calls = 0;
  const Result<Subscription> subscription = Subscribe(kDev, [&] { ++calls; });
  ASSERT_TRUE(subscription);
  EXPECT_EQ(calls, 0);
  const auto before = subscription->Status().snapshot;
  api_->SetEnvironmentJson(kDev, R"({"hello": "moon"})");
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  const EnvironmentStatus status = subscription->Status();
  EXPECT_EQ(Text(status), "moon");
  EXPECT_EQ(status.snapshot->sequence, 2U);
  EXPECT_EQ(status.snapshot->revision, "2");
  EXPECT_EQ(status.revision, "2");
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(api_->opens(), 2);
  EXPECT_EQ(before->properties.Find("hello")->ScalarText(), "world");  // whoever reads it still may
  EXPECT_EQ(cache().Stats().published, 2U);
}

TEST_F(CacheRefreshTest, EqualContentOfANewRevisionIsNotPublished) {
  std::atomic<int> calls = 0;
  const Result<Subscription> subscription = Subscribe(kDev, [&] { ++calls; });
  ASSERT_TRUE(subscription);
  const auto before = subscription->Status().snapshot;
  api_->SetEnvironmentJson(kDev, R"({"hello": "world"})");
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  const EnvironmentStatus status = subscription->Status();
  EXPECT_EQ(status.snapshot, before);
  EXPECT_EQ(status.revision, "2");
  EXPECT_EQ(status.fresh_at, clock_.Now());
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(cache().Stats().unchanged, 1U);
  // The new ETag is known: no further open.
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(api_->opens(), 2);
}

TEST_F(CacheRefreshTest, AHeadAloneKeepsTheEnvironmentFresh) {
  const Result<Subscription> subscription = Subscribe();
  ASSERT_TRUE(subscription);
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(subscription->Status().fresh_at, clock_.Now());
  EXPECT_EQ(subscription->Status().next_refresh, clock_.Now() + 10s);
}

TEST_F(CacheRefreshTest, WithoutHeadEachIntervalOpens) {
  api_->Fail(Operation::kHead, MakeTestError(Code::kUnimplemented));
  std::atomic<int> calls = 0;
  const Result<Subscription> subscription = Subscribe(kDev, [&] { ++calls; });
  ASSERT_TRUE(subscription);
  for (int i = 0; i < 3; ++i) ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(api_->opens(), 4);
  EXPECT_EQ(api_->heads(), 1);
  EXPECT_EQ(calls, 0);
  api_->SetEnvironmentJson(kDev, R"({"hello": "moon"})");
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(Text(subscription->Status()), "moon");
  EXPECT_EQ(calls, 1);
}

TEST_F(CacheRefreshTest, TheShortestIntervalWins) {
  EnvironmentCache::Request slow = Request();
  slow.interval = 60s;
  const Result<Subscription> first = cache().Subscribe(std::move(slow));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->Status().interval, 60s);
  {
    EnvironmentCache::Request fast = Request();
    fast.interval = 5s;
    const Result<Subscription> second = cache().Subscribe(std::move(fast));
    ASSERT_TRUE(second);
    EXPECT_EQ(first->Status().interval, 5s);
    const int heads = api_->heads();
    ASSERT_NO_FATAL_FAILURE(Advance(5s));
    ASSERT_NO_FATAL_FAILURE(Advance(5s));
    EXPECT_EQ(api_->heads(), heads + 2);
  }
  EXPECT_EQ(first->Status().interval, 60s);
  ASSERT_NO_FATAL_FAILURE(Advance(5s));
  const int heads = api_->heads();
  ASSERT_NO_FATAL_FAILURE(Advance(59s));
  EXPECT_EQ(api_->heads(), heads);
  ASSERT_NO_FATAL_FAILURE(Advance(1s));
  EXPECT_EQ(api_->heads(), heads + 1);
}

TEST_F(CacheRefreshTest, AZeroIntervalIsRaised) {
  EnvironmentCache::Request request = Request();
  request.interval = 0ms;
  const Result<Subscription> subscription = cache().Subscribe(std::move(request));
  ASSERT_TRUE(subscription);
  EXPECT_EQ(subscription->Status().interval, 100ms);
}

TEST_F(CacheRefreshTest, MaxAgeOpensAlthoughHeadSeesNoChange) {
  options_.max_age.known = 5min;
  const Result<Subscription> subscription = Subscribe();
  ASSERT_TRUE(subscription);
  api_->SetValuesOnly(kDev, ObjectValue("hello", StringValue("imported")));
  for (int i = 0; i < 29; ++i) ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(Text(subscription->Status()), "world");
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(Text(subscription->Status()), "imported");
}

TEST_F(CacheRefreshTest, RefreshNowOpensWhatMatches) {
  api_->SetEnvironmentJson("acme/web/prod", "{}");
  const Result<Subscription> dev = Subscribe();
  const Result<Subscription> pinned = Subscribe("acme/web/dev@1");
  const Result<Subscription> prod = Subscribe("acme/web/prod");
  ASSERT_TRUE(dev && pinned && prod);
  const int opens = api_->opens();

  EXPECT_EQ(cache().RefreshNow("acme/web/prod"), 1);
  ASSERT_TRUE(Settle());
  EXPECT_EQ(api_->opens(), opens + 1);
  EXPECT_EQ(cache().RefreshNow("acme/web/dev@1"), 1);
  EXPECT_EQ(cache().RefreshNow("acme/web"), 0);
  ASSERT_TRUE(Settle());
  EXPECT_EQ(api_->opens(), opens + 2);
  EXPECT_EQ(cache().RefreshNow("acme/web/dev"), 2);
  ASSERT_TRUE(Settle());
  EXPECT_EQ(api_->opens(), opens + 4);
  EXPECT_EQ(cache().RefreshNow(""), 3);
  ASSERT_TRUE(Settle());
  EXPECT_EQ(api_->opens(), opens + 7);
}

TEST_F(CacheRefreshTest, RefreshNowDuringAnAttemptCausesAnotherOne) {
  const Result<Subscription> subscription = Subscribe();
  ASSERT_TRUE(subscription);
  ASSERT_TRUE(Settle());
  api_->Block(Operation::kHead);
  clock_.Advance(10s);
  ASSERT_TRUE(api_->WaitForBlocked(Operation::kHead, 1));
  EXPECT_EQ(cache().RefreshNow(kDev), 1);
  api_->Release(Operation::kHead);
  ASSERT_TRUE(Settle());
  EXPECT_EQ(api_->heads(), 3);
  EXPECT_EQ(api_->opens(), 2);
}

TEST_F(CacheRefreshTest, RefreshNowDoesNotWaitForTheBackoff) {
  const Result<Subscription> subscription = Subscribe();
  ASSERT_TRUE(subscription);
  api_->Fail(Operation::kHead, MakeTestError(Code::kUnavailable, 50s), 1);
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  ASSERT_TRUE(subscription->Status().last_error);
  cache().RefreshNow("");
  ASSERT_TRUE(Settle());
  EXPECT_FALSE(subscription->Status().last_error);
}

TEST_F(CacheRefreshTest, TheSessionLastsTwoIntervals) {
  EnvironmentCache::Request request = Request();
  request.interval = 1h;
  const Result<Subscription> subscription = cache().Subscribe(std::move(request));
  ASSERT_TRUE(subscription);
  EXPECT_EQ(api_->last_duration(), 7200s);
}

}  // namespace
}  // namespace escagent::cache
