#include "agent/cache/probe_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "tests/unit/cache/cache_fixture.h"

namespace escagent::cache {
namespace {

EnvironmentKey Target(const std::string& name = kDev, std::string identity = "me") {
  return {.backend = kBackend,
          .ref = *esc::EnvironmentRef::Parse(name),
          .identity = std::move(identity)};
}

class FakeSource final : public HeadSource {
 public:
  std::optional<Known> Find(const EnvironmentKey&) override { return known; }
  void Asked(const EnvironmentKey&, bool) override {}
  std::optional<Known> known;
};

class ProbeTableTest : public ::testing::Test {
 protected:
  ProbeTableTest() { api_.SetEnvironmentJson(kDev, "{}"); }

  Result<esc::EnvironmentHead> Head(Clock::TimePoint not_before) {
    return table_.Head(api_, Target(), not_before, {});
  }

  testing::FakeClock clock_;
  testing::FakeEscApi api_;
  FakeSource source_;
  std::vector<EnvironmentKey> changes_;
  ProbeTable table_{clock_, &source_, [this](const EnvironmentKey& t) { changes_.push_back(t); }};
};

TEST_F(ProbeTableTest, WhatIsRecentEnoughIsNotAskedAgain) {
  ASSERT_TRUE(Head(clock_.Now()));
  clock_.Advance(9s);
  ASSERT_TRUE(Head(clock_.Now() - 9001ms));
  EXPECT_EQ(api_.heads(), 1);
  ASSERT_TRUE(Head(clock_.Now() - 9s));
  EXPECT_EQ(api_.heads(), 2);
  EXPECT_EQ(table_.GetStats().kept, 1U);
}

TEST_F(ProbeTableTest, WhatOthersKnowIsNotUsedWhereItIsNotWanted) {
  source_.known = HeadSource::Known{
      .head = esc::EnvironmentHead{.etag = "", .revision = "of others"}, .since = clock_.Now()};
  const auto before = clock_.Now() - 9s;
  EXPECT_EQ(table_.Head(api_, Target(), before, {})->revision, "of others");
  EXPECT_EQ(table_.Head(api_, Target(), before, {}, /*accept_shared=*/false)->revision, "1");
  EXPECT_EQ(api_.heads(), 1);
}

TEST_F(ProbeTableTest, IdentitiesDoNotShare) {
  ASSERT_TRUE(Head(clock_.Now()));
  ASSERT_TRUE(table_.Head(api_, Target(kDev, "you"), clock_.Now(), {}));
  EXPECT_EQ(api_.heads(), 2);
}

TEST_F(ProbeTableTest, ChangesAreTold) {
  ASSERT_TRUE(Head(clock_.Now()));
  EXPECT_TRUE(changes_.empty());
  api_.SetEnvironmentJson(kDev, "{}");
  clock_.Advance(1s);
  EXPECT_EQ(Head(clock_.Now())->revision, "2");
  EXPECT_EQ(changes_.size(), 1U);
  api_.RemoveEnvironment(kDev);
  clock_.Advance(1s);
  EXPECT_FALSE(Head(clock_.Now()));
  EXPECT_EQ(changes_.size(), 2U);
  // That it does not exist is an answer like others.
  EXPECT_FALSE(Head(clock_.Now() - 1s));
  EXPECT_EQ(api_.heads(), 3);
}

TEST_F(ProbeTableTest, FailuresAreNotKept) {
  api_.Fail(Operation::kHead, MakeTestError(Code::kUnavailable), 1);
  EXPECT_FALSE(Head(clock_.Now()));
  EXPECT_TRUE(Head(clock_.Now() - 10s));
  EXPECT_EQ(table_.GetStats().failures, 1U);
}

TEST_F(ProbeTableTest, ConcurrentCallsShareOneAnswerEvenAFailure) {
  for (const bool fails : {false, true}) {
    if (fails) api_.Fail(Operation::kHead, MakeTestError(Code::kUnavailable), 1);
    clock_.Advance(10s);
    api_.Block(Operation::kHead);
    const int before = api_.heads();
    std::atomic<int> started = 0;
    std::atomic<int> good = 0;
    std::vector<std::jthread> threads;
    const auto ask = [&] {
      ++started;
      if (Head(clock_.Now() - 1s)) ++good;
    };
    threads.emplace_back(ask);
    ASSERT_TRUE(api_.WaitForBlocked(Operation::kHead, 1));
    threads.emplace_back(ask);
    ASSERT_TRUE(Eventually([&] { return started == 2; }));
    api_.Release(Operation::kHead);
    threads.clear();
    // The second thread may have come after the first one's answer: a failure is then asked again.
    EXPECT_LE(api_.heads() - before, fails ? 2 : 1);
    EXPECT_GE(good, fails ? 0 : 2);
  }
}

TEST_F(ProbeTableTest, AWaiterCanBeStopped) {
  api_.Block(Operation::kHead);
  std::jthread first([&] { static_cast<void>(Head(clock_.Now())); });
  ASSERT_TRUE(api_.WaitForBlocked(Operation::kHead, 1));
  std::stop_source stop;
  std::atomic<bool> cancelled = false;
  std::jthread second([&] {
    const auto head = table_.Head(api_, Target(), clock_.Now(), stop.get_token());
    cancelled = !head && head.error().code == Code::kCancelled;
  });
  stop.request_stop();
  second.join();
  EXPECT_TRUE(cancelled);
  EXPECT_EQ(api_.heads(), 1);
  api_.Release(Operation::kHead);
}

TEST_F(ProbeTableTest, WhatOthersKnowSparesTheCall) {
  const esc::EnvironmentHead known{.etag = "e", .revision = "7"};
  source_.known = {.head = known, .since = clock_.Now()};
  EXPECT_EQ(Head(clock_.Now() - 1s)->revision, "7");
  EXPECT_EQ(api_.heads(), 0);
  EXPECT_EQ(table_.GetStats().shared, 1U);
  // Who wants to be certain asks; and knows better from then on.
  clock_.Advance(1s);
  EXPECT_EQ(Head(clock_.Now())->revision, "1");
  EXPECT_EQ(Head(clock_.Now() - 1s)->revision, "1");
  clock_.Advance(1s);
  source_.known = {.head = esc::EnvironmentHead{.etag = "e", .revision = "8"},
                   .since = clock_.Now()};
  EXPECT_EQ(Head(clock_.Now() - 1s)->revision, "8");
  EXPECT_EQ(api_.heads(), 1);
}

TEST_F(ProbeTableTest, DefinitionsAreReadOncePerRevision) {
  api_.SetDefinition(kDev, "imports: [base]");
  const auto first = table_.Definition(api_, Target(), {});
  ASSERT_TRUE(first);
  EXPECT_EQ((*first)->facts.references.size(), 1U);
  EXPECT_EQ((*first)->head.revision, "1");
  clock_.Advance(10s);
  ASSERT_TRUE(Head(clock_.Now()));
  ASSERT_TRUE(table_.Definition(api_, Target(), {}));
  EXPECT_EQ(api_.Calls(Operation::kGetDefinition), 1);
  api_.SetEnvironmentJson(kDev, "{}");
  clock_.Advance(10s);
  ASSERT_TRUE(Head(clock_.Now()));
  ASSERT_TRUE(table_.Definition(api_, Target(), {}));
  EXPECT_EQ(api_.Calls(Operation::kGetDefinition), 2);
}

}  // namespace
}  // namespace escagent::cache
