#include "agent/freshness/shared_heads.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/fakes/fake_clock.h"

namespace escagent::freshness {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""h;
using State = SharedAnswer::State;

constexpr char kBackend[] = "https://esc.test/api/esc";
constexpr char kStore[] = "SecretStore default/app";

class SharedHeadsTest : public ::testing::Test {
 protected:
  SharedHeadsTest() {
    heads_.NoteStore(kBackend, "me", kStore);
    heads_.FollowLeases([this](int) { return lease_holder_; });
  }
  // What the shard's object says.
  std::vector<SharedHeads::News> Tell(State state, const std::string& revision = "1") {
    esc::EnvironmentHead head;
    if (state == State::kOk) head = {.etag = "", .revision = revision};
    return heads_.Observe(
        target_.ShardOf(kProbeShards),
        {{kTargetKey + target_.Id(), ToText(Registration{target_, clock_.WallNow()})},
         {kAnswerKey + target_.Id(), ToText(SharedAnswer{.state = state, .head = head})},
         {kHolderKey, "holder"}});
  }
  std::string Revision() {
    const auto known = heads_.Find(key_);
    if (!known) return "ask";
    return known->head ? known->head->revision : std::string(CodeName(known->head.error().code));
  }

  testing::FakeClock clock_;
  const cache::EnvironmentKey key_{
      .backend = kBackend, .ref = *esc::EnvironmentRef::Parse("acme/web/dev"), .identity = "me"};
  const SharedTarget target_{.backend = kBackend, .ref = key_.ref, .store = kStore};
  std::string lease_holder_ = "holder";
  SharedHeads heads_{{}, clock_, 1};
};

TEST_F(SharedHeadsTest, CountsWhileTheHolderLivesAndVouches) {
  EXPECT_EQ(Revision(), "ask");
  Tell(State::kOk, "7");
  EXPECT_EQ(Revision(), "7");
  EXPECT_EQ(heads_.GetStats().shared, 1);
  lease_holder_ = "";
  EXPECT_EQ(Revision(), "ask");
  lease_holder_ = "a new one that has not asked yet";
  EXPECT_EQ(Revision(), "ask");
  lease_holder_ = "holder";
  EXPECT_EQ(Revision(), "7");
  heads_.FollowLeases({});
  EXPECT_EQ(Revision(), "ask");
}

TEST_F(SharedHeadsTest, OtherIdentitiesAskByThemselves) {
  Tell(State::kOk);
  cache::EnvironmentKey pod = key_;
  pod.identity = "a pod";
  EXPECT_FALSE(heads_.Find(pod));
  EXPECT_EQ(heads_.GetStats().targets, 0);
}

TEST_F(SharedHeadsTest, StatesOfATarget) {
  Tell(State::kAbsent);
  EXPECT_EQ(Revision(), CodeName(Code::kNotFound));
  Tell(State::kDenied);
  EXPECT_EQ(Revision(), "ask");
}

TEST_F(SharedHeadsTest, NewsAreToldToWhoIsInterested) {
  EXPECT_TRUE(Tell(State::kOk).empty());
  EXPECT_EQ(Revision(), "1");
  EXPECT_TRUE(Tell(State::kOk).empty());
  const auto news = Tell(State::kOk, "2");
  ASSERT_EQ(news.size(), 1U);
  EXPECT_EQ(news[0].keys, std::vector<cache::EnvironmentKey>{key_});
  EXPECT_FALSE(news[0].recovered);
  Tell(State::kFailing);
  EXPECT_TRUE(Tell(State::kOk, "2").at(0).recovered);
}

TEST_F(SharedHeadsTest, InAnOutageOneHeadInHalfAMinute) {
  Tell(State::kFailing);
  int asked = 0;
  for (int i = 0; i < 600; ++i) {
    if (Revision() == "ask") {
      ++asked;
      heads_.Asked(key_, false);
    }
    clock_.Advance(1s);
  }
  EXPECT_GE(asked, 19);
  EXPECT_LE(asked, 20);
}

TEST_F(SharedHeadsTest, WhereEscAnswersTheAgentAsksByItself) {
  Tell(State::kFailing);
  while (Revision() != "ask") clock_.Advance(1s);
  heads_.Asked(key_, true);
  EXPECT_NE(Revision(), "ask") << "the holder may be about to see it";
  clock_.Advance(12s);
  EXPECT_EQ(Revision(), "ask");
  heads_.Asked(key_, true);
  for (int i = 0; i < 59; ++i) {
    EXPECT_EQ(Revision(), "ask");
    clock_.Advance(1s);
  }
  Tell(State::kOk, "3");
  EXPECT_EQ(Revision(), "3");
}

TEST_F(SharedHeadsTest, WhatIsMissingIsRegisteredOnce) {
  EXPECT_TRUE(heads_.TakeRegistrations().empty());
  EXPECT_EQ(Revision(), "ask");
  EXPECT_LE(heads_.NextRegistration() - clock_.Now(), 3s);
  clock_.Advance(3s);
  const auto due = heads_.TakeRegistrations();
  ASSERT_EQ(due.size(), 1U);
  EXPECT_EQ(due.begin()->second, std::vector<SharedTarget>{target_});
  EXPECT_TRUE(heads_.TakeRegistrations().empty());
  Tell(State::kOk);
  EXPECT_EQ(Revision(), "1");
  EXPECT_EQ(heads_.NextRegistration(), Clock::TimePoint::max());

  // After an hour somebody has to say that it is still wanted.
  clock_.Advance(1h);
  Revision();
  clock_.Advance(1800s);
  EXPECT_EQ(heads_.TakeRegistrations().size(), 1U);
}

TEST_F(SharedHeadsTest, NotMoreThanHasRoomIsRegistered) {
  Revision();
  clock_.Advance(3s);
  const int shard = target_.ShardOf(kProbeShards);
  heads_.Observe(shard, {{"a.0123456789abcdef", std::string(kMaxShardBytes - 100, 'x')}});
  EXPECT_TRUE(heads_.TakeRegistrations().empty());
  EXPECT_EQ(heads_.GetStats().left_out, 1);
  EXPECT_EQ(Revision(), "ask");
  heads_.Observe(shard, {});
  clock_.Advance(600s);
  EXPECT_EQ(heads_.TakeRegistrations().size(), 1U);
  EXPECT_EQ(heads_.GetStats().left_out, 0);
}

TEST_F(SharedHeadsTest, EnvironmentsWithEndlessNamesAreNotShared) {
  cache::EnvironmentKey key = key_;
  key.ref.environment = std::string(kMaxTargetBytes, 'x');
  EXPECT_FALSE(heads_.Find(key));
  EXPECT_EQ(heads_.GetStats().targets, 0);
}

TEST_F(SharedHeadsTest, OtherNodesClocksDoNotMatter) {
  heads_.Observe(
      target_.ShardOf(kProbeShards),
      {{kTargetKey + target_.Id(), ToText(Registration{target_, {}})},
       {kAnswerKey + target_.Id(), ToText(SharedAnswer{State::kOk, {.etag = "", .revision = "1"}})},
       {kHolderKey, "holder"}});
  EXPECT_EQ(Revision(), "1");
  clock_.Advance(3540s);
  EXPECT_EQ(Revision(), "1");
  EXPECT_TRUE(heads_.TakeRegistrations().empty()) << "it is new to this agent";
}

TEST_F(SharedHeadsTest, WhatAnotherAgentHasRegisteredIsLeftAlone) {
  Revision();
  Tell(State::kOk);
  clock_.Advance(3s);
  EXPECT_TRUE(heads_.TakeRegistrations().empty());
}

}  // namespace
}  // namespace escagent::freshness
