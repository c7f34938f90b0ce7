#include "agent/identity/renewed_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "tests/unit/identity/identity_fixture.h"

namespace escagent::identity {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class RenewedTokenTest : public IdentityFixture {
 protected:
  // The token's text, or the code of the error.
  std::string Get() {
    const auto token = token_.Get({});
    return token ? std::string((*token)->Reveal()) : std::string(CodeName(token.error().code));
  }

  const std::shared_ptr<FakeSubject> subject_ = std::make_shared<FakeSubject>();
  const esc::TokenExchange exchange_{{}, transport_, clock_};
  CountedExchange counted_{exchange_};
  RenewedToken token_{
      {kApiUrl, {.organization = "acme"}, "somebody"}, subject_, 3600s, counted_, clock_};
};

TEST_F(RenewedTokenTest, IsExchangedOnceAndKept) {
  Grant("first");
  EXPECT_FALSE(token_.IsAdmitted());
  EXPECT_EQ(Get(), "first");
  EXPECT_EQ(Get(), "first");
  EXPECT_EQ(Exchanges(), 1U);
  EXPECT_TRUE(token_.IsAdmitted());
  EXPECT_THAT(transport_.Requests()[0].body, HasSubstr("expiration=3600"));
  EXPECT_THAT(transport_.Requests()[0].body, HasSubstr("subject_token=subject-token"));
  EXPECT_EQ(counted_.Counts().succeeded, 1U);
}

TEST_F(RenewedTokenTest, IsRenewedBeforeItEndsWithTheNewestSubject) {
  Grant("first", 1000);
  EXPECT_EQ(Get(), "first");
  const Clock::TimePoint start = clock_.Now();
  EXPECT_GE(token_.RenewAt(), start + 700s);
  EXPECT_LE(token_.RenewAt(), start + 800s);
  clock_.Advance(699s);
  token_.RenewIfDue({});
  EXPECT_EQ(Exchanges(), 1U);
  clock_.Advance(102s);
  Grant("second", 1000);
  subject_->Set("new-subject");
  token_.RenewIfDue({});
  EXPECT_EQ(Exchanges(), 2U);
  EXPECT_THAT(transport_.Requests()[1].body, HasSubstr("subject_token=new-subject"));
  EXPECT_EQ(Get(), "second");
  EXPECT_GT(token_.RenewAt(), clock_.Now() + 600s);
}

TEST_F(RenewedTokenTest, AnOutageEndsNothingBeforeTheTokenDoes) {
  Grant("first", 1000);
  EXPECT_EQ(Get(), "first");
  BreakDown();
  clock_.Advance(850s);
  token_.RenewIfDue({});
  EXPECT_EQ(Exchanges(), 2U);
  EXPECT_EQ(Get(), "first");
  EXPECT_GT(token_.RenewAt(), clock_.Now());
  clock_.Advance(200s);
  EXPECT_EQ(Get(), "UNAVAILABLE");
  EXPECT_TRUE(token_.IsAdmitted());
  // Not again at once.
  const std::size_t exchanges = Exchanges();
  EXPECT_EQ(Get(), "UNAVAILABLE");
  EXPECT_EQ(Exchanges(), exchanges);
  Grant("second");
  clock_.Advance(15s);
  EXPECT_EQ(Get(), "second");
}

TEST_F(RenewedTokenTest, ADenialEndsItAtOnce) {
  Grant("first", 1000);
  EXPECT_EQ(Get(), "first");
  Deny();
  clock_.Advance(850s);
  token_.RenewIfDue({});
  EXPECT_EQ(Get(), "PERMISSION_DENIED");
  EXPECT_FALSE(token_.IsAdmitted());
  EXPECT_EQ(token_.RenewAt(), Clock::TimePoint::max());
  EXPECT_EQ(counted_.Counts().denied, 1U);
  Grant("second");
  clock_.Advance(2s);
  EXPECT_EQ(Get(), "second");
  EXPECT_TRUE(token_.IsAdmitted());
}

TEST_F(RenewedTokenTest, ARefusedTokenIsReplaced) {
  Grant("first");
  EXPECT_EQ(Get(), "first");
  Grant("second");
  token_.Refuse(Secret(std::string_view("another")));
  EXPECT_EQ(Get(), "first");
  token_.Refuse(Secret(std::string_view("first")));
  EXPECT_EQ(Get(), "second");
  // Somebody who was slower.
  token_.Refuse(Secret(std::string_view("first")));
  EXPECT_EQ(Get(), "second");
}

TEST_F(RenewedTokenTest, RecheckRenewsAheadOfTime) {
  Grant("first");
  EXPECT_EQ(Get(), "first");
  Deny();
  token_.Recheck();
  token_.RenewIfDue({});
  EXPECT_EQ(Get(), "PERMISSION_DENIED");
}

TEST_F(RenewedTokenTest, WithoutASubjectNothingIsAsked) {
  subject_->Fail(Error{.code = Code::kUnavailable, .message = "none yet"});
  EXPECT_EQ(Get(), "UNAVAILABLE");
  EXPECT_EQ(Exchanges(), 0U);
  subject_->Fail(std::nullopt);
  Grant("first");
  clock_.Advance(2s);
  EXPECT_EQ(Get(), "first");
}

TEST_F(RenewedTokenTest, RetryAfterIsHonoured) {
  Answer(429, "", {{"Retry-After", "40"}});
  EXPECT_EQ(Get(), "UNAVAILABLE");
  Grant("first");
  clock_.Advance(39s);
  EXPECT_EQ(Get(), "UNAVAILABLE");
  EXPECT_EQ(Exchanges(), 1U);
  clock_.Advance(2s);
  EXPECT_EQ(Get(), "first");
}

TEST_F(RenewedTokenTest, AdoptsWhatWasExchangedElsewhere) {
  token_.Adopt({.token = Secret(std::string_view("adopted")), .lifetime = 1000s}, clock_.Now());
  EXPECT_EQ(Get(), "adopted");
  EXPECT_EQ(Exchanges(), 0U);
  EXPECT_LE(token_.RenewAt(), clock_.Now() + 800s);
}

TEST_F(RenewedTokenTest, ManyThreadsShareOneExchange) {
  Grant("first");
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this] { EXPECT_EQ(Get(), "first"); });
  }
  threads.clear();
  EXPECT_EQ(Exchanges(), 1U);
}

TEST_F(RenewedTokenTest, AShortLifetimeIsUsedForMostOfIt) {
  Grant("first", 5);
  EXPECT_EQ(Get(), "first");
  EXPECT_GE(token_.RenewAt(), clock_.Now() + 3s);
  clock_.Advance(4400ms);
  EXPECT_EQ(Get(), "first");
}

}  // namespace
}  // namespace escagent::identity
