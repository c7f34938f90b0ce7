#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "tests/unit/cache/cache_fixture.h"

namespace escagent::cache {
namespace {

class CacheFailureTest : public CacheTest {};

TEST_F(CacheFailureTest, TheLastGoodSnapshotStaysAndAttemptsBackOff) {
  std::atomic<int> calls = 0;
  const Result<Subscription> subscription = Subscribe(kDev, [&] { ++calls; });
  ASSERT_TRUE(subscription);
  const auto fresh_at = subscription->Status().fresh_at;
  api_->Fail(Operation::kHead, MakeTestError(Code::kUnavailable));
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  for (const std::chrono::milliseconds delay : {1s, 2s, 4s, 8s, 10s, 10s}) {
    const EnvironmentStatus status = subscription->Status();
    EXPECT_EQ(Text(status), "world");
    ASSERT_TRUE(status.last_error);
    EXPECT_EQ(status.last_error->code, Code::kUnavailable);
    EXPECT_EQ(status.fresh_at, fresh_at);
    EXPECT_EQ(status.next_refresh, clock_.Now() + delay);
    const int heads = api_->heads();
    ASSERT_NO_FATAL_FAILURE(Advance(delay - 1ms));
    EXPECT_EQ(api_->heads(), heads);
    ASSERT_NO_FATAL_FAILURE(Advance(1ms));
    EXPECT_EQ(api_->heads(), heads + 1);
  }
  EXPECT_EQ(calls, 1);  // the same error all along
  EXPECT_EQ(api_->opens(), 1);

  api_->StopFailing(Operation::kHead);
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_FALSE(subscription->Status().last_error);
  EXPECT_EQ(calls, 2);
}

TEST_F(CacheFailureTest, RetryAfterIsHonoured) {
  const Result<Subscription> subscription = Subscribe();
  ASSERT_TRUE(subscription);
  api_->Fail(Operation::kHead, MakeTestError(Code::kResourceExhausted, 25s), 1);
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  const int heads = api_->heads();
  ASSERT_NO_FATAL_FAILURE(Advance(24999ms));
  EXPECT_EQ(api_->heads(), heads);
  ASSERT_NO_FATAL_FAILURE(Advance(1ms));
  EXPECT_EQ(api_->heads(), heads + 1);
}

TEST_F(CacheFailureTest, AStaleSnapshotIsServedToNewcomersUntilMaxStale) {
  options_.max_stale = 60s;
  const Result<Subscription> first = Subscribe();
  ASSERT_TRUE(first);
  api_->Fail(Operation::kHead, MakeTestError(Code::kUnavailable));
  ASSERT_NO_FATAL_FAILURE(Advance(60s));
  EXPECT_TRUE(Subscribe());
  ASSERT_NO_FATAL_FAILURE(Advance(1ms));
  const Result<Subscription> late = Subscribe();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kUnavailable);
  EXPECT_TRUE(first->Status().expired);
  EXPECT_EQ(Text(first->Status()), "world");

  api_->StopFailing(Operation::kHead);
  EXPECT_TRUE(Subscribe());
  EXPECT_FALSE(first->Status().expired);
}

class CacheRefusalTest : public CacheTest, public ::testing::WithParamInterface<Code> {};

TEST_P(CacheRefusalTest, NewcomersAreRefusedWhileOthersKeepTheLastGood) {
  const Result<Subscription> first = Subscribe();
  ASSERT_TRUE(first);
  api_->Fail(Operation::kHead, MakeTestError(GetParam()));
  api_->Fail(Operation::kOpen, MakeTestError(GetParam()));
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(Text(first->Status()), "world");
  ASSERT_TRUE(first->Status().last_error);
  EXPECT_EQ(first->Status().last_error->code, GetParam());

  const Result<Subscription> second = Subscribe();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, GetParam());

  api_->StopFailing(Operation::kHead);
  api_->StopFailing(Operation::kOpen);
  EXPECT_TRUE(Subscribe());
  EXPECT_FALSE(first->Status().last_error);
}

INSTANTIATE_TEST_SUITE_P(Codes, CacheRefusalTest,
                         ::testing::Values(Code::kUnauthenticated, Code::kPermissionDenied),
                         [](const ::testing::TestParamInfo<Code>& code) {
                           return std::string(CodeName(code.param));
                         });

TEST_F(CacheFailureTest, AnOutageAfterARefusalDoesNotAdmitNewcomers) {
  const Result<Subscription> first = Subscribe();
  ASSERT_TRUE(first);
  api_->Fail(Operation::kHead, MakeTestError(Code::kUnauthenticated), 1);
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  api_->Fail(Operation::kHead, MakeTestError(Code::kUnavailable));
  const Result<Subscription> second = Subscribe();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
}

TEST_F(CacheFailureTest, A401IsLearntByTheIdentitysOtherEnvironmentsAtOnce) {
  api_->SetEnvironmentJson("acme/web/prod", "{}");
  EnvironmentCache::Request rare = Request("acme/web/prod");
  rare.interval = 1h;
  const Result<Subscription> prod = cache().Subscribe(std::move(rare));
  EnvironmentCache::Request other = Request("acme/web/prod");
  other.interval = 1h;
  other.key.identity = "somebody else";
  other.api = std::make_shared<testing::FakeEscApi>();
  static_cast<testing::FakeEscApi&>(*other.api).SetEnvironmentJson("acme/web/prod", "{}");
  const Result<Subscription> others = cache().Subscribe(std::move(other));
  const Result<Subscription> dev = Subscribe();
  ASSERT_TRUE(prod && others && dev);
  api_->Fail(Operation::kHead, MakeTestError(Code::kUnauthenticated));
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  ASSERT_TRUE(prod->Status().last_error);
  EXPECT_EQ(prod->Status().last_error->code, Code::kUnauthenticated);
  EXPECT_FALSE(others->Status().last_error);
}

TEST_F(CacheFailureTest, ADeletedEnvironmentKeepsItsValuesUntilItIsBack) {
  const Result<Subscription> subscription = Subscribe();
  ASSERT_TRUE(subscription);
  api_->RemoveEnvironment(kDev);
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(Text(subscription->Status()), "world");
  ASSERT_TRUE(subscription->Status().last_error);
  EXPECT_EQ(subscription->Status().last_error->code, Code::kNotFound);
  EXPECT_EQ(api_->opens(), 1);

  api_->SetEnvironmentJson(kDev, R"({"hello": "again"})");
  api_->SetEnvironmentJson(kDev, R"({"hello": "again"})");
  ASSERT_NO_FATAL_FAILURE(Advance(1s));
  EXPECT_EQ(Text(subscription->Status()), "again");
  EXPECT_FALSE(subscription->Status().last_error);
}

TEST_F(CacheFailureTest, UnknownValuesAreNotPublished) {
  std::atomic<int> calls = 0;
  const Result<Subscription> subscription = Subscribe(kDev, [&] { ++calls; });
  ASSERT_TRUE(subscription);
  api_->SetEnvironment(kDev, ObjectValue("hello", UnknownValue()));
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(Text(subscription->Status()), "world");
  ASSERT_TRUE(subscription->Status().last_error);
  EXPECT_EQ(subscription->Status().last_error->code, Code::kFailedPrecondition);
  EXPECT_EQ(calls, 1);
}

TEST_F(CacheFailureTest, ACallbackSeesTheStateItIsCalledFor) {
  std::atomic<const Subscription*> seen = nullptr;
  std::atomic<bool> had_error = false;
  const Result<Subscription> subscription =
      Subscribe(kDev, [&] { had_error = seen.load()->Status().last_error.has_value(); });
  ASSERT_TRUE(subscription);
  seen = &*subscription;
  api_->Fail(Operation::kHead, MakeTestError(Code::kUnavailable), 1);
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_TRUE(had_error);
  ASSERT_NO_FATAL_FAILURE(Advance(1s));
  EXPECT_FALSE(had_error);
}

TEST_F(CacheFailureTest, Statistics) {
  const Result<Subscription> subscription = Subscribe();
  ASSERT_TRUE(subscription);
  api_->Fail(Operation::kHead, MakeTestError(Code::kUnavailable), 1);
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  api_->SetEnvironmentJson(kDev, R"({"hello": "moon"})");
  api_->Fail(Operation::kOpen, MakeTestError(Code::kUnavailable), 1);
  ASSERT_NO_FATAL_FAILURE(Advance(1s));
  ASSERT_NO_FATAL_FAILURE(Advance(2s));
  const CacheStats stats = cache().Stats();
  EXPECT_EQ(stats.heads, 4U);
  EXPECT_EQ(stats.head_failures, 1U);
  EXPECT_EQ(stats.opens, 3U);
  EXPECT_EQ(stats.open_failures, 1U);
  EXPECT_EQ(stats.published, 2U);
  EXPECT_EQ(stats.in_flight, 0);
}

}  // namespace
}  // namespace escagent::cache
