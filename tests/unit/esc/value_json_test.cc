#include "esc/value_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "base/json.h"
#include "esc/json_writer.h"
#include "esc/value_reader.h"

namespace escagent::esc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Rewritten(const Value& value) {
  SecretBuilder out;
  WriteJson(value, {}, out);
  return std::string(out.Reveal());
}

std::string Repeat(std::string_view text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

TEST(ParseValueNodeTest, ReadsEveryShape) {
  struct Case {
    std::string text;
    std::string expected;
  };
  const Case cases[] = {
      {R"({"value": "world"})", R"("world")"},
      {R"({"value": "\u0041\ud83d\ude00\u0000"})", "\"A\U0001F600\\u0000\""},
      {R"({"value": true})", "true"},
      {R"({"value": null})", "null"},
      {R"({})", "null"},
      {"null", "null"},
      {R"({"trace": {"def": {"environment": "e"}}})", "null"},
      {R"({"value": []})", "[]"},
      {R"({"value": {}})", "{}"},
      {R"({"value": [{"value": 1}, {}, null, {"value": [{"value": "x"}]}]})",
       R"([1,null,null,["x"]])"},
      {R"({"value": {"b": {"value": 1}, "a": {"value": {"c": {"value": 2}}}}})",
       R"({"a":{"c":2},"b":1})"},
      // Of equal keys the last one counts.
      {R"({"value": {"a": {"value": 1}, "a": {"value": 2}}})", R"({"a":2})"},
      {R"({"value": "first", "value": ["not a node", 1], "value": "last"})", ""},
      {R"({"value": {"a": {"value": 1}}, "value": "last"})", R"("last")"},
      // Members of a value that are named like members of a node.
      {R"({"value": {"value": {"value": {"trace": {"value": 1}}}, "secret": {"value": "s"}}})",
       R"({"secret":"s","value":{"trace":1}})"},
      // Whatever "trace" and unknown members are, they are skipped.
      {R"({"trace": {"base": {"value": [1, {"value": {}}]}}, "value": 1, "trace": null})", "1"},
      {R"({"trace": [], "value": 1})", "1"},
      {R"({"trace": 7, "new": {"secret": "x", "value": [[]]}, "value": 1, "newer": [[{}]]})", "1"},
  };
  for (const Case& c : cases) {
    const Result<Value> value = ParseValueNode(c.text, "test");
    if (c.expected.empty()) {
      EXPECT_FALSE(value) << c.text;
      continue;
    }
    ASSERT_TRUE(value) << c.text << ": " << value.error().message;
    EXPECT_EQ(Rewritten(*value), c.expected) << c.text;
    EXPECT_FALSE(value->secret());
    EXPECT_FALSE(value->ContainsUnknown());
  }
}

TEST(ParseValueNodeTest, NumbersKeepTheirText) {
  for (const std::string text :
       {"0", "-0", "1", "-1", "1.10", "1e3", "1E+03", "-0.0", "1.0e-05", "9007199254740993",
        "18446744073709551615", "18446744073709551616", "-9223372036854775808",
        "-9223372036854775809", "123456789012345678901234567890",
        "3.14159265358979323846264338327950288"}) {
    const Result<Value> value = ParseValueNode(R"({"value": )" + text + "}", "test");
    ASSERT_TRUE(value) << text;
    EXPECT_EQ(value->kind(), Value::Kind::kNumber);
    EXPECT_EQ(value->ScalarText(), text);
  }
}

TEST(ParseValueNodeTest, SecretTaintsAllBelowWhereverItStands) {
  for (const std::string text :
       {R"({"secret": true, "value": {"a": {"value": [{"value": 1}]}}})",
        R"({"value": {"a": {"value": [{"value": 1, "secret": false}]}}, "secret": true})"}) {
    const Value value = *ParseValueNode(text, "test");
    EXPECT_TRUE(value.secret());
    EXPECT_TRUE(value.Find("a")->secret());
    EXPECT_TRUE(value.Find("a")->elements()[0].secret());
  }
  const Value leaf = *ParseValueNode(
      R"({"value": {"a": {"value": 1, "secret": true}, "b": {"value": 2, "secret": null}}})",
      "test");
  EXPECT_FALSE(leaf.secret());
  EXPECT_TRUE(leaf.Find("a")->secret());
  EXPECT_FALSE(leaf.Find("b")->secret());
}

TEST(ParseValueNodeTest, KeepsUnknown) {
  const Value value =
      *ParseValueNode(R"({"value": {"a": {"unknown": true}, "b": {"unknown": false}}})", "test");
  EXPECT_TRUE(value.Find("a")->unknown());
  EXPECT_FALSE(value.Find("b")->unknown());
  EXPECT_TRUE(value.ContainsUnknown());
}

TEST(ParseValueNodeTest, RefusesWithPlaceButWithoutText) {
  struct Case {
    std::string text;
    std::string message;
  };
  const Case cases[] = {
      {"", "read session: invalid JSON at byte"},
      {R"("canary")", "read session: expected an object"},
      {R"(["canary"])", "read session: did not expect an array"},
      {R"({"value": {"a": {"value": "canary")", "invalid JSON at byte 35 (at a)"},
      {R"({"value": "canary" "x"})", "invalid JSON at byte"},
      {R"({"value": "canary"} "x")", "invalid JSON at byte"},
      {R"({"value": {"a": "canary"}})", "expected an object (at a)"},
      {R"({"value": {"a.b": {"value": [{"value": "canary"}, "canary"]}}})",
       R"(expected an object (at ["a.b"][1]))"},
      {R"({"value": {"a": ["canary"]}})", "did not expect an array (at a)"},
      {R"({"value": {"a": {"value": "canary", "secret": "yes"}}})", "to be booleans (at a)"},
      {R"({"value": "canary", "unknown": 1})", "to be booleans"},
      {R"({"value": "canary", "secret": {}})", "to be booleans"},
      {R"({"value": "canary", "secret": []})", "did not expect an array"},
      {R"({"value": {"a": {"value": 1e999}}})", "a number is out of range (at a)"},
      {"{\"value\": \"canary\xFF\"}", "not valid UTF-8"},
      {R"({"value": "canary\ud800"})", "invalid JSON at byte"},
      {"{\"value\": \"canary\n\"}", "invalid JSON at byte"},
      {R"({"value": 01})", "invalid JSON at byte"},
      {R"({"value": NaN})", "invalid JSON at byte"},
  };
  for (const Case& c : cases) {
    const Result<Value> value = ParseValueNode(c.text, "session");
    ASSERT_FALSE(value) << c.text;
    EXPECT_EQ(value.error().code, Code::kInvalidArgument);
    EXPECT_THAT(value.error().message, AllOf(HasSubstr(c.message), Not(HasSubstr("canary"))))
        << c.text;
  }
}

TEST(ParseValueNodeTest, BoundsDepth) {
  // Each level of the value is two levels of JSON.
  const auto nested = [](std::size_t levels) {
    return Repeat(R"({"value":[)", levels) + Repeat("]}", levels);
  };
  EXPECT_TRUE(ParseValueNode(nested(kMaxJsonDepth / 2), "test"));
  EXPECT_THAT(ParseValueNode(nested(kMaxJsonDepth / 2 + 1), "test").error().message,
              HasSubstr("nested more than 200 deep"));
  EXPECT_FALSE(ParseValueNode(R"({"trace":)" + std::string(100000, '['), "test"));
}

TEST(ValueReaderTest, BoundsTheNumberOfValues) {
  // Nodes of every kind count, the container too.
  const std::string text = R"({"value": [{}, null, {"value": {"a": {}}}]})";
  ValueReader enough(ValueReader::Document::kNode, 5);
  EXPECT_TRUE(ParseJsonSax(text, "test", enough));
  ValueReader too_few(ValueReader::Document::kNode, 4);
  EXPECT_FALSE(ParseJsonSax(text, "test", too_few));
  EXPECT_EQ(too_few.fault(), "more than 4 values");
}

TEST(ParseEnvironmentTest, GivesTheProperties) {
  struct Case {
    std::string text;
    std::string expected;
  };
  const Case cases[] = {
      {R"({"properties": {"a": {"value": 1}, "properties": {"value": "p"}}})",
       R"({"a":1,"properties":"p"})"},
      {R"({"exprs": {"a": {"literal": "x", "properties": {}}},
           "properties": {"a": {"value": 1, "trace": {"def": {"environment": "e", "begin": {}}}}},
           "schema": {"properties": {"b": {"type": "string"}}},
           "executionContext": {"properties": {"c": {"value": 1}}, "schema": true},
           "somethingNew": [1, {"properties": {}}]})",
       R"({"a":1})"},
      {R"({"exprs": null, "properties": null, "schema": null})", "{}"},
      {R"({"schema": {"type": "object"}})", "{}"},
      {"{}", "{}"},
  };
  for (const Case& c : cases) {
    const Result<Value> value = ParseEnvironment(c.text, "test");
    ASSERT_TRUE(value) << c.text << ": " << value.error().message;
    EXPECT_EQ(Rewritten(*value), c.expected);
  }
}

TEST(ParseEnvironmentTest, RefusesWhatIsNoEnvironment) {
  struct Case {
    std::string text;
    std::string message;
  };
  const Case cases[] = {
      {"null", "expected an object"},
      {"[]", "did not expect an array"},
      {"<html></html>", "invalid JSON at byte 1"},
      {R"({"error": "captive portal"})", "none of an environment's members"},
      {R"({"properties": []})", "did not expect an array"},
      {R"({"properties": "canary"})", "\"properties\" to be an object"},
      {R"({"properties": {"a": {"value": 1}})", "invalid JSON at byte"},
      {R"({"properties": {"app": {"value": {"db": 5}}}})", "expected an object (at app.db)"},
  };
  for (const Case& c : cases) {
    const Result<Value> value = ParseEnvironment(c.text, "test");
    ASSERT_FALSE(value) << c.text;
    EXPECT_EQ(value.error().code, Code::kInvalidArgument);
    EXPECT_THAT(value.error().message, AllOf(HasSubstr(c.message), Not(HasSubstr("canary"))));
  }
}

// What the strict official Go SDK wants of every node: "value" and "trace".
TEST(WriteValueNodeTest, WritesValueAndTraceAlways) {
  SecretBuilder out;
  WriteValueNode(Value::Null(), {.environment = "dev"}, out);
  EXPECT_EQ(out.Reveal(),
            R"({"value":null,"trace":{"def":{"environment":"dev",)"
            R"("begin":{"line":0,"column":0,"byte":0},"end":{"line":0,"column":0,"byte":0}}}})");
}

TEST(WriteValueNodeTest, FlagsAndOldShapes) {
  const Value value = *ParseValueNode(
      R"({"value": {"n": {"value": null}, "s": {"value": "x", "secret": true}, "u": {"unknown": true}}})",
      "test");
  SecretBuilder fresh;
  WriteValueNode(value, {.omit_trace = true}, fresh);
  EXPECT_EQ(fresh.Reveal(), R"({"value":{"n":{"value":null},"s":{"value":"x","secret":true},)"
                            R"("u":{"value":null,"unknown":true}}})");
  SecretBuilder old;
  WriteValueNode(value, {.omit_null_value = true, .omit_trace = true}, old);
  EXPECT_EQ(old.Reveal(),
            R"({"value":{"n":{},"s":{"value":"x","secret":true},"u":{"unknown":true}}})");
}

TEST(WriteValueNodeTest, ReadsBackEqualInEveryShape) {
  const Value value = *ParseValueNode(
      R"({"value": {"a": {"value": {"s": {"value": "\"<\u2028\n"}, "n": {"value": 1.10}}, "secret": true},
          "l": {"value": [{"value": null}, {"value": false}, {"unknown": true}]}}})",
      "test");
  for (const bool omit_null : {false, true}) {
    for (const bool omit_trace : {false, true}) {
      SecretBuilder out;
      WriteValueNode(
          value, {.environment = "d\"ev", .omit_null_value = omit_null, .omit_trace = omit_trace},
          out);
      const Result<Value> read = ParseValueNode(out.Reveal(), "test");
      ASSERT_TRUE(read) << read.error().message;
      EXPECT_TRUE(read->Equals(value));
    }
  }
}

}  // namespace
}  // namespace escagent::esc
