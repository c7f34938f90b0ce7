#include "agent/volume/yaml_format.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/yaml.h"
#include "tests/unit/volume/test_values.h"

namespace escagent::volume {
namespace {

std::string Yaml(const esc::Value& value) { return std::string(RenderYaml(value).Reveal()); }

// That reading the YAML gives the value back: kinds by their YAML spelling, texts exactly.
void ExpectSame(const esc::Value& value, const YAML::Node& node, const std::string& where) {
  switch (value.kind()) {
    case esc::Value::Kind::kNull:
      EXPECT_TRUE(node.IsNull()) << where;
      return;
    case esc::Value::Kind::kObject:
      ASSERT_TRUE(node.IsMap()) << where;
      ASSERT_EQ(node.size(), value.members().size()) << where;
      for (const auto& [key, member] : value.members()) {
        bool found = false;
        for (const auto& entry : node) {
          if (entry.first.Scalar() != key) continue;
          found = true;
          ExpectSame(member, entry.second, where + "." + key);
        }
        EXPECT_TRUE(found) << where << "." << key;
      }
      return;
    case esc::Value::Kind::kArray:
      ASSERT_TRUE(node.IsSequence()) << where;
      ASSERT_EQ(node.size(), value.elements().size()) << where;
      for (std::size_t i = 0; i < value.elements().size(); ++i) {
        ExpectSame(value.elements()[i], node[i], where + "[" + std::to_string(i) + "]");
      }
      return;
    case esc::Value::Kind::kBool:
    case esc::Value::Kind::kNumber:
    case esc::Value::Kind::kString:
      ASSERT_TRUE(node.IsScalar()) << where;
      EXPECT_EQ(node.Scalar(), value.ScalarText()) << where;
      return;
  }
}

void ExpectRoundTrip(const esc::Value& value) {
  const std::string yaml = Yaml(value);
  const auto node = ParseYaml(yaml, "rendered");
  ASSERT_TRUE(node) << node.error().message << "\n" << yaml;
  ExpectSame(value, *node, "$");
  if (::testing::Test::HasFailure()) ADD_FAILURE() << yaml;
}

esc::Value Member(std::string key, esc::Value value) {
  esc::Value::Object members;
  members.emplace_back(std::move(key), std::move(value));
  return esc::Value::MakeObject(std::move(members));
}

TEST(YamlFormatTest, IsBlockStyleWithTwoSpaces) {
  const esc::Value value = ValueOfJson(
      R"({"app": {"debug": true, "hosts": ["a", {"name": "b", "port": 1.1}, ["x", []]],
          "none": null}, "empty": {}, "url": "https://x.example/a", "text": "two\nlines\n"})");
  EXPECT_EQ(Yaml(value),
            "app:\n"
            "  debug: true\n"
            "  hosts:\n"
            "    - a\n"
            "    - name: b\n"
            "      port: 1.1\n"
            "    - - x\n"
            "      - []\n"
            "  none: null\n"
            "empty: {}\n"
            "text: |\n"
            "  two\n"
            "  lines\n"
            "url: https://x.example/a\n");
  ExpectRoundTrip(value);
}

TEST(YamlFormatTest, StringsThatReadAsOtherTypesAreQuoted) {
  for (const std::string text :
       {"",      "yes",  "No",   "on",    "OFF",  "y",     "N",          "true",  "False",
        "null",  "Null", "~",    "1",     "1.0",  "-1",    "+1",         "0x1f",  "1e3",
        "1_000", ".5",   ".inf", "-.Inf", ".nan", "12:30", "2026-01-01", "=",     "<<",
        "-",     "- a",  "?",    ":",     "a: b", "a #b",  "#a",         "!tag",  "&a",
        "*a",    "%a",   "@a",   "`a",    "[a]",  "{a}",   "'a'",        "\"a\"", "| a",
        "> a",   " a",   "a ",   "a:",    "---",  "...",   "a, b",       "nan",   "INF"}) {
    const esc::Value value = Member("k", Text(text));
    EXPECT_EQ(Yaml(value).substr(0, 4), "k: \"") << text;
    ExpectRoundTrip(value);
    ExpectRoundTrip(Member(text, Text("v")));
  }
}

TEST(YamlFormatTest, PlainStringsStayPlain) {
  for (const std::string text : {"world", "a b", "/etc/passwd", "_x", "a@b.c", "x=1", "a-b.c/d+e",
                                 "postgres://h/db", "yesterday", "e3"}) {
    EXPECT_EQ(Yaml(Member("k", Text(text))), "k: " + text + "\n");
    ExpectRoundTrip(Member("k", Text(text)));
  }
}

TEST(YamlFormatTest, TextsOfSeveralLinesAreLiteralBlocksWhereThatIsExact) {
  EXPECT_EQ(Yaml(Member("k", Text("a\nb"))), "k: |-\n  a\n  b\n");
  EXPECT_EQ(Yaml(Member("k", Text("a\n\nb\n"))), "k: |\n  a\n\n  b\n");
  EXPECT_EQ(Yaml(Member("k", Text("a\n\n"))), "k: |+\n  a\n\n");
  EXPECT_EQ(Yaml(Member("k", Text(" a\nb"))), "k: \" a\\nb\"\n");
  EXPECT_EQ(Yaml(Member("k", Text("a\r\nb"))), "k: \"a\\r\\nb\"\n");
  EXPECT_EQ(Yaml(Member("k", Text("a\n \nb"))), "k: \"a\\n \\nb\"\n");
  EXPECT_EQ(Yaml(Text("a\nb\n")), "|\n  a\n  b\n");
  for (const std::string text : {"a\nb", "a\n\nb\n", "a\n\n", "a\n\n\n", "\na", "\n", "\n\n",
                                 "a\n  b\n c", "a\n\tb", "a\t\nb", "a\n--- b\n...\n",
                                 "a: b\n- c\n# d", "a\n   ", "a\n \n", "key:\n  - |\n    x\n"}) {
    esc::Value::Array elements;
    elements.push_back(Text(text));
    elements.push_back(Member("k", Text(text)));
    elements.push_back(Member("z", Text("after")));
    ExpectRoundTrip(Member("list", esc::Value::MakeArray(std::move(elements))));
    ExpectRoundTrip(Text(text));
  }
}

TEST(YamlFormatTest, ControlAndSpecialCharactersAreEscaped) {
  EXPECT_EQ(Yaml(Text(std::string_view("\0\x1b\x7f", 3))), "\"\\u0000\\u001b\\u007f\"\n");
  EXPECT_EQ(Yaml(Text("\xc2\x85\xe2\x80\xa8\xef\xbb\xbf")), "\"\\u0085\\u2028\\ufeff\"\n");
  EXPECT_EQ(Yaml(Text("ключ 🔑")), "\"ключ 🔑\"\n");
  for (char32_t c = 0; c < 0x100; ++c) {
    std::string text = "x";
    if (c < 0x80) {
      text += static_cast<char>(c);
    } else {
      text += static_cast<char>(0xc0 | (c >> 6));
      text += static_cast<char>(0x80 | (c & 0x3f));
    }
    ExpectRoundTrip(Member("k", Text(text + "y")));
  }
}

TEST(YamlFormatTest, LongKeysAreExplicit) {
  const std::string key(3000, 'k');
  for (const std::string json : {"\"v\"", "{\"a\": 1}", "[1, 2]", "{}"}) {
    const esc::Value value = ValueOfJson("{\"" + key + "\": " + json + ", \"z\": \"after\"}");
    ExpectRoundTrip(value);
    esc::Value::Array elements;
    elements.push_back(value.Clone());
    ExpectRoundTrip(esc::Value::MakeArray(std::move(elements)));
  }
}

// Any tree of awkward texts comes back as it was.
TEST(YamlFormatTest, RandomTreesRoundTrip) {
  std::mt19937 random(20260101);
  const std::vector<std::string> pieces = {"a",  "B", " ",  "\n", "\t",  ":", "-", "#", "\"", "'",
                                           "\\", "é", "🔑", "0",  "yes", "{", "[", ",", "|",  "\r"};
  const auto pick = [&random](std::size_t limit) { return random() % limit; };
  const auto text = [&] {
    std::string result;
    for (std::size_t i = pick(8); i > 0; --i) result += pieces[pick(pieces.size())];
    return result;
  };
  const std::function<esc::Value(int)> tree = [&](int depth) -> esc::Value {
    const std::size_t kind = depth == 0 ? pick(4) : pick(8);
    if (kind == 0) return esc::Value::Null();
    if (kind == 1) return esc::Value::Bool(pick(2) == 0);
    if (kind < 4) return Text(text());
    if (kind < 6) {
      esc::Value::Array elements;
      for (std::size_t i = pick(4); i > 0; --i) elements.push_back(tree(depth - 1));
      return esc::Value::MakeArray(std::move(elements));
    }
    esc::Value::Object members;
    for (std::size_t i = pick(4); i > 0; --i) members.emplace_back(text(), tree(depth - 1));
    return esc::Value::MakeObject(std::move(members));
  };
  for (int i = 0; i < 2000 && !HasFailure(); ++i) ExpectRoundTrip(tree(4));
}

}  // namespace
}  // namespace escagent::volume
