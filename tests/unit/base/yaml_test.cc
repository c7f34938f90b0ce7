#include "base/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace escagent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ParseYamlTest, ReadsADocument) {
  const Result<YAML::Node> node = ParseYaml("a: [1, two]\nb:\n  c: d\n", "app.yaml");
  ASSERT_TRUE(node) << node.error().message;
  EXPECT_EQ((*node)["a"][1].as<std::string>(), "two");
  EXPECT_EQ((*node)["b"]["c"].as<std::string>(), "d");
}

TEST(ParseYamlTest, EmptyTextIsNull) {
  for (const std::string_view text : {"", "\n", "# only a comment\n"}) {
    const Result<YAML::Node> node = ParseYaml(text, "x");
    ASSERT_TRUE(node) << node.error().message;
    EXPECT_TRUE(node->IsNull());
  }
}

TEST(ParseYamlTest, ErrorsHaveThePositionAndNoneOfTheText) {
  for (const std::string_view text : {
           "a: canary\nb: [canary",
           "a: canary\nb: \"canary",
           "a: canary\nb: {canary",
           "a: canary\n\tb: canary",
           "a: canary\n  b: canary",
           "a: canary\nb: *canary",
           "a: canary\nb: \"\\qcanary\"",
       }) {
    const Result<YAML::Node> node = ParseYaml(text, "store.yaml");
    ASSERT_FALSE(node) << text;
    EXPECT_EQ(node.error().code, Code::kInvalidArgument);
    EXPECT_THAT(node.error().message, HasSubstr("store.yaml"));
    EXPECT_THAT(node.error().message, HasSubstr("line "));
    EXPECT_THAT(node.error().message, HasSubstr("column "));
    EXPECT_THAT(node.error().message, Not(HasSubstr("canary"))) << text;
  }
}

TEST(ParseYamlTest, PositionCountsFromOne) {
  const Result<YAML::Node> node = ParseYaml("a: 1\nb: 2\n\tc: 3\n", "x");
  ASSERT_FALSE(node);
  EXPECT_THAT(node.error().message, HasSubstr("line 3, column 1"));
}

TEST(ParseYamlTest, RefusesInvalidUtf8) {
  const Result<YAML::Node> node = ParseYaml("a: \xC3\x28", "x");
  ASSERT_FALSE(node);
  EXPECT_THAT(node.error().message, HasSubstr("UTF-8"));
}

TEST(ParseYamlTest, DeepNestingIsRefusedNotACrash) {
  EXPECT_FALSE(ParseYaml(std::string(100000, '['), "x"));
  std::string blocks;
  for (int i = 0; i < 20000; ++i) blocks += "- ";
  EXPECT_FALSE(ParseYaml(blocks, "x"));
}

TEST(ParseYamlTest, SecondDocumentIsRefused) { EXPECT_FALSE(ParseYaml("a: 1\n---\nb: 2\n", "x")); }

TEST(ParseYamlStreamTest, ReadsAllDocuments) {
  const Result<std::vector<YAML::Node>> nodes = ParseYamlStream("a: 1\n---\nb: 2\n", "x");
  ASSERT_TRUE(nodes) << nodes.error().message;
  ASSERT_EQ(nodes->size(), 2U);
  EXPECT_EQ((*nodes)[1]["b"].as<int>(), 2);
  EXPECT_FALSE(ParseYamlStream("a: 1\n---\nb: [\n", "x"));
}

}  // namespace
}  // namespace escagent
