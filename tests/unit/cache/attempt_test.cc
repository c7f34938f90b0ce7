#include "agent/cache/attempt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/unit/cache/cache_fixture.h"

namespace escagent::cache {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

esc::Value Object(std::string_view text) { return ObjectValue("hello", StringValue(text)); }

std::shared_ptr<const Snapshot> SnapshotOf(std::string_view text) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->properties = Object(text);
  return snapshot;
}

struct NeedsOpenCase {
  const char* name;
  bool has_snapshot;
  bool must_open;
  std::optional<esc::EnvironmentHead> known;
  Result<esc::EnvironmentHead> head;
  bool expected;
};

TEST(NeedsOpen, Table) {
  const esc::EnvironmentHead one{.etag = "e1", .revision = "1"};
  const esc::EnvironmentHead two{.etag = "e2", .revision = "2"};
  const esc::EnvironmentHead none{.etag = "", .revision = ""};
  const auto fails = [](Code code) -> Result<esc::EnvironmentHead> {
    return std::unexpected(MakeTestError(code));
  };
  const NeedsOpenCase cases[] = {
      {"unchanged", true, false, one, one, false},
      {"changed", true, false, one, two, true},
      {"only the etag changed", true, false, one, esc::EnvironmentHead{"e2", "1"}, true},
      {"only the revision changed", true, false, one, esc::EnvironmentHead{"e1", "2"}, true},
      {"told to", true, true, one, one, true},
      {"first", false, false, std::nullopt, one, true},
      {"nothing to compare with", true, false, std::nullopt, one, true},
      {"tells nothing", true, false, none, none, true},
      {"no such method", true, false, one, fails(Code::kUnimplemented), true},
      {"not permitted", true, false, one, fails(Code::kPermissionDenied), true},
      {"gone", true, false, one, fails(Code::kNotFound), false},
      {"never there", false, false, std::nullopt, fails(Code::kNotFound), true},
      {"down", true, false, one, fails(Code::kUnavailable), false},
      {"down at first", false, false, std::nullopt, fails(Code::kUnavailable), false},
      {"down when told to", true, true, one, fails(Code::kUnavailable), false},
      {"slow", true, false, one, fails(Code::kDeadlineExceeded), false},
      {"too many requests", true, false, one, fails(Code::kResourceExhausted), false},
      {"token refused", false, false, std::nullopt, fails(Code::kUnauthenticated), false},
  };
  for (const NeedsOpenCase& c : cases) {
    AttemptPlan plan;
    plan.must_open = c.must_open;
    plan.known = c.known;
    if (c.has_snapshot) plan.snapshot = SnapshotOf("world");
    EXPECT_EQ(NeedsOpen(plan, c.head), c.expected) << c.name;
  }
}

TEST(CheckPublishable, NamesUnknownProperties) {
  const esc::EnvironmentRef ref = *esc::EnvironmentRef::Parse(kDev);
  EXPECT_TRUE(CheckPublishable(ref, Object("world")));

  esc::Value::Array list;
  list.push_back(StringValue("canary-value"));
  list.push_back(UnknownValue());
  esc::Value::Object members;
  members.emplace_back("list", esc::Value::MakeArray(std::move(list)));
  members.emplace_back("user.name", UnknownValue());
  const Status status = CheckPublishable(ref, esc::Value::MakeObject(std::move(members)));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kFailedPrecondition);
  EXPECT_THAT(status.error().message, HasSubstr("acme/web/dev"));
  EXPECT_THAT(status.error().message, HasSubstr("list[1], [\"user.name\"]"));
  EXPECT_THAT(status.error().message, Not(HasSubstr("canary-value")));
}

TEST(CheckPublishable, CountsManyUnknownProperties) {
  esc::Value::Object members;
  for (int i = 0; i < 8; ++i) members.emplace_back("k" + std::to_string(i), UnknownValue());
  const Status status = CheckPublishable(*esc::EnvironmentRef::Parse(kDev),
                                         esc::Value::MakeObject(std::move(members)));
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("k0, k1, k2, k3, k4 and 3 more"));
}

TEST(CheckPublishable, RefusesOtherThanAnObject) {
  const esc::EnvironmentRef ref = *esc::EnvironmentRef::Parse(kDev);
  for (const bool unknown : {false, true}) {
    esc::Value text = StringValue("canary-value");
    text.set_unknown(unknown);
    const Status status = CheckPublishable(ref, text);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::kFailedPrecondition);
    EXPECT_THAT(status.error().message, Not(HasSubstr("canary-value")));
  }
}

class RunAttemptTest : public ::testing::Test {
 protected:
  RunAttemptTest() { api_.SetEnvironment(kDev, Object("world")); }

  AttemptResult Run() { return RunAttempt(api_, *esc::EnvironmentRef::Parse(kDev), plan_, {}); }

  testing::FakeEscApi api_;
  AttemptPlan plan_;
};

TEST_F(RunAttemptTest, FirstAsksHeadThenOpens) {
  plan_.session = 777s;
  const AttemptResult result = Run();
  ASSERT_TRUE(result.head && *result.head);
  ASSERT_TRUE(result.opened && *result.opened);
  EXPECT_EQ((*result.head)->revision, "1");
  EXPECT_FALSE(result.same_content);
  EXPECT_TRUE((*result.opened)->Equals(Object("world")));
  EXPECT_EQ(api_.reads(), 1);
  EXPECT_EQ(api_.last_duration(), 777s);
}

TEST_F(RunAttemptTest, UnchangedIsOneHead) {
  plan_.snapshot = SnapshotOf("world");
  plan_.known = *Run().head.value();
  const int opens = api_.opens();
  const AttemptResult result = Run();
  EXPECT_TRUE(result.head && *result.head);
  EXPECT_FALSE(result.opened);
  EXPECT_EQ(api_.opens(), opens);
}

TEST_F(RunAttemptTest, RecognisesEqualContent) {
  plan_.snapshot = SnapshotOf("world");
  EXPECT_TRUE(Run().same_content);
  plan_.snapshot = SnapshotOf("moon");
  EXPECT_FALSE(Run().same_content);
}

TEST_F(RunAttemptTest, WithoutHeadOpensAtOnce) {
  plan_.head = false;
  const AttemptResult result = Run();
  EXPECT_FALSE(result.head);
  EXPECT_TRUE(result.opened && *result.opened);
  EXPECT_EQ(api_.heads(), 0);
}

TEST_F(RunAttemptTest, AFailedReadIsTheOpensError) {
  api_.Fail(Operation::kReadSession, MakeTestError(Code::kUnavailable));
  const AttemptResult result = Run();
  ASSERT_TRUE(result.opened);
  ASSERT_FALSE(*result.opened);
  EXPECT_EQ(result.opened->error().code, Code::kUnavailable);
}

TEST_F(RunAttemptTest, UnknownValuesAreAnError) {
  api_.SetEnvironment(kDev, ObjectValue("db", UnknownValue()));
  const AttemptResult result = Run();
  ASSERT_TRUE(result.opened);
  ASSERT_FALSE(*result.opened);
  EXPECT_EQ(result.opened->error().code, Code::kFailedPrecondition);
}

}  // namespace
}  // namespace escagent::cache
