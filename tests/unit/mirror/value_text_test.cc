#include "agent/mirror/value_text.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/mirror/test_objects.h"

namespace escagent::mirror {
namespace {

std::string Rendered(const esc::Value& value, const Compat& compat = {}) {
  const Result<Secret> text = RenderValue(value, compat, "the property x");
  return text ? std::string(text->Reveal()) : text.error().ToString();
}

TEST(RenderValue, IsCleanByDefault) {
  struct Case {
    const char* json;
    const char* text;
  };
  constexpr Case kCases[] = {
      {R"("text with \"quotes\" <&>\n")", "text with \"quotes\" <&>\n"},
      {"true", "true"},
      {"false", "false"},
      {"null", ""},
      {"42", "42"},
      {"1.0", "1.0"},
      {"1e3", "1e3"},
      {"12345678901234567890", "12345678901234567890"},
      {"123456789012345678901234567890", "123456789012345678901234567890"},
      {"{}", "{}"},
      {"[]", "[]"},
      {R"({"b": [1.50, null, "<x>"], "a": {"c": true}})",
       R"({"a":{"c":true},"b":[1.50,null,"<x>"]})"},
  };
  for (const Case& c : kCases) EXPECT_EQ(Rendered(ValueOf(c.json)), c.text) << c.json;
}

TEST(RenderValue, FloatsAsEso) {
  const Compat floats{.eso_floats = true};
  EXPECT_EQ(Rendered(ValueOf("1.0"), floats), "1");
  EXPECT_EQ(Rendered(ValueOf("12345678901234567890"), floats), "12345678901234567000");
  EXPECT_EQ(Rendered(ValueOf(R"({"n": 1.0})"), floats), R"({"n":1.0})")
      << "nested values have their own switch";
}

TEST(RenderValue, NestedAsEso) {
  const Compat nested{.eso_nested = true};
  EXPECT_EQ(Rendered(ValueOf(R"("plain")"), nested), "plain");
  EXPECT_EQ(Rendered(ValueOf(R"({"b": "<x>", "a": [1.0, null], "e": {}, "l": []})"), nested),
            R"({"a":{"trace":{},"value":[{"trace":{},"value":1.0},{"trace":{}}]},)"
            R"("b":{"trace":{},"value":"\u003cx\u003e"},)"
            R"("e":{"trace":{},"value":{}},"l":{"trace":{},"value":[]}})");
  esc::Value::Object members;
  members.emplace_back("s", ValueOf(R"("x")"));
  members.back().second.MarkSecret();
  EXPECT_EQ(Rendered(esc::Value::MakeObject(std::move(members)), nested),
            R"({"s":{"secret":true,"trace":{},"value":"x"}})");
  const Compat both{.eso_nested = true, .eso_floats = true};
  EXPECT_EQ(Rendered(ValueOf(R"([1.0, 1e21])"), both),
            R"([{"trace":{},"value":1},{"trace":{},"value":1e+21}])");
}

TEST(RenderValue, NullAsEso) {
  EXPECT_EQ(Rendered(ValueOf("null"), {.fail_on_null = true}),
            "INVALID_ARGUMENT: the property x is null: no value given for required property value");
}

TEST(RenderValue, UnknownIsNeverWritten) {
  esc::Value unknown;
  unknown.set_unknown(true);
  esc::Value::Array list;
  list.push_back(unknown.Clone());
  EXPECT_TRUE(Rendered(unknown).starts_with("FAILED_PRECONDITION: the property x"));
  EXPECT_TRUE(Rendered(esc::Value::MakeArray(std::move(list))).starts_with("FAILED_PRECONDITION"));
}

TEST(ParseCompat, ReadsNames) {
  EXPECT_EQ(*ParseCompat(""), Compat());
  EXPECT_EQ(*ParseCompat("none"), Compat());
  EXPECT_EQ(*ParseCompat("all"), (Compat{.eso_nested = true,
                                         .eso_floats = true,
                                         .silent_empty_extract = true,
                                         .fail_on_null = true}));
  EXPECT_EQ(*ParseCompat("nested, null"), (Compat{.eso_nested = true, .fail_on_null = true}));
  EXPECT_EQ(*ParseCompat("floats,empty-extract"),
            (Compat{.eso_floats = true, .silent_empty_extract = true}));
  const Result<Compat> wrong = ParseCompat("nested,typo");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message,
            "\"typo\" is not one of all, none, nested, floats, empty-extract, null");
}

TEST(CompatOf, IsTheAnnotationElseTheFallback) {
  const Compat fallback{.eso_floats = true};
  EXPECT_EQ(*CompatOf({}, fallback), fallback);
  EXPECT_EQ(*CompatOf({{kCompatAnnotation, "nested"}}, fallback), (Compat{.eso_nested = true}));
  EXPECT_EQ(*CompatOf({{kCompatAnnotation, ""}}, fallback), Compat());
  const Result<Compat> wrong = CompatOf({{kCompatAnnotation, "yes"}}, fallback);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message,
            "annotation esc-agent.io/eso-compat: \"yes\" is not one of all, none, nested, floats, "
            "empty-extract, null");
}

}  // namespace
}  // namespace escagent::mirror
