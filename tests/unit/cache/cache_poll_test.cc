// Subscribe for those who do not wait but ask again and again (Request::since).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/unit/cache/cache_fixture.h"

namespace escagent::cache {
namespace {

using ::testing::HasSubstr;

class CachePollTest : public CacheTest {
 protected:
  Result<Subscription> Poll(Clock::TimePoint since, const std::string& environment = kDev) {
    EnvironmentCache::Request request = Request(environment);
    request.since = since;
    return cache().Subscribe(std::move(request));
  }
  Result<Subscription> Poll() { return Poll(clock_.Now()); }

  // Until the answer is another than "not yet".
  Result<Subscription> PollUntilAnswered(Clock::TimePoint since) {
    std::optional<Result<Subscription>> answer;
    EXPECT_TRUE(Eventually([&] {
      answer = Poll(since);
      return *answer || answer->error().retry_after == 0ms;
    }));
    return *std::move(answer);
  }
};

TEST_F(CachePollTest, IsNotYetWhileTheAttemptIsUnderWayAndThenServes) {
  api_->Block(Operation::kOpen);
  const Clock::TimePoint start = clock_.Now();
  const Result<Subscription> first = Poll(start);
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, Code::kUnavailable);
  EXPECT_EQ(first.error().retry_after, 25ms);
  ASSERT_TRUE(api_->WaitForBlocked(Operation::kOpen, 1));
  EXPECT_FALSE(Poll(start)) << "joins the attempt under way";
  api_->Release(Operation::kOpen);
  ASSERT_TRUE(Settle());
  const Result<Subscription> second = Poll(start);
  ASSERT_TRUE(second);
  EXPECT_EQ(Text(second->Status()), "world");
  EXPECT_EQ(second->Status().interval, 10s);
  EXPECT_EQ(api_->opens(), 1);
  // With something to serve there is nothing to wait for.
  EXPECT_TRUE(Poll());
  EXPECT_EQ(api_->opens(), 1);
}

TEST_F(CachePollTest, ThePauseGrowsAndEndsWithOpenTimeout) {
  api_->Block(Operation::kOpen);
  const Clock::TimePoint start = clock_.Now();
  struct {
    std::chrono::milliseconds step;
    std::chrono::milliseconds pause;
  } const steps[] = {{0ms, 25ms},     {300ms, 30ms}, {1200ms, 150ms}, {5000ms, 250ms},
                     {2400ms, 100ms}, {100ms, 0ms},  {1000ms, 0ms}};
  for (const auto& [step, pause] : steps) {
    clock_.Advance(step);
    const Result<Subscription> answer = Poll(start);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::kUnavailable);
    EXPECT_EQ(answer.error().retry_after, pause);
    EXPECT_THAT(answer.error().message, HasSubstr("open environment acme/web/dev"));
    EXPECT_THAT(answer.error().message, HasSubstr("within 9s"));
  }
  ASSERT_TRUE(api_->WaitForBlocked(Operation::kOpen, 1));
  EXPECT_EQ(api_->opens(), 1);
  api_->Release(Operation::kOpen);
}

TEST_F(CachePollTest, AFailureIsTheAnswerOfAllWhoAskedBeforeItEnded) {
  api_->Fail(Operation::kOpen, MakeTestError(Code::kPermissionDenied), 1);
  const Clock::TimePoint start = clock_.Now();
  const Result<Subscription> failed = PollUntilAnswered(start);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kPermissionDenied);
  const Result<Subscription> other = Poll(start);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kPermissionDenied);
  EXPECT_EQ(api_->opens(), 1) << "no attempt for who got an answer";
  // Who comes later gets an attempt of his own.
  Advance(1ms);
  EXPECT_TRUE(PollUntilAnswered(clock_.Now()));
  EXPECT_EQ(api_->opens(), 2);
}

TEST_F(CachePollTest, ATimeoutOfEscIsUnavailable) {
  api_->Fail(Operation::kOpen, MakeTestError(Code::kDeadlineExceeded));
  const Result<Subscription> failed = PollUntilAnswered(clock_.Now());
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kUnavailable);
  EXPECT_THAT(failed.error().message, HasSubstr("ESC says no"));
}

TEST_F(CachePollTest, AfterRetryAfterThereIsAnotherAttempt) {
  api_->Fail(Operation::kOpen, MakeTestError(Code::kUnavailable, 1s), 1);
  const Clock::TimePoint start = clock_.Now();
  EXPECT_FALSE(Poll(start));
  ASSERT_TRUE(Settle());
  const Result<Subscription> early = Poll(start);
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().retry_after, 1s) << "ESC's own wish";
  EXPECT_EQ(api_->opens(), 1);
  Advance(1s);
  EXPECT_TRUE(PollUntilAnswered(start));
  EXPECT_EQ(api_->opens(), 2);
}

TEST_F(CachePollTest, ARefusedIdentityIsTriedAgainForWhoAsks) {
  const Result<Subscription> old = Subscribe();
  ASSERT_TRUE(old);
  api_->Fail(Operation::kHead, MakeTestError(Code::kUnauthenticated), 2);
  Advance(10s);
  ASSERT_TRUE(old->Status().last_error);
  Advance(1ms);
  const Result<Subscription> refused = PollUntilAnswered(clock_.Now());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnauthenticated);
  Advance(1ms);
  EXPECT_TRUE(PollUntilAnswered(clock_.Now()));
}

TEST_F(CachePollTest, TheEnvironmentIsKeptUntilAskingAgainIsOverdue) {
  options_.linger = 0ms;
  const Clock::TimePoint start = clock_.Now();
  EXPECT_FALSE(Poll(start));
  Advance(1500ms);
  EXPECT_EQ(cache().List().size(), 1U);
  EXPECT_TRUE(Poll(start));
  EXPECT_EQ(api_->opens(), 1);
  // The subscription above has ended: nobody asks, nobody holds it.
  Advance(2s);
  EXPECT_TRUE(cache().List().empty());
}

TEST_F(CachePollTest, IsNotRefreshedMoreOftenThanAskedFor) {
  EXPECT_FALSE(Poll());
  ASSERT_TRUE(Settle());
  Advance(5s);
  EXPECT_EQ(api_->heads(), 1);
  Advance(5s);
  EXPECT_EQ(api_->heads(), 2);
}

TEST_F(CachePollTest, GoesBeforeRefreshesThatNobodyWaitsFor) {
  // Refreshes are due in the order of the names: each worker has one, and more are queued.
  auto first = std::make_shared<testing::FakeEscApi>();
  auto others = std::make_shared<testing::FakeEscApi>();
  std::vector<Subscription> subscriptions;
  for (int i = 0; i < options_.workers + 4; ++i) {
    const std::string name = "acme/refresh/" + std::string(1, static_cast<char>('a' + i));
    EnvironmentCache::Request request = Request(name);
    const auto& api = i == 0 ? first : others;
    api->SetEnvironmentJson(name, "{}");
    request.api = api;
    Result<Subscription> subscription = cache().Subscribe(std::move(request));
    ASSERT_TRUE(subscription);
    subscriptions.push_back(*std::move(subscription));
  }
  ASSERT_TRUE(Settle());
  first->Block(Operation::kHead);
  others->Block(Operation::kHead);
  clock_.Advance(10s);
  ASSERT_TRUE(first->WaitForBlocked(Operation::kHead, 1));
  ASSERT_TRUE(others->WaitForBlocked(Operation::kHead, options_.workers - 1));
  const Clock::TimePoint start = clock_.Now();
  EXPECT_FALSE(Poll(start));
  // One worker becomes free, and takes what is waited for.
  first->Release(Operation::kHead);
  EXPECT_TRUE(PollUntilAnswered(start));
  others->Release(Operation::kHead);
}

}  // namespace
}  // namespace escagent::cache
