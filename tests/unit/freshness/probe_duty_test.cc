#include "agent/freshness/probe_duty.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace escagent::freshness {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""h;

const esc::EnvironmentHead kOne{.etag = "e1", .revision = "1"};

class ProbeDutyTest : public ::testing::Test {
 protected:
  // As the API server would.
  void Write() {
    for (const auto& [name, text] : duty_.PendingWrites(now_)) {
      if (text) {
        data_[name] = *text;
      } else {
        data_.erase(name);
      }
    }
    duty_.Observe(data_, now_);
  }
  void Register(const SharedTarget& target) {
    data_[kTargetKey + target.Id()] = ToText(Registration{.target = target, .seen = wall_});
    duty_.Observe(data_, now_);
  }
  int AskAll(const Result<esc::EnvironmentHead>& head) {
    int count = 0;
    for (const SharedTarget& target : duty_.TakeDue(now_)) {
      duty_.Answered(target, head, now_);
      ++count;
    }
    return count;
  }
  std::optional<SharedAnswer> Told() {
    const auto text = data_.find(kAnswerKey + target_.Id());
    if (text == data_.end()) return std::nullopt;
    return ParseAnswer(text->second);
  }

  const SharedTarget target_{.backend = "b",
                             .ref = *esc::EnvironmentRef::Parse("acme/web/dev"),
                             .store = "SecretStore default/app"};
  Clock::TimePoint now_{1000h};
  Clock::WallTime wall_{1767225600s};
  ShardData data_;
  ProbeDuty duty_{{.identity = "me"}, 1};
};

TEST_F(ProbeDutyTest, AsksOnceAnIntervalAndWritesChangesOnly) {
  Register(target_);
  now_ += 1s;
  EXPECT_EQ(AskAll(kOne), 1);
  Write();
  EXPECT_EQ(Told()->head, kOne);
  EXPECT_EQ(data_[kHolderKey], "me");
  for (int i = 0; i < 10; ++i) {
    now_ += 9999ms;
    EXPECT_EQ(AskAll(kOne), 0);
    now_ += 1ms;
    EXPECT_EQ(duty_.NextTime(), now_);
    EXPECT_EQ(AskAll(kOne), 1);
    EXPECT_TRUE(duty_.PendingWrites(now_).empty());
  }
  now_ += 10s;
  AskAll(esc::EnvironmentHead{.etag = "e2", .revision = "2"});
  EXPECT_EQ(duty_.PendingWrites(now_).size(), 1U);
}

TEST_F(ProbeDutyTest, ANewHolderVouchesWhenItHasAskedForEverything) {
  data_[kHolderKey] = "its predecessor";
  SharedTarget other = target_;
  other.ref.environment = "prod";
  Register(target_);
  Register(other);
  now_ += 1s;
  const std::vector<SharedTarget> due = duty_.TakeDue(now_);
  ASSERT_EQ(due.size(), 2U);
  duty_.Answered(due[0], kOne, now_);
  Write();
  EXPECT_EQ(data_[kHolderKey], "its predecessor");
  duty_.Answered(due[1], kOne, now_);
  Write();
  EXPECT_EQ(data_[kHolderKey], "me");
}

TEST_F(ProbeDutyTest, AFailureIsToldWhenItIsOneTwice) {
  Register(target_);
  now_ += 1s;
  AskAll(kOne);
  Write();
  now_ += 10s;
  const Result<esc::EnvironmentHead> away = Unavailable("away");
  EXPECT_EQ(AskAll(away), 1);
  EXPECT_TRUE(duty_.PendingWrites(now_).empty());
  now_ += 2s;
  EXPECT_EQ(AskAll(away), 1);
  Write();
  EXPECT_EQ(Told()->state, SharedAnswer::State::kFailing);
  // Little more than a HEAD an interval while it lasts, and one write at its end.
  for (int i = 0; i < 5; ++i) {
    now_ += 7999ms;
    EXPECT_EQ(AskAll(away), 0);
    now_ += 1ms;
    EXPECT_EQ(AskAll(away), 1);
    EXPECT_TRUE(duty_.PendingWrites(now_).empty());
  }
  now_ += 10s;
  AskAll(kOne);
  Write();
  EXPECT_EQ(Told()->state, SharedAnswer::State::kOk);
}

TEST_F(ProbeDutyTest, WhenOneIsAnsweredAgainTheOthersAreAskedSoon) {
  SharedTarget other = target_;
  other.ref.environment = "prod";
  Register(target_);
  Register(other);
  now_ += 1s;
  AskAll(kOne);
  const Result<esc::EnvironmentHead> away = Unavailable("away");
  now_ += 10s;
  AskAll(away);
  now_ += 2s;
  AskAll(away);
  now_ += 4s;
  EXPECT_EQ(AskAll(away), 0);
  now_ += 4s;
  const std::vector<SharedTarget> due = duty_.TakeDue(now_);
  ASSERT_EQ(due.size(), 2U);
  duty_.Answered(due[0], away, now_);
  duty_.Answered(due[1], kOne, now_);
  now_ += 1s;
  EXPECT_EQ(AskAll(kOne), 1);
}

TEST_F(ProbeDutyTest, OtherErrorsAreAnswers) {
  Register(target_);
  now_ += 1s;
  AskAll(NotFound("gone"));
  Write();
  EXPECT_EQ(Told()->state, SharedAnswer::State::kAbsent);
  now_ += 10s;
  AskAll(MakeError(Code::kUnauthenticated, "who?"));
  Write();
  EXPECT_EQ(Told()->state, SharedAnswer::State::kDenied);
}

TEST_F(ProbeDutyTest, WhatNobodyWantsIsTakenOut) {
  Register(target_);
  data_["a.0123456789abcdef"] = "{}";
  data_["t.nonsense"] = "{}";
  duty_.Observe(data_, now_);
  now_ += 1s;
  AskAll(kOne);
  now_ += 2h;
  wall_ += 2h;
  Register(target_);
  now_ += 3h;
  Write();
  EXPECT_EQ(data_.size(), 3U);  // the target, its answer, the holder
  now_ += 1s;
  Write();
  EXPECT_EQ(data_.size(), 1U);
  EXPECT_EQ(duty_.size(), 0);
}

TEST_F(ProbeDutyTest, OtherNodesClocksDoNotMatter) {
  wall_ -= 24h * 365;
  Register(target_);
  now_ += 1s;
  AskAll(kOne);
  Write();
  EXPECT_EQ(data_.size(), 3U);
  wall_ += 24h * 730;
  Register(target_);
  now_ += 10s;
  AskAll(kOne);
  EXPECT_TRUE(duty_.PendingWrites(now_).empty());
}

TEST_F(ProbeDutyTest, ACallUnderWayIsNotMadeTwice) {
  Register(target_);
  now_ += 1s;
  EXPECT_EQ(duty_.TakeDue(now_).size(), 1U);
  now_ += 60s;
  EXPECT_TRUE(duty_.TakeDue(now_).empty());
}

}  // namespace
}  // namespace escagent::freshness
