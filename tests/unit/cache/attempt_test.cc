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

  AttemptResult Run() {
    plan_.not_before = clock_.Now();
    return RunAttempt(
        probes_, api_,
        {.backend = kBackend, .ref = *esc::EnvironmentRef::Parse(kDev), .identity = "me"}, plan_,
        {});
  }
  ImportClosure::Member MemberAt(const std::string& name, std::string revision) {
    esc::EnvironmentRef ref = *esc::EnvironmentRef::Parse(name);
    const auto head = api_.Head(ref, {});
    return {.ref = ref,
            .head = esc::EnvironmentHead{.etag = head->etag, .revision = std::move(revision)}};
  }
  // The environment itself is as it was.
  void OpenOnce() {
    plan_.snapshot = SnapshotOf("world");
    plan_.known = *Run().head.value();
    clock_.Advance(10s);
  }

  testing::FakeClock clock_;
  ProbeTable probes_{clock_, nullptr, [](const EnvironmentKey&) {}};
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

TEST_F(RunAttemptTest, UnchangedImportsAreOneHeadEach) {
  api_.SetEnvironmentJson("acme/web/base", "{}");
  api_.SetEnvironmentJson("acme/web/more", "{}");
  OpenOnce();
  plan_.members = {MemberAt("acme/web/base", "1"), MemberAt("acme/web/more", "1")};
  const int heads = api_.heads();
  const AttemptResult result = Run();
  EXPECT_FALSE(result.opened || result.changed_member || result.member_error);
  EXPECT_EQ(api_.heads(), heads + 3);
}

TEST_F(RunAttemptTest, AChangedImportIsOpenedAndTheRestLeft) {
  api_.SetEnvironmentJson("acme/web/base", "{}");
  api_.SetEnvironmentJson("acme/web/more", "{}");
  OpenOnce();
  plan_.members = {MemberAt("acme/web/base", "0"), MemberAt("acme/web/more", "1")};
  const int heads = api_.heads();
  const AttemptResult result = Run();
  ASSERT_TRUE(result.changed_member);
  EXPECT_EQ(result.changed_member->ref.environment, "base");
  EXPECT_EQ(result.changed_member->head->revision, "1");
  EXPECT_TRUE(result.opened && *result.opened);
  EXPECT_EQ(api_.heads(), heads + 2);
}

TEST_F(RunAttemptTest, ImportsThatGoAndComeAreChanges) {
  OpenOnce();
  const esc::EnvironmentRef gone = *esc::EnvironmentRef::Parse("acme/web/gone");
  plan_.members = {{.ref = gone, .head = esc::EnvironmentHead{.etag = "e", .revision = "1"}}};
  const AttemptResult left = Run();
  ASSERT_TRUE(left.changed_member && left.opened);
  EXPECT_FALSE(left.changed_member->head);

  plan_.members = {{.ref = gone, .head = std::nullopt}};
  EXPECT_FALSE(Run().opened);
  api_.SetEnvironmentJson("acme/web/gone", "{}");
  clock_.Advance(10s);
  const AttemptResult back = Run();
  ASSERT_TRUE(back.changed_member && back.opened);
  EXPECT_TRUE(back.changed_member->head);
}

TEST_F(RunAttemptTest, ImportsThatMayNotBeLookedAtAreTold) {
  api_.SetEnvironmentJson("acme/web/base", "{}");
  OpenOnce();
  plan_.members = {MemberAt("acme/web/base", "1")};
  api_.FailOnly(Operation::kHead, "acme/web/base", MakeTestError(Code::kPermissionDenied));
  const AttemptResult hidden = Run();
  EXPECT_FALSE(hidden.opened);
  EXPECT_EQ(hidden.hidden_members.size(), 1U);
  api_.FailOnly(Operation::kHead, "acme/web/base", MakeTestError(Code::kUnavailable));
  const AttemptResult away = Run();
  EXPECT_FALSE(away.opened);
  ASSERT_TRUE(away.member_error);
  EXPECT_EQ(away.member_error->code, Code::kUnavailable);
}

}  // namespace
}  // namespace escagent::cache
