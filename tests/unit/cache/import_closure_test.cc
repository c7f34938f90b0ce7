#include "agent/cache/import_closure.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/cache/cache_fixture.h"

namespace escagent::cache {
namespace {

using Kind = ImportClosure::Kind;

class ImportClosureTest : public ::testing::Test {
 protected:
  void Define(const std::string& name, std::string_view yaml) {
    api_.SetEnvironmentJson(name, "{}");
    api_.SetDefinition(name, yaml);
  }
  Result<ImportClosure> Learn(const std::string& root = kDev) {
    const esc::EnvironmentRef ref = *esc::EnvironmentRef::Parse(root);
    const auto session = api_.Open(ref, 300s, {});
    return LearnClosure(probes_, api_, {.backend = kBackend, .ref = ref, .identity = "me"},
                        session ? session->id : "", {});
  }
  static std::string Names(const ImportClosure& closure) {
    std::string names;
    for (const ImportClosure::Member& member : closure.members) {
      names += (names.empty() ? "" : " ") + member.ref.ToString() + (member.head ? "" : "(absent)");
    }
    return names;
  }

  testing::FakeClock clock_;
  testing::FakeEscApi api_;
  ProbeTable probes_{clock_, nullptr, [](const EnvironmentKey&) {}};
};

TEST_F(ImportClosureTest, Recursive) {
  Define(kDev, "imports: [web/base]\nvalues: {a: '${environments.web.other.x}'}");
  Define("acme/web/base", "imports: [web/deep, web/dev]");  // a cycle is the evaluator's business
  Define("acme/web/deep", "imports: [web/base]");
  Define("acme/web/other", "values: {}");
  const auto closure = Learn();
  ASSERT_TRUE(closure);
  EXPECT_EQ(Names(*closure), "acme/web/base acme/web/deep acme/web/other");
  EXPECT_EQ(closure->kind, Kind::kStatic);
  EXPECT_EQ(closure->members[0].head->revision, "1");
  EXPECT_EQ(api_.Calls(Operation::kGetDefinition), 4);
}

TEST_F(ImportClosureTest, AProviderAnywhereMakesItDynamic) {
  Define(kDev, "imports: [web/base]");
  Define("acme/web/base", "values: {a: {fn::open::x: {duration: 1h}}}");
  const auto closure = Learn();
  ASSERT_TRUE(closure);
  EXPECT_EQ(closure->kind, Kind::kDynamic);
  EXPECT_EQ(closure->lifetime, 1h);
}

TEST_F(ImportClosureTest, APinnedImportIsReadButNotLookedAt) {
  Define(kDev, "imports: [web/base@1]");
  Define("acme/web/base", "imports: [web/deep]");
  Define("acme/web/deep", "");
  const auto closure = Learn();
  ASSERT_TRUE(closure);
  EXPECT_EQ(Names(*closure), "acme/web/deep");
}

TEST_F(ImportClosureTest, AnImportByATagIsLookedAtAsTheTagMayMove) {
  Define(kDev, "imports: [web/base@stable]");
  const auto closure = Learn();
  ASSERT_TRUE(closure);
  EXPECT_EQ(Names(*closure), "acme/web/base@stable(absent)") << "the fake knows no tags";
}

TEST_F(ImportClosureTest, AnImportThatIsMissingIsWaitedFor) {
  Define(kDev, "imports: [web/gone]");
  const auto closure = Learn();
  ASSERT_TRUE(closure);
  EXPECT_EQ(Names(*closure), "acme/web/gone(absent)");
  EXPECT_EQ(closure->kind, Kind::kStatic);
}

TEST_F(ImportClosureTest, AnImportThatMayNotBeReadLeavesTheRest) {
  Define(kDev, "imports: [web/base, web/open]");
  Define("acme/web/base", "imports: [web/deep]");
  Define("acme/web/open", "");
  api_.FailOnly(Operation::kGetDefinition, "acme/web/base", MakeTestError(Code::kPermissionDenied));
  const auto visible = Learn();
  ASSERT_TRUE(visible);
  EXPECT_EQ(Names(*visible), "acme/web/base acme/web/open");
  EXPECT_EQ(visible->kind, Kind::kUnknown);

  api_.FailOnly(Operation::kHead, "acme/web/base", MakeTestError(Code::kPermissionDenied));
  clock_.Advance(1h);
  ProbeTable others{clock_, nullptr, [](const EnvironmentKey&) {}};
  const auto hidden =
      LearnClosure(others, api_, {kBackend, *esc::EnvironmentRef::Parse(kDev), "me"}, "", {});
  ASSERT_TRUE(hidden);
  EXPECT_EQ(Names(*hidden), "acme/web/open");
}

TEST_F(ImportClosureTest, TracesStandInForADefinitionThatMayNotBeRead) {
  Define(kDev, "imports: [web/base]");
  Define("acme/web/base", "");
  api_.SetContributors(kDev, {"acme/web/base"});
  api_.FailOnly(Operation::kGetDefinition, kDev, MakeTestError(Code::kPermissionDenied));
  const auto closure = Learn();
  ASSERT_TRUE(closure);
  EXPECT_EQ(Names(*closure), "acme/web/base");
  EXPECT_EQ(closure->kind, Kind::kUnknown);
}

TEST_F(ImportClosureTest, AnOutageIsAnError) {
  Define(kDev, "imports: [web/base]");
  Define("acme/web/base", "");
  api_.FailOnly(Operation::kGetDefinition, "acme/web/base", MakeTestError(Code::kUnavailable));
  const auto closure = Learn();
  ASSERT_FALSE(closure);
  EXPECT_EQ(closure.error().code, Code::kUnavailable);
}

TEST_F(ImportClosureTest, ManyMembersAreBounded) {
  std::string imports = "imports:\n";
  for (std::size_t i = 0; i <= kMaxClosureMembers; ++i) {
    Define("acme/many/e" + std::to_string(i), "");
    imports += "- many/e" + std::to_string(i) + "\n";
  }
  Define(kDev, imports);
  const auto closure = Learn();
  ASSERT_TRUE(closure);
  EXPECT_EQ(closure->members.size(), kMaxClosureMembers);
  EXPECT_EQ(closure->kind, Kind::kUnknown);
}

}  // namespace
}  // namespace escagent::cache
