#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "tests/unit/cache/cache_fixture.h"

namespace escagent::cache {
namespace {

using ::testing::HasSubstr;

class CacheSubscribeTest : public CacheTest {};

TEST_F(CacheSubscribeTest, OpensTheEnvironment) {
  const Result<Subscription> subscription = Subscribe();
  ASSERT_TRUE(subscription);
  const EnvironmentStatus status = subscription->Status();
  EXPECT_EQ(Text(status), "world");
  EXPECT_EQ(status.snapshot->sequence, 1U);
  EXPECT_EQ(status.snapshot->revision, "1");
  EXPECT_EQ(status.subscribers, 1);
  EXPECT_EQ(status.interval, 10s);
  EXPECT_EQ(status.fresh_at, clock_.Now());
  EXPECT_FALSE(status.last_error);
  EXPECT_FALSE(status.expired);
  EXPECT_EQ(subscription->key().ref.ToString(), kDev);
  EXPECT_EQ(api_->opens(), 1);
  EXPECT_EQ(api_->reads(), 1);
}

TEST_F(CacheSubscribeTest, TheSecondIsAHit) {
  const Result<Subscription> first = Subscribe();
  const Result<Subscription> second = Subscribe();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(api_->opens(), 1);
  EXPECT_EQ(api_->heads(), 1);
  EXPECT_EQ(cache().Stats().hits, 1U);
  EXPECT_EQ(first->Status().snapshot, second->Status().snapshot);
  EXPECT_EQ(first->Status().subscribers, 2);
}

TEST_F(CacheSubscribeTest, SixtyFourThreadsShareOneOpen) {
  api_->Block(Operation::kOpen);
  static_cast<void>(cache());
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 64; ++i) {
      threads.emplace_back([&] {
        const Result<Subscription> subscription = Subscribe();
        if (subscription && Text(subscription->Status()) == "world") ++good;
      });
    }
    // All wait in Subscribe, beside the timer.
    ASSERT_TRUE(clock_.AwaitSleepers(65));
    api_->Release(Operation::kOpen);
  }
  EXPECT_EQ(good, 64);
  EXPECT_EQ(api_->opens(), 1);
  EXPECT_EQ(api_->reads(), 1);
}

TEST_F(CacheSubscribeTest, SixtyFourThreadsShareOneFailure) {
  api_->Block(Operation::kOpen);
  api_->Fail(Operation::kOpen, MakeTestError(Code::kPermissionDenied));
  static_cast<void>(cache());
  std::atomic<int> denied = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 64; ++i) {
      threads.emplace_back([&] {
        const Result<Subscription> subscription = Subscribe();
        if (!subscription && subscription.error().code == Code::kPermissionDenied) ++denied;
      });
    }
    ASSERT_TRUE(clock_.AwaitSleepers(65));
    api_->Release(Operation::kOpen);
  }
  EXPECT_EQ(denied, 64);
  EXPECT_EQ(api_->opens(), 1);
}

TEST_F(CacheSubscribeTest, KeysDoNotShare) {
  std::vector<Subscription> subscriptions;
  EnvironmentCache::Request requests[] = {Request(), Request(), Request(), Request()};
  requests[1].key.identity = "somebody else";
  requests[2].key.backend = "https://other.test";
  requests[3].key.ref.version = "1";
  for (EnvironmentCache::Request& request : requests) {
    Result<Subscription> subscription = cache().Subscribe(std::move(request));
    ASSERT_TRUE(subscription);
    subscriptions.push_back(*std::move(subscription));
  }
  EXPECT_EQ(api_->opens(), 4);
  EXPECT_EQ(cache().List().size(), 4U);
}

struct FaultCase {
  const char* name;
  Operation operation;
  Code from_esc;
  Code to_caller;
};

class CacheFaultTest : public CacheTest, public ::testing::WithParamInterface<FaultCase> {};

TEST_P(CacheFaultTest, IsReportedAndForgottenByTheNextSuccess) {
  api_->Fail(GetParam().operation, MakeTestError(GetParam().from_esc));
  const Result<Subscription> failed = Subscribe();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, GetParam().to_caller);
  EXPECT_THAT(failed.error().message, HasSubstr("ESC says no"));
  ASSERT_EQ(cache().List().size(), 1U);
  EXPECT_TRUE(cache().List()[0].last_error);
  EXPECT_EQ(cache().List()[0].snapshot, nullptr);

  api_->StopFailing(GetParam().operation);
  const Result<Subscription> good = Subscribe();
  ASSERT_TRUE(good);
  EXPECT_EQ(Text(good->Status()), "world");
  EXPECT_FALSE(good->Status().last_error);
}

INSTANTIATE_TEST_SUITE_P(
    Table, CacheFaultTest,
    ::testing::Values(
        FaultCase{"OpenNotFound", Operation::kOpen, Code::kNotFound, Code::kNotFound},
        FaultCase{"Open401", Operation::kOpen, Code::kUnauthenticated, Code::kUnauthenticated},
        FaultCase{"Open403", Operation::kOpen, Code::kPermissionDenied, Code::kPermissionDenied},
        FaultCase{"Open400", Operation::kOpen, Code::kInvalidArgument, Code::kInvalidArgument},
        FaultCase{"Open429", Operation::kOpen, Code::kResourceExhausted, Code::kResourceExhausted},
        FaultCase{"Open5xx", Operation::kOpen, Code::kUnavailable, Code::kUnavailable},
        FaultCase{"OpenTimeout", Operation::kOpen, Code::kDeadlineExceeded, Code::kUnavailable},
        FaultCase{"ReadSessionGone", Operation::kReadSession, Code::kNotFound, Code::kNotFound},
        FaultCase{"ReadTimeout", Operation::kReadSession, Code::kDeadlineExceeded,
                  Code::kUnavailable},
        FaultCase{"ReadTooLarge", Operation::kReadSession, Code::kResourceExhausted,
                  Code::kResourceExhausted},
        FaultCase{"Head401", Operation::kHead, Code::kUnauthenticated, Code::kUnauthenticated},
        FaultCase{"HeadDown", Operation::kHead, Code::kUnavailable, Code::kUnavailable},
        FaultCase{"HeadTimeout", Operation::kHead, Code::kDeadlineExceeded, Code::kUnavailable}),
    [](const ::testing::TestParamInfo<FaultCase>& fault) { return fault.param.name; });

TEST_F(CacheSubscribeTest, WithoutHeadItOpens) {
  for (const Code code : {Code::kUnimplemented, Code::kPermissionDenied, Code::kNotFound}) {
    api_->Fail(Operation::kHead, MakeTestError(code));
    EnvironmentCache::Request request = Request();
    request.key.identity = std::string(CodeName(code));
    EXPECT_TRUE(cache().Subscribe(std::move(request))) << CodeName(code);
  }
}

TEST_F(CacheSubscribeTest, RetryAfterIsHonouredForNewcomersToo) {
  api_->Fail(Operation::kOpen, MakeTestError(Code::kResourceExhausted, 30s), 1);
  EXPECT_FALSE(Subscribe());
  Advance(29s);
  const Result<Subscription> early = Subscribe();
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, Code::kResourceExhausted);
  EXPECT_EQ(api_->opens(), 1);
  Advance(1s);
  EXPECT_TRUE(Subscribe());
}

TEST_F(CacheSubscribeTest, AHungOpenEndsWithOpenTimeoutAndIsThereForTheNextOne) {
  api_->Block(Operation::kOpen);
  std::optional<Result<Subscription>> result;
  std::jthread subscriber([&] { result = Subscribe(); });
  ASSERT_TRUE(api_->WaitForBlocked(Operation::kOpen, 1));
  ASSERT_TRUE(clock_.AwaitSleepers(2));
  clock_.Advance(9s);
  subscriber.join();
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().code, Code::kUnavailable);
  EXPECT_THAT(result->error().message, HasSubstr("open environment acme/web/dev"));
  EXPECT_THAT(result->error().message, HasSubstr("within 9s"));

  api_->Release(Operation::kOpen);
  ASSERT_TRUE(Settle());
  EXPECT_TRUE(Subscribe());
  EXPECT_EQ(api_->opens(), 1);
}

TEST_F(CacheSubscribeTest, AStopEndsTheWait) {
  api_->Block(Operation::kOpen);
  std::optional<Result<Subscription>> result;
  std::jthread subscriber(
      [&](const std::stop_token& stop) { result = cache().Subscribe(Request(), stop); });
  ASSERT_TRUE(api_->WaitForBlocked(Operation::kOpen, 1));
  subscriber.request_stop();
  subscriber.join();
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().code, Code::kCancelled);
}

TEST_F(CacheSubscribeTest, HungEnvironmentsDoNotDelayAnother) {
  auto hung = std::make_shared<testing::FakeEscApi>();
  hung->Block(Operation::kHead);
  std::vector<std::jthread> waiting;
  const int count = options_.workers - 1;
  for (int i = 0; i < count; ++i) {
    waiting.emplace_back([&, i](const std::stop_token& stop) {
      EnvironmentCache::Request request = Request("acme/web/hung" + std::to_string(i));
      request.api = hung;
      EXPECT_FALSE(cache().Subscribe(std::move(request), stop));
    });
    // One after the other: cache() is created by the first.
    ASSERT_TRUE(hung->WaitForBlocked(Operation::kHead, i + 1));
  }
  EXPECT_TRUE(Subscribe());
  for (std::jthread& thread : waiting) thread.request_stop();
}

TEST_F(CacheSubscribeTest, EnvironmentsKnownToHangLeaveWorkersFree) {
  auto hung = std::make_shared<testing::FakeEscApi>();
  std::vector<Subscription> subscriptions;
  for (int i = 0; i < options_.workers; ++i) {
    const std::string name = "acme/web/hung" + std::to_string(i);
    hung->SetEnvironmentJson(name, "{}");
    EnvironmentCache::Request request = Request(name);
    request.api = hung;
    Result<Subscription> subscription = cache().Subscribe(std::move(request));
    ASSERT_TRUE(subscription);
    subscriptions.push_back(*std::move(subscription));
  }
  // Once they take 10 s all at the same time: from then on they are known to be slow.
  ASSERT_TRUE(Settle());
  hung->Block(Operation::kHead);
  clock_.Advance(10s);
  ASSERT_TRUE(hung->WaitForBlocked(Operation::kHead, options_.workers));
  clock_.Advance(10s);
  hung->Release(Operation::kHead);
  ASSERT_TRUE(Settle());

  hung->Block(Operation::kHead);
  clock_.Advance(10s);
  ASSERT_TRUE(hung->WaitForBlocked(Operation::kHead, options_.workers * 3 / 4));
  EXPECT_TRUE(Subscribe());
  EXPECT_EQ(hung->Blocked(Operation::kHead), options_.workers * 3 / 4);
  hung->Release(Operation::kHead);
}

TEST_F(CacheSubscribeTest, UnknownValuesAreAnErrorThatNamesThem) {
  api_->SetEnvironment(kDev, ObjectValue("password", UnknownValue()));
  const Result<Subscription> failed = Subscribe();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(failed.error().message, HasSubstr("password"));
}

}  // namespace
}  // namespace escagent::cache
