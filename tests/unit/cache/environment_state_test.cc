#include "agent/cache/environment_state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>

#include "tests/unit/cache/cache_fixture.h"

namespace escagent::cache {
namespace {

using Phase = EnvironmentState::Phase;
using Admission = EnvironmentState::Admission;

constexpr std::chrono::milliseconds kStateInterval = 10s;
constexpr Clock::TimePoint kStart{1000h};

esc::Value Content(std::string_view text) { return ObjectValue("hello", StringValue(text)); }

class EnvironmentStateTest : public ::testing::Test {
 protected:
  // An attempt that ends at `now_` after `took`.
  EnvironmentState::Change Apply(AttemptResult result, std::chrono::milliseconds took = 0ms) {
    static_cast<void>(state_.Plan(now_ - took, kStateInterval));
    return state_.Apply(std::move(result), {.started = now_ - took, .finished = now_},
                        kStateInterval);
  }
  static AttemptResult Opened(std::string_view text, std::string revision = "1",
                              bool same_content = false) {
    AttemptResult result;
    result.head = esc::EnvironmentHead{.etag = "etag-" + revision, .revision = revision};
    result.opened = Content(text);
    result.same_content = same_content;
    return result;
  }
  static AttemptResult Unchanged(std::string revision = "1") {
    AttemptResult result;
    result.head = esc::EnvironmentHead{.etag = "etag-" + revision, .revision = revision};
    return result;
  }
  static AttemptResult HeadFailed(Code code, std::chrono::milliseconds retry_after = {}) {
    AttemptResult result;
    result.head = std::unexpected(MakeTestError(code, retry_after));
    return result;
  }
  static AttemptResult OpenFailed(Code code, std::chrono::milliseconds retry_after = {}) {
    AttemptResult result = Unchanged();
    result.opened = std::unexpected(MakeTestError(code, retry_after));
    return result;
  }
  std::chrono::milliseconds UntilNext() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(state_.next_attempt() - now_);
  }

  Clock::TimePoint now_ = kStart;
  EnvironmentState state_{{.jitter = 0, .max_age = {.known = 1h, .dynamic = 1h, .unknown = 1h}}, 1};
};

TEST_F(EnvironmentStateTest, BeginsEmptyAndAsksForAnAttempt) {
  EXPECT_EQ(state_.phase(), Phase::kEmpty);
  EXPECT_EQ(state_.Admit(now_), Admission::kAttempt);
  EXPECT_EQ(state_.next_attempt(), Clock::TimePoint::max());
  const AttemptPlan plan = state_.Plan(now_, kStateInterval);
  EXPECT_TRUE(plan.head);
  EXPECT_EQ(plan.snapshot, nullptr);
}

TEST_F(EnvironmentStateTest, FirstSuccessPublishes) {
  const EnvironmentState::Change change = Apply(Opened("world", "7"));
  EXPECT_TRUE(change.snapshot);
  EXPECT_FALSE(change.error);
  EXPECT_EQ(state_.phase(), Phase::kFresh);
  EXPECT_EQ(state_.snapshot()->sequence, 1U);
  EXPECT_EQ(state_.snapshot()->revision, "7");
  EXPECT_EQ(state_.snapshot()->etag, "etag-7");
  EXPECT_EQ(state_.fresh_at(), now_);
  EXPECT_EQ(state_.Admit(now_), Admission::kServe);
  EXPECT_EQ(UntilNext(), kStateInterval);
}

TEST_F(EnvironmentStateTest, EqualContentKeepsTheSnapshotAndNotesTheRevision) {
  Apply(Opened("world", "1"));
  const auto before = state_.snapshot();
  now_ += 10s;
  const EnvironmentState::Change change = Apply(Opened("world", "2", /*same_content=*/true));
  EXPECT_FALSE(change.snapshot);
  EXPECT_EQ(state_.snapshot(), before);
  EXPECT_EQ(state_.revision(), "2");
  EXPECT_EQ(state_.fresh_at(), now_);
  EXPECT_EQ(state_.Plan(now_, kStateInterval).known->revision, "2");
}

TEST_F(EnvironmentStateTest, SequenceGrowsWithContent) {
  Apply(Opened("one"));
  const EnvironmentState::Change change = Apply(Opened("two", "2"));
  EXPECT_TRUE(change.snapshot);
  EXPECT_EQ(state_.snapshot()->sequence, 2U);
}

TEST_F(EnvironmentStateTest, FreshnessCountsFromTheStartOfTheAttempt) {
  Apply(Opened("world"), 3s);
  EXPECT_EQ(state_.fresh_at(), now_ - 3s);
  EXPECT_EQ(UntilNext(), kStateInterval);
}

TEST_F(EnvironmentStateTest, FailureWithoutASnapshotWaitsForSomebodyToAsk) {
  const EnvironmentState::Change change = Apply(OpenFailed(Code::kNotFound));
  EXPECT_TRUE(change.error);
  EXPECT_EQ(state_.phase(), Phase::kFailed);
  EXPECT_EQ(state_.last_error()->code, Code::kNotFound);
  EXPECT_EQ(state_.next_attempt(), Clock::TimePoint::max());
  EXPECT_EQ(state_.Admit(now_), Admission::kAttempt);
}

TEST_F(EnvironmentStateTest, RetryAfterHoldsNewcomersBack) {
  Apply(OpenFailed(Code::kResourceExhausted, 30s));
  EXPECT_EQ(state_.Admit(now_), Admission::kReject);
  EXPECT_EQ(state_.Admit(now_ + 29s), Admission::kReject);
  EXPECT_EQ(state_.Admit(now_ + 30s), Admission::kAttempt);
}

TEST_F(EnvironmentStateTest, RetryAfterIsNeverLongerThanMaxBackoff) {
  Apply(OpenFailed(Code::kResourceExhausted, 10h));
  EXPECT_EQ(state_.Admit(now_ + 60s), Admission::kAttempt);
  Apply(Opened("world"));
  Apply(HeadFailed(Code::kResourceExhausted, 10h));
  EXPECT_EQ(UntilNext(), 60s);
}

TEST_F(EnvironmentStateTest, FailuresBackOffAndKeepServing) {
  Apply(Opened("world"));
  const std::chrono::milliseconds expected[] = {1s, 2s, 4s, 8s, 10s, 10s, 10s};
  for (const std::chrono::milliseconds delay : expected) {
    Apply(HeadFailed(Code::kUnavailable));
    EXPECT_EQ(state_.phase(), Phase::kStale);
    EXPECT_EQ(UntilNext(), delay);
    EXPECT_EQ(state_.Admit(now_), Admission::kServe);
    now_ = state_.next_attempt();
  }
  const EnvironmentState::Change change = Apply(Unchanged());
  EXPECT_TRUE(change.error);
  EXPECT_TRUE(change.recovered);
  EXPECT_EQ(state_.phase(), Phase::kFresh);
  EXPECT_FALSE(state_.last_error());
  Apply(HeadFailed(Code::kUnavailable));
  EXPECT_EQ(UntilNext(), 1s);
}

TEST_F(EnvironmentStateTest, RetryAfterLengthensTheBackoff) {
  Apply(Opened("world"));
  Apply(HeadFailed(Code::kResourceExhausted, 20s));
  EXPECT_EQ(UntilNext(), 20s);
}

TEST_F(EnvironmentStateTest, TheSameErrorIsNoChange) {
  Apply(Opened("world"));
  EXPECT_TRUE(Apply(HeadFailed(Code::kUnavailable)).error);
  EXPECT_FALSE(Apply(HeadFailed(Code::kUnavailable)).error);
  EXPECT_TRUE(Apply(HeadFailed(Code::kNotFound)).error);
}

TEST_F(EnvironmentStateTest, ARefusalHoldsUntilASuccess) {
  Apply(Opened("world"));
  EXPECT_TRUE(Apply(HeadFailed(Code::kUnauthenticated)).refused);
  EXPECT_EQ(state_.phase(), Phase::kRefused);
  EXPECT_EQ(state_.Admit(now_), Admission::kAttempt);
  EXPECT_NE(state_.snapshot(), nullptr);
  EXPECT_EQ(UntilNext(), 1s);

  EXPECT_FALSE(Apply(HeadFailed(Code::kUnauthenticated)).refused);
  Apply(HeadFailed(Code::kUnavailable));  // no proof that the identity is good again
  EXPECT_EQ(state_.phase(), Phase::kRefused);
  EXPECT_EQ(state_.Admit(now_), Admission::kAttempt);

  Apply(Unchanged());
  EXPECT_EQ(state_.phase(), Phase::kFresh);
  EXPECT_EQ(state_.Admit(now_), Admission::kServe);
}

TEST_F(EnvironmentStateTest, A403RefusesThisEnvironmentOnly) {
  Apply(Opened("world"));
  EXPECT_FALSE(Apply(OpenFailed(Code::kPermissionDenied)).refused);
  EXPECT_EQ(state_.phase(), Phase::kRefused);
}

TEST_F(EnvironmentStateTest, MaxStaleEndsServingNewcomers) {
  Apply(Opened("world"));
  now_ += 24h;
  Apply(HeadFailed(Code::kUnavailable));
  EXPECT_EQ(state_.Admit(now_), Admission::kServe);
  EXPECT_FALSE(state_.Expired(now_));
  now_ += 1ms;
  EXPECT_EQ(state_.Admit(now_), Admission::kAttempt);
  EXPECT_TRUE(state_.Expired(now_));
  EXPECT_NE(state_.snapshot(), nullptr);
  Apply(Unchanged());
  EXPECT_EQ(state_.Admit(now_), Admission::kServe);
}

TEST_F(EnvironmentStateTest, HeadIsLeftOutForAnHourWhereItDoesNotHelp) {
  for (const Code code : {Code::kUnimplemented, Code::kPermissionDenied, Code::kNotFound}) {
    EnvironmentState state({.jitter = 0}, 1);
    AttemptResult result = HeadFailed(code);
    result.opened = Content("world");
    static_cast<void>(state.Plan(now_, kStateInterval));
    state.Apply(std::move(result), {.started = now_, .finished = now_}, kStateInterval);
    EXPECT_FALSE(state.Plan(now_ + 59min, kStateInterval).head);
    EXPECT_TRUE(state.Plan(now_ + 60min, kStateInterval).head);
  }
}

TEST_F(EnvironmentStateTest, HeadThatTellsNothingIsLeftOut) {
  AttemptResult result = Opened("world");
  result.head = esc::EnvironmentHead{};
  Apply(std::move(result));
  EXPECT_FALSE(state_.Plan(now_, kStateInterval).head);
}

TEST_F(EnvironmentStateTest, MaxAgeForcesAnOpen) {
  Apply(Opened("world"));
  EXPECT_FALSE(state_.Plan(now_ + 59min, kStateInterval).must_open);
  EXPECT_TRUE(state_.Plan(now_ + 60min, kStateInterval).must_open);
  now_ += 60min;
  Apply(Opened("world", "1", /*same_content=*/true));
  EXPECT_FALSE(state_.Plan(now_, kStateInterval).must_open);
}

TEST_F(EnvironmentStateTest, ARequestedOpenIsKeptUntilItSucceeds) {
  Apply(Opened("world"));
  state_.RequestOpen();
  EXPECT_TRUE(state_.Plan(now_, kStateInterval).must_open);
  state_.Apply(HeadFailed(Code::kUnavailable), {.started = now_, .finished = now_}, kStateInterval);
  EXPECT_TRUE(state_.Plan(now_, kStateInterval).must_open);
  state_.Apply(Opened("world"), {.started = now_, .finished = now_}, kStateInterval);
  EXPECT_FALSE(state_.Plan(now_, kStateInterval).must_open);
}

TEST_F(EnvironmentStateTest, AnOpenRequestedDuringAnAttemptIsNotLost) {
  Apply(Opened("world"));
  static_cast<void>(state_.Plan(now_, kStateInterval));
  state_.RequestOpen();
  state_.Apply(Unchanged(), {.started = now_, .finished = now_}, kStateInterval);
  EXPECT_TRUE(state_.Plan(now_, kStateInterval).must_open);
}

TEST_F(EnvironmentStateTest, SessionsLastTwoIntervalsAndFiveMinutesAtLeast) {
  EXPECT_EQ(state_.Plan(now_, 10s).session, 300s);
  EXPECT_EQ(state_.Plan(now_, 150s).session, 300s);
  EXPECT_EQ(state_.Plan(now_, 1h).session, 7200s);
  EXPECT_EQ(state_.Plan(now_, 200500ms).session, 401s);
}

TEST_F(EnvironmentStateTest, AShorterIntervalBringsTheNextAttemptForward) {
  Apply(Opened("world"));
  state_.ShortenInterval(now_, 4s);
  EXPECT_EQ(UntilNext(), 4s);
  state_.ShortenInterval(now_, 8s);
  EXPECT_EQ(UntilNext(), 4s);
  state_.ShortenInterval(now_ + 3s, 1s);
  EXPECT_EQ(UntilNext(), 3s);  // never in the past
}

TEST_F(EnvironmentStateTest, AShorterIntervalDoesNotCutABackoffShort) {
  Apply(Opened("world"));
  Apply(HeadFailed(Code::kResourceExhausted, 20s));
  state_.ShortenInterval(now_, 1s);
  EXPECT_EQ(UntilNext(), 20s);
}

TEST_F(EnvironmentStateTest, LongAttemptsMakeTheEnvironmentSlow) {
  Apply(Opened("world"), 1999ms);
  EXPECT_FALSE(state_.slow());
  Apply(HeadFailed(Code::kDeadlineExceeded), 10s);
  EXPECT_TRUE(state_.slow());
  Apply(Unchanged(), 5ms);
  EXPECT_FALSE(state_.slow());
}

TEST(EnvironmentStateJitter, DelaysAreNeverShorterThanTheInterval) {
  auto shortest = std::chrono::milliseconds::max();
  auto longest = std::chrono::milliseconds::min();
  EnvironmentState state({.jitter = 0.1}, 42);
  for (int i = 0; i < 1000; ++i) {
    AttemptResult result;
    result.head = esc::EnvironmentHead{.etag = "e", .revision = "1"};
    result.opened = Content("world");
    state.Apply(std::move(result), {.started = kStart, .finished = kStart}, kStateInterval);
    const auto delay =
        std::chrono::duration_cast<std::chrono::milliseconds>(state.next_attempt() - kStart);
    shortest = std::min(shortest, delay);
    longest = std::max(longest, delay);
  }
  EXPECT_GE(shortest, 10000ms);
  EXPECT_LE(longest, 11000ms);
  EXPECT_LT(shortest, 10050ms);
  EXPECT_GT(longest, 10950ms);
}

}  // namespace
}  // namespace escagent::cache
