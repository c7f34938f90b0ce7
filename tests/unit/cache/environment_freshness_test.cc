#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "agent/cache/environment_state.h"
#include "tests/unit/cache/cache_fixture.h"

namespace escagent::cache {
namespace {

using Kind = ImportClosure::Kind;

constexpr std::chrono::milliseconds kInterval = 10s;

// When an environment is opened although nothing was seen to change, and when it is asked for after
// a failure.
class EnvironmentFreshnessTest : public ::testing::Test {
 protected:
  static esc::EnvironmentHead HeadOf(std::string revision) {
    return {.etag = "etag-" + revision, .revision = std::move(revision)};
  }
  void Open(esc::Value values = ObjectValue("hello", StringValue("world")),
            std::string revision = "1") {
    AttemptResult result;
    result.head = HeadOf(std::move(revision));
    result.opened = std::move(values);
    result.session_id = "session";
    Apply(std::move(result));
  }
  EnvironmentState::Change Apply(AttemptResult result) {
    static_cast<void>(state_.Plan(now_, kInterval));
    return state_.Apply(std::move(result),
                        {.started = now_, .finished = now_, .wall_finished = wall_}, kInterval);
  }
  EnvironmentState::Change Look(Result<esc::EnvironmentHead> head = HeadOf("1")) {
    AttemptResult result;
    result.head = std::move(head);
    return Apply(std::move(result));
  }
  void Learn(Kind kind, std::optional<std::chrono::milliseconds> lifetime = {}) {
    ASSERT_TRUE(state_.ClosureDue(now_));
    ImportClosure closure;
    closure.kind = kind;
    closure.lifetime = lifetime;
    state_.TakeClosure(std::move(closure), now_, kInterval);
  }
  // How long after now the first attempt opens if only HEADs without news are made until then.
  std::chrono::seconds UntilOpen() {
    const Clock::TimePoint start = now_;
    while (!state_.Plan(now_, kInterval).must_open) {
      now_ = state_.next_attempt();
      if (now_ - start > 10h) break;
      if (!state_.Plan(now_, kInterval).must_open) Look();
    }
    return std::chrono::duration_cast<std::chrono::seconds>(now_ - start);
  }

  Clock::TimePoint now_{1000h};
  Clock::WallTime wall_{1767225600s};  // 2026-01-01T00:00:00Z
  EnvironmentState state_{{.jitter = 0, .max_age = {.known = 1h}, .shared_interval = kInterval}, 1};
};

TEST_F(EnvironmentFreshnessTest, WhoWantsToKnowSoonerThanOthersLookAsksByItself) {
  Open();
  EXPECT_TRUE(state_.Plan(now_, kInterval).accept_shared);
  EXPECT_FALSE(state_.Plan(now_, kInterval / 2).accept_shared);
}

TEST_F(EnvironmentFreshnessTest, WhatManyOpenedAtOnceIsOpenedAgainAtDifferentTimes) {
  std::set<std::chrono::seconds> times;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    EnvironmentState state({.max_age = {.known = 1h}}, seed * 123456789);
    AttemptResult result;
    result.head = HeadOf("1");
    result.opened = esc::Value::MakeObject({});
    static_cast<void>(state.Plan(now_, kInterval));
    state.Apply(std::move(result), {.started = now_, .finished = now_, .wall_finished = wall_},
                kInterval);
    ImportClosure closure;
    closure.kind = Kind::kStatic;
    state.TakeClosure(std::move(closure), now_, kInterval);
    Clock::TimePoint time = now_;
    while (!state.Plan(time, kInterval).must_open) time += 10s;
    times.insert(std::chrono::duration_cast<std::chrono::seconds>(time - now_));
  }
  EXPECT_GE(times.size(), 8U);
  EXPECT_GE(*times.begin(), 54min);
  EXPECT_LE(*times.rbegin(), 1h);
}

TEST_F(EnvironmentFreshnessTest, MaxAgeGoesByTheClosure) {
  Open();
  EXPECT_EQ(UntilOpen(), 10min);  // not known
  Open();
  Learn(Kind::kStatic);
  EXPECT_EQ(UntilOpen(), 1h);
  Open({}, "2");
  Learn(Kind::kDynamic);
  EXPECT_EQ(UntilOpen(), 5min);
}

TEST_F(EnvironmentFreshnessTest, TheClosureIsLearnedOncePerRevision) {
  Open();
  EXPECT_EQ(state_.ClosureDue(now_), "session");
  Learn(Kind::kStatic);
  EXPECT_FALSE(state_.ClosureDue(now_));
  Look();
  Open();
  EXPECT_FALSE(state_.ClosureDue(now_));
  Open(ObjectValue("hello", StringValue("world")), "2");
  EXPECT_TRUE(state_.ClosureDue(now_));
}

TEST_F(EnvironmentFreshnessTest, AClosureThatCannotBeLearnedIsTriedAgainLater) {
  Open();
  state_.TakeClosure(std::unexpected(MakeTestError(Code::kUnavailable)), now_, kInterval);
  EXPECT_FALSE(state_.ClosureDue(now_ + 59s));
  EXPECT_TRUE(state_.ClosureDue(now_ + 60s));
}

TEST_F(EnvironmentFreshnessTest, MembersFoundAfterTheOpenAreConfirmedByOne) {
  Open();
  ImportClosure closure;
  closure.kind = Kind::kStatic;
  closure.members = {{.ref = *esc::EnvironmentRef::Parse("acme/web/base"), .head = HeadOf("4")}};
  state_.TakeClosure(closure, now_, kInterval);
  EXPECT_EQ(UntilOpen(), 5min);
  Open();
  EXPECT_EQ(UntilOpen(), 1h);
}

TEST_F(EnvironmentFreshnessTest, AMembersChangeAfterTheOpenIsNotForgotten) {
  const esc::EnvironmentRef base = *esc::EnvironmentRef::Parse("acme/web/base");
  Open();
  ImportClosure closure;
  closure.kind = Kind::kStatic;
  closure.members = {{.ref = base, .head = HeadOf("4")}};
  state_.TakeClosure(closure, now_, kInterval);

  AttemptResult changed;
  changed.head = HeadOf("1");
  changed.changed_member = {.ref = base, .head = HeadOf("5")};
  changed.opened = ObjectValue("hello", StringValue("moon"));
  Apply(std::move(changed));
  EXPECT_TRUE(state_.ClosureDue(now_));
  closure.members[0].head = HeadOf("6");  // its definition was read after another change
  state_.TakeClosure(closure, now_, kInterval);
  EXPECT_EQ(state_.Plan(now_, kInterval).members[0].head, HeadOf("5"));
}

TEST_F(EnvironmentFreshnessTest, HiddenMembersAreDropped) {
  const esc::EnvironmentRef base = *esc::EnvironmentRef::Parse("acme/web/base");
  Open();
  ImportClosure closure;
  closure.kind = Kind::kStatic;
  closure.members = {{.ref = base, .head = HeadOf("4")}};
  state_.TakeClosure(closure, now_, kInterval);
  AttemptResult result;
  result.head = HeadOf("1");
  result.hidden_members = {base};
  Apply(std::move(result));
  EXPECT_TRUE(state_.Plan(now_, kInterval).members.empty());
  EXPECT_EQ(state_.closure_kind(), Kind::kUnknown);
}

TEST_F(EnvironmentFreshnessTest, CredentialsAreOpenedBeforeTheyExpire) {
  Open(ObjectValue("expiration", StringValue("2026-01-01T00:02:00Z")));
  Learn(Kind::kDynamic);
  EXPECT_EQ(UntilOpen(), 96s);  // 80 % of two minutes
  Open(ObjectValue("expiration", StringValue("2026-01-01T00:00:20Z")));
  EXPECT_EQ(UntilOpen(), 30s);  // not over and over
}

TEST_F(EnvironmentFreshnessTest, TheWallClockCountsAtTheOpenOnly) {
  Open(ObjectValue("expiration", StringValue("2026-01-01T00:02:00Z")));
  Learn(Kind::kDynamic);
  wall_ += 24h * 365;
  EXPECT_EQ(UntilOpen(), 96s);
  wall_ -= 24h * 365 * 2;
  Open(ObjectValue("expiration", StringValue("2026-01-01T00:02:00Z")));
  EXPECT_EQ(UntilOpen(), 5min);  // a clock that is years behind says nothing
}

TEST_F(EnvironmentFreshnessTest, ADurationGivenToAProviderCounts) {
  Open();
  Learn(Kind::kDynamic, 100s);
  EXPECT_EQ(UntilOpen(), 80s);
}

TEST_F(EnvironmentFreshnessTest, StaticValuesCalledExpiryDoNot) {
  Open(ObjectValue("expiration", StringValue("2026-01-01T00:02:00Z")));
  Learn(Kind::kStatic);
  EXPECT_EQ(UntilOpen(), 1h);
}

TEST_F(EnvironmentFreshnessTest, ALongIntervalIsNotCutShortByMaxAgeButByExpiry) {
  state_.Plan(now_, 2h);
  AttemptResult result;
  result.head = HeadOf("1");
  result.opened = ObjectValue("hello", StringValue("world"));
  state_.Apply(std::move(result), {.started = now_, .finished = now_, .wall_finished = wall_}, 2h);
  EXPECT_EQ(state_.next_attempt(), now_ + 2h);
  ImportClosure closure;
  closure.kind = Kind::kDynamic;
  closure.lifetime = 1h;
  state_.TakeClosure(std::move(closure), now_, 2h);
  EXPECT_EQ(state_.next_attempt(), now_ + 48min);
}

TEST_F(EnvironmentFreshnessTest, AfterAnOutageEscIsFoundWithinAnInterval) {
  Open();
  for (int i = 0; i < 20; ++i) {
    Look(std::unexpected(MakeTestError(Code::kUnavailable)));
    EXPECT_LE(state_.next_attempt() - now_, kInterval);
    now_ = state_.next_attempt();
  }
}

TEST_F(EnvironmentFreshnessTest, ADefinitionThatIsRefusedIsNotOpenedEachInterval) {
  Open();
  for (int i = 0; i < 10; ++i) {
    AttemptResult result;
    result.head = HeadOf("2");
    result.opened = std::unexpected(MakeTestError(Code::kInvalidArgument));
    Apply(std::move(result));
  }
  EXPECT_EQ(state_.next_attempt() - now_, 60s);
}

TEST(EnvironmentFreshnessSpread, WhatGotTooOldInAnOutageIsNotOpenedByAllAtOnce) {
  Clock::TimePoint earliest = Clock::TimePoint::max();
  Clock::TimePoint latest = Clock::TimePoint::min();
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    EnvironmentState state({.jitter = 0.1, .max_age = {.known = 1h}}, seed);
    Clock::TimePoint now{1000h};
    const auto apply = [&](AttemptResult result) {
      static_cast<void>(state.Plan(now, kInterval));
      state.Apply(std::move(result), {.started = now, .finished = now, .wall_finished = {}},
                  kInterval);
    };
    const esc::EnvironmentHead head{.etag = "e", .revision = "1"};
    AttemptResult opened;
    opened.head = head;
    opened.opened = ObjectValue("hello", StringValue("world"));
    apply(std::move(opened));
    ImportClosure closure;
    closure.kind = Kind::kStatic;
    state.TakeClosure(std::move(closure), now, kInterval);
    now += 3h;
    AttemptResult failed;
    failed.head = std::unexpected(MakeTestError(Code::kUnavailable));
    apply(std::move(failed));
    now = state.next_attempt();
    EXPECT_FALSE(state.Plan(now, kInterval).must_open);
    const Clock::TimePoint back = now;
    while (!state.Plan(now, kInterval).must_open) {
      AttemptResult same;
      same.head = head;
      apply(std::move(same));
      now = state.next_attempt();
    }
    earliest = std::min(earliest, Clock::TimePoint(now - back));
    latest = std::max(latest, Clock::TimePoint(now - back));
  }
  EXPECT_LT(earliest.time_since_epoch(), 30s);
  EXPECT_GT(latest.time_since_epoch(), 4min);
  EXPECT_LE(latest.time_since_epoch(), 5min + 11s);
}

TEST(EnvironmentFreshnessSpread, RetryAfterDoesNotBringAllBackAtOnce) {
  Clock::TimePoint earliest = Clock::TimePoint::max();
  Clock::TimePoint latest = Clock::TimePoint::min();
  const Clock::TimePoint now{1000h};
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    EnvironmentState state({.jitter = 0.1}, seed);
    AttemptResult opened;
    opened.head = esc::EnvironmentHead{.etag = "e", .revision = "1"};
    opened.opened = ObjectValue("hello", StringValue("world"));
    state.Apply(std::move(opened), {.started = now, .finished = now, .wall_finished = {}},
                kInterval);
    AttemptResult failed;
    failed.head = std::unexpected(MakeTestError(Code::kResourceExhausted, 30s));
    state.Apply(std::move(failed), {.started = now, .finished = now, .wall_finished = {}},
                kInterval);
    earliest = std::min(earliest, state.next_attempt());
    latest = std::max(latest, state.next_attempt());
  }
  EXPECT_GE(earliest - now, 30s);
  EXPECT_GT(latest - earliest, 4s);
  EXPECT_LE(latest - now, 35s);
}

}  // namespace
}  // namespace escagent::cache
