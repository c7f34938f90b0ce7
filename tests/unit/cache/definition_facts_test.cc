#include "agent/cache/definition_facts.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/cache/cache_fixture.h"

namespace escagent::cache {
namespace {

DefinitionFacts Read(std::string_view yaml) {
  return ReadDefinitionFacts(*esc::EnvironmentRef::Parse(kDev), yaml).value();
}

// "acme/a/b acme/c/d@1"
std::string References(std::string_view yaml) {
  std::string names;
  for (const esc::EnvironmentRef& ref : Read(yaml).references) {
    names += (names.empty() ? "" : " ") + ref.ToString();
  }
  return names;
}

TEST(DefinitionFacts, Imports) {
  EXPECT_EQ(References("imports: [base, web/db, web/db@stable, web/old@3]"),
            "acme/default/base acme/web/db acme/web/db@stable acme/web/old@3");
  EXPECT_EQ(References("imports:\n- web/db: {merge: false}\n- web/db\n- 'not a name!'\n- [x]\n"),
            "acme/web/db");
  EXPECT_EQ(References("values: {imports: [web/db]}"), "");
  EXPECT_EQ(References(""), "");
  EXPECT_EQ(References("[1, 2]"), "");
}

TEST(DefinitionFacts, ImplicitReferences) {
  EXPECT_EQ(References("values: {a: '${environments.web.db.password}'}"), "acme/web/db");
  EXPECT_EQ(References("values: {a: [{b: 'x ${environments[\"web\"][\"d.b\"]} y'}]}"),
            "acme/web/d.b");
  EXPECT_EQ(References("values: {fn::open::x: {k: '${one} and ${environments.p[\"e@3\"].v}'}}"),
            "acme/p/e@3");
  EXPECT_EQ(References("values: {a: '$${environments.web.db}', b: '$ {environments.web.db}'}"), "");
  EXPECT_EQ(References("values: {a: '$$${environments.web.db}'}"), "acme/web/db");
  EXPECT_EQ(References("values: {a: '${environments}', b: '${environments.web}', c: '${'}"), "");
  EXPECT_EQ(References("values: {a: '${environments[\"we'}"), "");
  EXPECT_EQ(References("values: {a: '${environmental.web.db} ${x.environments.web.db}'}"), "");
}

TEST(DefinitionFacts, Providers) {
  EXPECT_FALSE(Read("values: {a: 'fn::open', b: {fn::opened: 1, fn::secret: x}}").dynamic);
  EXPECT_TRUE(Read("values: {a: {b: [{fn::open: {provider: p}}]}}").dynamic);
  EXPECT_TRUE(Read("values: {a: {FN::Open::aws-login: {}}}").dynamic);
  EXPECT_TRUE(Read("values: {a: {fn::rotate::password: {}}}").dynamic);
}

TEST(DefinitionFacts, TheShortestDurationOfAProvider) {
  EXPECT_EQ(Read("values: {duration: 5m, a: {fn::open::aws-login: {oidc: {duration: 1h}}},"
                 " b: {fn::open: {provider: p, inputs: {duration: 30m}}}}")
                .lifetime,
            30min);
  EXPECT_EQ(Read("values: {duration: 5m, a: {fn::open::x: {}}}").lifetime, std::nullopt);
  EXPECT_EQ(Read("values: {a: {fn::open::x: {duration: '${d}'}}}").lifetime, std::nullopt);
  EXPECT_EQ(Read("values: {a: {fn::open::x: {duration: -1h}}}").lifetime, std::nullopt);
}

TEST(DefinitionFacts, BadInput) {
  const esc::EnvironmentRef ref = *esc::EnvironmentRef::Parse(kDev);
  const auto broken = ReadDefinitionFacts(ref, "values: {a: canary-value");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().message.find("canary"), std::string::npos);

  // Aliases that would be 10^9 nodes.
  std::string bomb = "values:\n  a0: &a0 [x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1) + ", ";
    std::string line = "  a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int n = 0; n < 10; ++n) line += before;
    bomb += line + "]\n";
  }
  const auto refused = ReadDefinitionFacts(ref, bomb);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace escagent::cache
