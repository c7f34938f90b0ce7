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

// For each of these yaml-cpp's parser goes on until there is no memory left, or has once crashed.
TEST(ParseYamlTest, TextsThatYamlCppNeverFinishes) {
  for (const char* text : {",", ",\n", "[,]", "{,}", "a: ,", "- ,", "]", "}", "? ,", "a: [b,,c]"}) {
    const Result<YAML::Node> node = ParseYaml(text, "x");
    ASSERT_FALSE(node) << text;
    EXPECT_THAT(node.error().message, HasSubstr("invalid YAML at line 1, column "));
  }
  EXPECT_FALSE(ParseYaml("a: \x04", "x"));
}

TEST(ParseYamlTest, TagsTellTextsFromOthers) {
  const Result<YAML::Node> node =
      ParseYaml("{plain: 5, quoted: '5', double: \"\", tagged: !!str 5, none: , null: ~}\n", "x");
  ASSERT_TRUE(node) << node.error().message;
  EXPECT_EQ((*node)["plain"].Tag(), "?");
  EXPECT_EQ((*node)["quoted"].Tag(), "!");
  EXPECT_EQ((*node)["double"].Tag(), "!");
  EXPECT_TRUE((*node)["double"].IsScalar());
  EXPECT_EQ((*node)["tagged"].Tag(), "tag:yaml.org,2002:str");
  EXPECT_TRUE((*node)["none"].IsNull());
  EXPECT_EQ(node->size(), 6U);
  EXPECT_EQ((*ParseYaml("a: |\n  x\n", "x"))["a"].Tag(), "!");
}

TEST(ParseYamlTest, Aliases) {
  const Result<YAML::Node> node = ParseYaml("a: &x {b: [1, 2]}\nc: *x\nd: &x 5\ne: *x\n", "x");
  ASSERT_TRUE(node) << node.error().message;
  EXPECT_EQ((*node)["c"]["b"][1].as<int>(), 2);
  EXPECT_EQ((*node)["e"].as<int>(), 5);
  EXPECT_FALSE(ParseYaml("a: *x\nb: &x 5\n", "x"));
  EXPECT_FALSE(ParseYaml("a: &x [*x]\n", "x"));
}

TEST(ParseYamlTest, ByteOrderMark) {
  const Result<YAML::Node> node = ParseYaml(
      "\xEF\xBB\xBF"
      "a: 1\nb: 2\n",
      "x");
  ASSERT_TRUE(node) << node.error().message;
  EXPECT_EQ((*node)["b"].as<int>(), 2);
}

TEST(ParseYamlTest, KeysAreScalars) {
  for (const char* text : {"? [a]\n: b", "{[a]: b}", "? {a: b}\n", "- &x [1]\n- *x : 2"}) {
    const Result<YAML::Node> node = ParseYaml(text, "x");
    ASSERT_FALSE(node) << text;
    EXPECT_THAT(node.error().message, HasSubstr("a key that is a list or a map")) << text;
  }
  EXPECT_TRUE(ParseYaml("- &x a\n- *x : 2", "x"));
}

// Work or memory that grows with the square of the text.
TEST(ParseYamlTest, DirectivesAreBounded) {
  std::string many;
  for (int i = 0; i < 200; ++i) many += "%TAG !a" + std::to_string(i) + "! tag:x\n";
  EXPECT_THAT(ParseYaml(many + "---\na: 1\n", "x").error().message,
              HasSubstr("more than 100 %TAG directives"));
  const std::string prefix(2000, 'x');
  for (const char* root : {"!a b", "!a [b]", "!a {b: c}", "- 1\n- !a b"}) {
    EXPECT_THAT(ParseYaml("%TAG ! " + prefix + "\n---\n" + root + "\n", "x").error().message,
                HasSubstr("a tag of more than 1,024 bytes"))
        << root;
  }
  const auto node = ParseYaml("%TAG ! tag:x,\n---\n!a b\n", "x");
  ASSERT_TRUE(node);
  EXPECT_EQ(node->Tag(), "tag:x,a");
}

TEST(ParseYamlTest, ControlCharactersHaveNoPlace) {
  EXPECT_EQ(ParseYaml("a: \x01", "x").error().message,
            "read x: invalid YAML: control characters are not allowed");
}

TEST(ParseYamlTest, DepthCountsThroughAliases) {
  const auto nested = [](std::size_t depth) {
    return "- &x [1]\n- " + std::string(depth - 2, '[') + "*x" + std::string(depth - 2, ']');
  };
  EXPECT_TRUE(ParseYaml(nested(kMaxYamlDepth), "x"));
  EXPECT_FALSE(ParseYaml(nested(kMaxYamlDepth + 1), "x"));
}

TEST(ParseYamlTest, WhatAliasesMultiplyIsRefused) {
  // 10^9 nodes.
  std::string wide = "a0: &a0 [x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1) + ", ";
    wide += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int n = 0; n < 10; ++n) wide += before;
    wide += "]\n";
  }
  EXPECT_THAT(ParseYaml(wide, "x").error().message, HasSubstr("aliases make it too large"));
  // Each list has the one before as its only element.
  std::string deep = "a0: &a0 x\n";
  for (int i = 1; i < 1000; ++i) {
    deep += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) +
            "]\n";
  }
  EXPECT_THAT(ParseYaml(deep, "x").error().message, HasSubstr("nested more than 200 deep"));
}

TEST(ParseYamlTest, SecondDocumentIsRefused) { EXPECT_FALSE(ParseYaml("a: 1\n---\nb: 2\n", "x")); }

TEST(ParseYamlStreamTest, ReadsAllDocuments) {
  const Result<std::vector<YamlDocument>> nodes = ParseYamlStream("a: 1\n---\nb: 2\n", "x");
  ASSERT_TRUE(nodes) << nodes.error().message;
  ASSERT_EQ(nodes->size(), 2U);
  EXPECT_EQ((*nodes)[1].root["b"].as<int>(), 2);
  EXPECT_EQ((*nodes)[1].line, 3);
  EXPECT_FALSE(ParseYamlStream("a: 1\n---\nb: [\n", "x"));
}

}  // namespace
}  // namespace escagent
