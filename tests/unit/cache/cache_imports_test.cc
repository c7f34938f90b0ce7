#include <gtest/gtest.h>

#include <string>

#include "tests/unit/cache/cache_fixture.h"

namespace escagent::cache {
namespace {

constexpr char kBase[] = "acme/web/base";
constexpr char kProd[] = "acme/web/prod";

// Environments that import others.
class CacheImportsTest : public CacheTest {
 protected:
  CacheImportsTest() {
    api_->SetDefinition(kDev, "imports: [web/base]");
    api_->SetEnvironmentJson(kBase, "{}");
    api_->SetEnvironmentJson(kProd, R"({"hello": "prod"})");
    api_->SetDefinition(kProd, "imports: [web/base]");
  }
  int Gets() const { return api_->Calls(Operation::kGetDefinition); }
};

TEST_F(CacheImportsTest, NothingIsOpenedOrReadWhileNothingChanges) {
  const Result<Subscription> subscription = Subscribe();
  ASSERT_TRUE(subscription);
  ASSERT_TRUE(Settle());
  EXPECT_EQ(subscription->Status().closure, ImportClosure::Kind::kStatic);
  EXPECT_EQ(subscription->Status().imports, 1);
  const int gets = Gets();
  EXPECT_EQ(gets, 2);
  const int heads = api_->heads();
  for (int i = 0; i < 10; ++i) ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(api_->heads(), heads + 20);
  EXPECT_EQ(api_->opens(), 1);
  EXPECT_EQ(Gets(), gets);
}

TEST_F(CacheImportsTest, AChangedImportIsSeenWithinAnInterval) {
  const Result<Subscription> subscription = Subscribe();
  ASSERT_TRUE(subscription);
  ASSERT_TRUE(Settle());
  api_->SetValuesOnly(kDev, ObjectValue("hello", StringValue("imported")));
  api_->SetEnvironmentJson(kBase, "{}");
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(Text(subscription->Status()), "imported");
  EXPECT_EQ(api_->opens(), 2);
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(api_->opens(), 2);
}

TEST_F(CacheImportsTest, ADeletedImportIsOpenedOnce) {
  const Result<Subscription> subscription = Subscribe();
  ASSERT_TRUE(subscription);
  ASSERT_TRUE(Settle());
  api_->RemoveEnvironment(kBase);
  for (int i = 0; i < 3; ++i) ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(api_->opens(), 2);
}

TEST_F(CacheImportsTest, AnImportsNewImportIsFollowed) {
  const Result<Subscription> subscription = Subscribe();
  ASSERT_TRUE(subscription);
  ASSERT_TRUE(Settle());
  const int gets = Gets();
  api_->SetEnvironmentJson("acme/web/deep", "{}");
  api_->SetEnvironmentJson(kBase, "{}");
  api_->SetDefinition(kBase, "imports: [web/deep]");
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(subscription->Status().imports, 2);
  EXPECT_EQ(Gets(), gets + 2);  // the changed one and the new one
  api_->SetValuesOnly(kDev, ObjectValue("hello", StringValue("deep")));
  api_->SetEnvironmentJson("acme/web/deep", "{}");
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_EQ(Text(subscription->Status()), "deep");
}

TEST_F(CacheImportsTest, ASharedImportIsAskedForOnceAnIntervalAndToldToAll) {
  const Result<Subscription> dev = Subscribe();
  ASSERT_TRUE(dev);
  ASSERT_NO_FATAL_FAILURE(Advance(4s));
  const Result<Subscription> prod = Subscribe(kProd);
  ASSERT_TRUE(prod);
  ASSERT_TRUE(Settle());
  EXPECT_EQ(Gets(), 3);  // base is read once
  const int before = api_->CallsOf(Operation::kHead, kBase);
  for (int i = 0; i < 20; ++i) ASSERT_NO_FATAL_FAILURE(Advance(5s));
  EXPECT_LE(api_->CallsOf(Operation::kHead, kBase) - before, 11);

  // Who finds the change out tells the others, however soon their own time is.
  api_->SetEnvironmentJson(kBase, "{}");
  api_->SetValuesOnly(kDev, ObjectValue("hello", StringValue("new")));
  api_->SetValuesOnly(kProd, ObjectValue("hello", StringValue("new")));
  const int heads = api_->CallsOf(Operation::kHead, kBase);
  while (api_->CallsOf(Operation::kHead, kBase) == heads) ASSERT_NO_FATAL_FAILURE(Advance(1s));
  EXPECT_EQ(Text(dev->Status()), "new");
  EXPECT_EQ(Text(prod->Status()), "new");
}

TEST_F(CacheImportsTest, AnImportThatCannotBeLookedAtMakesTheEnvironmentStale) {
  const Result<Subscription> subscription = Subscribe();
  ASSERT_TRUE(subscription);
  ASSERT_TRUE(Settle());
  api_->FailOnly(Operation::kHead, kBase, MakeTestError(Code::kUnavailable));
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  ASSERT_TRUE(subscription->Status().last_error);
  EXPECT_EQ(Text(subscription->Status()), "world");
  EXPECT_EQ(api_->opens(), 1);
}

TEST_F(CacheImportsTest, WhatIsSaidToHaveChangedIsOpenedByAllWhoImportIt) {
  api_->SetEnvironmentJson("acme/web/alone", "{}");
  const Result<Subscription> dev = Subscribe();
  const Result<Subscription> prod = Subscribe(kProd);
  const Result<Subscription> alone = Subscribe("acme/web/alone");
  ASSERT_TRUE(dev && prod && alone);
  ASSERT_TRUE(Settle());
  const int opens = api_->opens();
  EXPECT_EQ(cache().EnvironmentChanged(*esc::EnvironmentRef::Parse(kBase), 1s), 2);
  ASSERT_NO_FATAL_FAILURE(Advance(1s));
  EXPECT_EQ(api_->opens(), opens + 2);
  EXPECT_EQ(cache().EnvironmentChanged(*esc::EnvironmentRef::Parse("acme/web/alone"), 1s), 1);
  EXPECT_EQ(cache().EnvironmentChanged(*esc::EnvironmentRef::Parse("acme/web/none"), 1s), 0);
}

TEST_F(CacheImportsTest, OutageWithManyEnvironmentsIsOneHeadEach) {
  const Result<Subscription> dev = Subscribe();
  const Result<Subscription> prod = Subscribe(kProd);
  ASSERT_TRUE(dev && prod);
  ASSERT_TRUE(Settle());
  api_->Fail(Operation::kHead, MakeTestError(Code::kDeadlineExceeded));
  for (int i = 0; i < 60; ++i) ASSERT_NO_FATAL_FAILURE(Advance(10s));
  const int opens = api_->opens();
  const int gets = Gets();
  // A new volume of a known identity is served meanwhile.
  EXPECT_TRUE(Subscribe(kProd));
  const int heads = api_->heads();
  for (int i = 0; i < 6; ++i) ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_LE(api_->heads() - heads, 12);
  EXPECT_EQ(api_->opens(), opens);
  EXPECT_EQ(Gets(), gets);
  api_->StopFailing(Operation::kHead);
  ASSERT_NO_FATAL_FAILURE(Advance(10s));
  EXPECT_FALSE(dev->Status().last_error);
  EXPECT_FALSE(prod->Status().last_error);
  EXPECT_EQ(api_->opens(), opens);
}

}  // namespace
}  // namespace escagent::cache
