#include "agent/mirror/key_rewrite.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/mirror/test_objects.h"

namespace escagent::mirror {
namespace {

std::string RewriteOne(const RewriteRule& rule, const std::string& key) {
  const auto rewritten = Rewrite({&rule, 1}, Data({{key, "v"}}), {});
  return rewritten ? rewritten->begin()->first : "error: " + rewritten.error().message;
}

// Expectations are the output of Go 1.26's regexp.ReplaceAllString.
TEST(Rewrite, RegexpReplacesAsGoDoes) {
  struct Case {
    const char* source;
    const char* target;
    const char* key;
    const char* rewritten;
  };
  constexpr Case kCases[] = {
      {R"(a)", R"(b)", "banana", "bbnbnb"},
      {R"(^)", R"(pre_)", "key", "pre_key"},
      {R"($)", R"(_post)", "key", "key_post"},
      {R"(x*)", R"(-)", "baaac", "-b-a-a-a-c-"},
      {R"(x*)", R"(-)", "axxb", "-a-b-"},
      {R"((\w+)-(\w+))", R"($2_$1)", "host-name", "host"},
      {R"((\w+)-(\w+))", R"($2-$1x)", "host-name", "name-"},
      {R"((?P<n>[a-z]+)(\d*))", R"(${n}.${2}$$$9$)", "abc12", "abc.12$$"},
      {R"()", R"(|)", "é1", "|é|1|"},
      {R"(a|)", R"(<$0>)", "abaa", "<a>b<a><a>"},
      {R"((a)|(b))", R"([$1$2])", "abc", "[a][b]c"},
      {R"(/)", R"(__)", "a/b/c", "a__b__c"},
      {R"(exporter/(.*))", R"($1)", "exporter/db", "db"},
      {R"(b*)", R"(${1)", "abb", "${1a${1"},
      {R"(b+)", R"(${x-y}$)", "abb", "a${x-y}$"},
      {R"(\bx)", R"(y)", "x xx", "y yx"},
      {R"(a*?)", R"(-)", "baab", "-b-a-a-b-"},
      {R"(nothing)", R"(x)", "key", "key"},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(RewriteOne(RegexpRewrite{.source = c.source, .target = c.target}, c.key), c.rewritten)
        << c.source;
  }
}

TEST(Rewrite, KeysAreNotMadeEndless) {
  std::string target;
  for (int i = 0; i < 100; ++i) target += "$0$0$0$0$0$0$0$0$0$0";
  EXPECT_EQ(RewriteOne(RegexpRewrite{.source = ".*", .target = target}, std::string(200, 'k')),
            "error: failed rewrite operation[0]: a key grows too long");
}

TEST(Rewrite, TransformIsATemplateOverTheKey) {
  EXPECT_EQ(RewriteOne(TransformRewrite{.key_template = "app_{{ .value }}"}, "db"), "app_db");
  const std::string error =
      RewriteOne(TransformRewrite{.key_template = "{{ nosuchfunction .value }}"}, "db");
  EXPECT_TRUE(error.starts_with(
      "error: failed rewrite operation[0]: transform failed with failed to execute template for "
      "key \"db\""))
      << error;
}

TEST(Rewrite, RulesApplyInOrder) {
  std::vector<RewriteRule> rules;
  rules.emplace_back(RegexpRewrite{.source = "^", .target = "a/"});
  rules.emplace_back(RegexpRewrite{.source = "/", .target = "_"});
  const auto rewritten = Rewrite(rules, Data({{"x", "1"}, {"y", "2"}}), {});
  ASSERT_TRUE(rewritten);
  EXPECT_EQ(Plain(*rewritten), (PlainData{{"a_x", "1"}, {"a_y", "2"}}));
}

// In ESO the one that stays is chosen by chance.
TEST(Rewrite, KeysThatCollideMustHaveOneValue) {
  const RewriteRule rule = RegexpRewrite{.source = "[0-9]", .target = ""};
  const auto equal = Rewrite({&rule, 1}, Data({{"k1", "same"}, {"k2", "same"}}), {});
  ASSERT_TRUE(equal);
  EXPECT_EQ(Plain(*equal), (PlainData{{"k", "same"}}));
  const auto different = Rewrite({&rule, 1}, Data({{"k1", "one"}, {"k2", "two"}}), {});
  ASSERT_FALSE(different);
  EXPECT_EQ(different.error().message,
            "failed rewrite operation[0]: several keys become \"k\", the last of them \"k2\", and "
            "their values differ");
}

}  // namespace
}  // namespace escagent::mirror
