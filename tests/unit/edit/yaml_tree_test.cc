#include "esc/edit/yaml_tree.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace escagent::edit {
namespace {

// The text of the value of the only key.
std::string ValueText(std::string_view text) {
  const Result<YamlNode> root = ReadYamlTree(text);
  if (!root) return "error: " + root.error().message;
  if (root->entries.empty()) return "error: no entry";
  const YamlNode& value = root->entries.front().value;
  return std::string(text.substr(value.begin, value.end - value.begin));
}

TEST(YamlTreeTest, KnowsWhereValuesEnd) {
  EXPECT_EQ(ValueText("a: one two # c"), "one two");
  EXPECT_EQ(ValueText("a: one\n  two # c"), "one\n  two");
  EXPECT_EQ(ValueText("a: \"x\\\"y\" # c"), "\"x\\\"y\"");
  EXPECT_EQ(ValueText("a: 'x''y' # c"), "'x''y'");
  EXPECT_EQ(ValueText("a: [1, {b: ']'}, # c\n 2] # d"), "[1, {b: ']'}, # c\n 2]");
  EXPECT_EQ(ValueText("a: {b: , c: d, }"), "{b: , c: d, }");
  EXPECT_EQ(ValueText("a: [ ] # c"), "[ ]");
  EXPECT_EQ(ValueText("a: [b: 1, c]"), "[b: 1, c]");
  EXPECT_EQ(ValueText("a: !<tag:yaml.org,2002:str> 5 # c"), "!<tag:yaml.org,2002:str> 5");
  EXPECT_EQ(ValueText("a: !t # c\n"), "!t");
  EXPECT_EQ(ValueText("a:\n  b: 1\n  c:\n    - d\n    - e # f\n# g"),
            "b: 1\n  c:\n    - d\n    - e");
  EXPECT_EQ(ValueText("a: |-\n  x\n   y\n\n # c\n"), "|-\n  x\n   y");
  EXPECT_EQ(ValueText("a: http://x#y"), "http://x#y");
  EXPECT_EQ(ValueText("a:"), "");
}

TEST(YamlTreeTest, TellsNothingFromNull) {
  const auto kind = [](std::string_view text) {
    const Result<YamlNode> root = ReadYamlTree(text);
    EXPECT_TRUE(root) << text;
    return root ? root->entries.front().value.kind : YamlNode::Kind::kMap;
  };
  EXPECT_EQ(kind("a:\nb: 1"), YamlNode::Kind::kEmpty);
  EXPECT_EQ(kind("a:\nnull: 1"), YamlNode::Kind::kEmpty);
  EXPECT_EQ(kind("a: # ~\n"), YamlNode::Kind::kEmpty);
  EXPECT_EQ(kind("a: ~\nb: 1"), YamlNode::Kind::kNull);
  EXPECT_EQ(kind("a: null\nnull: 1"), YamlNode::Kind::kNull);
  EXPECT_EQ(kind("a: NULL"), YamlNode::Kind::kNull);
  EXPECT_EQ(kind("a: 'null'"), YamlNode::Kind::kScalar);
  EXPECT_EQ(ReadYamlTree("# nothing\n")->kind, YamlNode::Kind::kEmpty);
}

TEST(YamlTreeTest, SaysTheSameInAnotherStyle) {
  const auto same = [](std::string_view a, std::string_view b) {
    return SayTheSame(*ReadYamlTree(a), *ReadYamlTree(b));
  };
  EXPECT_TRUE(same("a: {b: [1, 2]} # c", "a:\n  b:\n    - 1\n    - 2\n"));
  EXPECT_TRUE(same("a: \"x\\ny\"", "a: |-\n  x\n  y\n"));
  EXPECT_TRUE(same("a:", "a: null"));
  EXPECT_FALSE(same("a: 5", "a: '5'"));
  EXPECT_FALSE(same("a: !x 5", "a: 5"));
  EXPECT_FALSE(same("a: 1\nb: 2", "b: 2\na: 1"));
  EXPECT_FALSE(same("a: {b: 1}", "a: {b: 1, c: 2}"));
  EXPECT_FALSE(same("a: []", "a: {}"));
}

}  // namespace
}  // namespace escagent::edit
