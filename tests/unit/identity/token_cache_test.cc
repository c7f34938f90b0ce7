#include "agent/identity/token_cache.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/unit/identity/identity_fixture.h"

namespace escagent::identity {
namespace {

using namespace std::chrono_literals;

class TokenCacheTest : public IdentityFixture {
 protected:
  std::shared_ptr<RenewedToken> Find(const std::string& subject) {
    return cache_.Find({kApiUrl, {.organization = "acme"}, subject},
                       [] { return std::make_shared<FakeSubject>(); });
  }
  // Moves the clock once the cache's thread sleeps by it.
  void Advance(std::chrono::seconds by) {
    ASSERT_TRUE(clock_.AwaitSleepers(1));
    clock_.Advance(by);
  }

  TokenCache cache_{{.max_idle = 2}, transport_, clock_};
};

TEST_F(TokenCacheTest, OneTokenForAnIdentity) {
  Grant("first");
  const auto a = Find("a");
  EXPECT_EQ(Find("a"), a);
  EXPECT_NE(Find("b"), a);
  EXPECT_EQ(cache_.Peek(a->key()), a);
  EXPECT_EQ(cache_.Peek({kApiUrl, {.organization = "acme"}, "c"}), nullptr);
}

TEST_F(TokenCacheTest, RenewsInTheBackgroundWhatIsHeld) {
  Grant("first", 1000);
  const auto token = Find("a");
  ASSERT_TRUE(token->Get({}));
  Grant("second", 1000);
  for (int i = 0; i < 17; ++i) Advance(50s);
  EXPECT_TRUE(Eventually([&] { return Exchanges() == 2; }));
  EXPECT_TRUE(Eventually([&] { return (*token->Get({}))->Equals("second"); }));
}

TEST_F(TokenCacheTest, ForgetsWhatNobodyHolds) {
  Grant("first", 3000);
  const auto held = Find("held");
  ASSERT_TRUE(held->Get({}));
  Find("idle");
  EXPECT_EQ(cache_.Stats().identities, 2U);
  Advance(11min);
  EXPECT_TRUE(Eventually([&] { return cache_.Stats().identities == 1; }));
  EXPECT_EQ(cache_.Peek(held->key()), held);
}

TEST_F(TokenCacheTest, KeepsFewThatAreIdle) {
  for (int i = 0; i < 5; ++i) Find(std::to_string(i));
  Advance(6s);
  EXPECT_TRUE(Eventually([&] { return cache_.Stats().identities == 2; }));
}

TEST_F(TokenCacheTest, RecheckIsDoneInTheBackground) {
  Grant("first");
  const auto token = Find("a");
  ASSERT_TRUE(token->Get({}));
  Deny();
  cache_.Recheck(token->key());
  EXPECT_TRUE(Eventually([&] { return !token->IsAdmitted(); }));
  EXPECT_EQ(token->Get({}).error().code, Code::kPermissionDenied);
}

}  // namespace
}  // namespace escagent::identity
