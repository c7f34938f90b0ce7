#include "agent/mirror/merge_rewrite.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/mirror/test_objects.h"

namespace escagent::mirror {
namespace {

SecretData Sources() {
  return Data({{"a", R"({"host": "a", "port": 1.50, "tls": {"on": true}})"},
               {"b", R"({"host": "b", "user": null})"}});
}

TEST(MergeObjects, ConflictsAreAnErrorUnlessIgnored) {
  const auto merged = MergeObjects({}, Sources(), {});
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().message,
            "merge failed with conflicts: \"host\"; set conflictPolicy: Ignore to let the last "
            "one win");
}

TEST(MergeObjects, ExtractMakesMembersKeys) {
  const auto merged = MergeObjects({.ignore_conflicts = true}, Sources(), {});
  ASSERT_TRUE(merged);
  EXPECT_EQ(Plain(*merged),
            (PlainData{{"host", "b"}, {"port", "1.50"}, {"tls", R"({"on":true})"}, {"user", ""}}));
}

TEST(MergeObjects, PriorityWins) {
  const auto merged = MergeObjects({.priority = {"a"}, .ignore_conflicts = true}, Sources(), {});
  ASSERT_TRUE(merged);
  EXPECT_EQ(Plain(*merged).at("host"), "a");
}

TEST(MergeObjects, AMissingPriorityKeyIsAnErrorUnlessIgnored) {
  const auto strict = MergeObjects({.priority = {"x"}, .ignore_conflicts = true}, Sources(), {});
  ASSERT_FALSE(strict);
  EXPECT_EQ(strict.error().message, "merge failed with key \"x\" not found in input map");
  EXPECT_TRUE(
      MergeObjects({.priority = {"x"}, .ignore_missing_priority = true, .ignore_conflicts = true},
                   Sources(), {}));
}

TEST(MergeObjects, JsonAddsOneKey) {
  const auto merged = MergeObjects(
      {.strategy = MergeRewrite::Strategy::kJson, .into = "all", .ignore_conflicts = true},
      Sources(), {});
  ASSERT_TRUE(merged);
  PlainData expected = Plain(Sources());
  expected["all"] = R"({"host":"b","port":1.50,"tls":{"on":true},"user":null})";
  EXPECT_EQ(Plain(*merged), expected);
}

TEST(MergeObjects, ErrorsHoldNoValue) {
  for (const char* value : {"canary-value", "[1]", "\"canary-value\"", "{\"a\": canary-value}"}) {
    const auto merged = MergeObjects({}, Data({{"key", value}}), {});
    ASSERT_FALSE(merged);
    EXPECT_NE(merged.error().message.find("key \"key\""), std::string::npos);
    EXPECT_EQ(merged.error().message.find("canary"), std::string::npos);
  }
}

}  // namespace
}  // namespace escagent::mirror
