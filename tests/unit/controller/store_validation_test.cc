#include "agent/controller/store_validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/fakes/fake_esc_api.h"

namespace escagent::controller {
namespace {

using escagent::testing::FakeEscApi;
using Operation = FakeEscApi::Operation;
using Kind = StoreVerdict::Kind;
using ::testing::HasSubstr;

const Clock::WallTime kNow{std::chrono::seconds(1767225600)};  // 2026-01-01T00:00:00Z

class StoreValidationTest : public ::testing::Test {
 protected:
  StoreValidationTest() { esc_.SetEnvironmentJson("acme/web/dev", R"({"a":"b"})"); }

  StoreVerdict Validate(const std::string& environment = "acme/web/dev") {
    return ValidateEnvironment(esc_, esc::EnvironmentRef::Parse(environment).value(), {});
  }

  FakeEscApi esc_;
};

TEST_F(StoreValidationTest, AHeadIsEnough) {
  EXPECT_EQ(Validate().kind, Kind::kValid);
  EXPECT_EQ(esc_.heads(), 1);
  EXPECT_EQ(esc_.opens(), 0);
}

TEST_F(StoreValidationTest, AMissingEnvironmentIsTheStoresFault) {
  const StoreVerdict verdict = Validate("acme/web/none");
  EXPECT_EQ(verdict.kind, Kind::kInvalid);
  EXPECT_THAT(verdict.message, HasSubstr("unable to validate store: "));
  EXPECT_THAT(verdict.message, HasSubstr("acme/web/none"));
}

TEST_F(StoreValidationTest, ABadTokenIsTheStoresFault) {
  esc_.Fail(Operation::kHead, {.code = Code::kUnauthenticated, .message = "bad token"});
  const StoreVerdict verdict = Validate();
  EXPECT_EQ(verdict.kind, Kind::kInvalid);
  EXPECT_EQ(verdict.message, "unable to validate store: bad token");
  EXPECT_EQ(esc_.opens(), 0);
}

TEST_F(StoreValidationTest, WhoMayNotLookMayStillOpen) {
  for (const Code code : {Code::kPermissionDenied, Code::kUnimplemented}) {
    esc_.Fail(Operation::kHead, {.code = code, .message = "no HEAD"});
    EXPECT_EQ(Validate().kind, Kind::kValid);
  }
  EXPECT_EQ(esc_.opens(), 2);
  esc_.Fail(Operation::kOpen, {.code = Code::kPermissionDenied, .message = "no open"});
  const StoreVerdict verdict = Validate();
  EXPECT_EQ(verdict.kind, Kind::kInvalid);
  EXPECT_EQ(verdict.message, "unable to validate store: no open");
}

TEST_F(StoreValidationTest, AServerThatDoesNotAnswerSaysNothing) {
  for (const Code code : {Code::kUnavailable, Code::kDeadlineExceeded, Code::kResourceExhausted}) {
    esc_.Fail(Operation::kHead,
              {.code = code, .message = "later", .retry_after = std::chrono::seconds(7)});
    const StoreVerdict verdict = Validate();
    EXPECT_EQ(verdict.kind, Kind::kUnknown);
    EXPECT_EQ(verdict.message, "could not determine validation status: later");
    EXPECT_EQ(verdict.retry_after, std::chrono::seconds(7));
  }
}

TEST_F(StoreValidationTest, TokensThatCannotBeReadNowAreNoFault) {
  EXPECT_EQ(CannotBeUsed({.code = Code::kUnavailable, .message = "away"}).kind, Kind::kUnknown);
  const StoreVerdict verdict =
      CannotBeUsed({.code = Code::kUnauthenticated, .message = "there is no such Secret"});
  EXPECT_EQ(verdict.kind, Kind::kInvalid);
  EXPECT_EQ(verdict.message, "unable to create client: there is no such Secret");
}

TEST(NextStoreStatusTest, AGoodStore) {
  const store::StoreStatus next = NextStoreStatus({}, {}, kNow);
  EXPECT_EQ(next.capabilities, "ReadWrite");
  ASSERT_EQ(next.conditions.size(), 1U);
  EXPECT_EQ(next.conditions[0],
            (store::StatusCondition{.type = "Ready",
                                    .status = "True",
                                    .reason = "Valid",
                                    .message = "store validated",
                                    .last_transition_time = "2026-01-01T00:00:00Z"}));
  EXPECT_EQ(NextStoreStatus(next, {}, kNow + std::chrono::hours(1)), next);
}

TEST(NextStoreStatusTest, TimesMoveOnlyWithTheStatus) {
  const StoreVerdict bad{.kind = Kind::kInvalid, .message = "first"};
  const store::StoreStatus first = NextStoreStatus({}, bad, kNow);
  EXPECT_EQ(first.Ready()->status, "False");
  EXPECT_EQ(first.Ready()->reason, "InvalidProviderConfig");
  EXPECT_EQ(first.Ready()->message, "first");
  const auto later = kNow + std::chrono::hours(1);
  const store::StoreStatus second =
      NextStoreStatus(first, {.kind = Kind::kInvalid, .message = "second"}, later);
  EXPECT_EQ(second.Ready()->message, "second");
  EXPECT_EQ(second.Ready()->last_transition_time, "2026-01-01T00:00:00Z");
  const store::StoreStatus good = NextStoreStatus(second, {}, later);
  EXPECT_EQ(good.Ready()->last_transition_time, "2026-01-01T01:00:00Z");
}

TEST(NextStoreStatusTest, NothingKnownChangesNothingButTheReason) {
  const StoreVerdict unknown{.kind = Kind::kUnknown, .message = "away"};
  const store::StoreStatus never = NextStoreStatus({}, unknown, kNow);
  EXPECT_EQ(never.Ready()->status, "False");
  EXPECT_EQ(never.Ready()->reason, "ValidationUnknown");
  const store::StoreStatus good = NextStoreStatus({}, {}, kNow);
  const store::StoreStatus still = NextStoreStatus(good, unknown, kNow + std::chrono::hours(1));
  EXPECT_EQ(still.Ready()->status, "True");
  EXPECT_EQ(still.Ready()->reason, "ValidationUnknown");
  EXPECT_EQ(still.Ready()->message, "away");
  EXPECT_EQ(still.Ready()->last_transition_time, "2026-01-01T00:00:00Z");
}

TEST(NextStoreStatusTest, OtherConditionsStay) {
  store::StoreStatus before;
  before.conditions.push_back(
      {.type = "Other", .status = "True", .reason = "", .message = "", .last_transition_time = ""});
  const store::StoreStatus next = NextStoreStatus(before, {}, kNow);
  ASSERT_EQ(next.conditions.size(), 2U);
  EXPECT_EQ(next.conditions[0].type, "Other");
}

}  // namespace
}  // namespace escagent::controller
