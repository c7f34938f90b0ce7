#include "esc/json_writer.h"

#include <gtest/gtest.h>

#include <string>

#include "esc/value_json.h"

namespace escagent::esc {
namespace {

std::string Json(const Value& value, const JsonOptions& options = {}) {
  SecretBuilder out;
  WriteJson(value, options, out);
  return std::string(out.Reveal());
}

Value Node(std::string_view text) { return *ParseValueNode(text, "test"); }

TEST(JsonWriterTest, WritesCleanSortedJson) {
  const Value value = Node(R"({"value": {
      "z": {"value": [{"value": 1.10}, {"value": 123456789012345678901234567890}, {"value": null}]},
      "a": {"value": {"t": {"value": true}, "s": {"value": "x", "secret": true}}, "trace": {}},
      "e": {"value": {}}, "l": {"value": []}}})");
  EXPECT_EQ(
      Json(value),
      R"({"a":{"s":"x","t":true},"e":{},"l":[],"z":[1.10,123456789012345678901234567890,null]})");
  EXPECT_EQ(Json(value, {.indent = 2}), R"({
  "a": {
    "s": "x",
    "t": true
  },
  "e": {},
  "l": [],
  "z": [
    1.10,
    123456789012345678901234567890,
    null
  ]
})");
}

TEST(JsonWriterTest, IndentZeroStillBreaksLines) {
  EXPECT_EQ(Json(Node(R"({"value": [{"value": 1}]})"), {.indent = 0}), "[\n1\n]");
}

TEST(JsonWriterTest, EscapesStrings) {
  struct Case {
    std::string text;
    std::string plain;
    std::string html;
  };
  const Case cases[] = {
      {"", R"("")", R"("")"},
      {"a\"b\\c/", R"("a\"b\\c/")", R"("a\"b\\c/")"},
      {"\n\r\t\b\f", R"("\n\r\t\b\f")", R"("\n\r\t\b\f")"},
      {std::string("\0\x01\x1f\x7f", 4), "\"\\u0000\\u0001\\u001f\x7f\"",
       "\"\\u0000\\u0001\\u001f\x7f\""},
      {"<a&b>", R"("<a&b>")", R"("\u003ca\u0026b\u003e")"},
      {"x\u2028y\u2029", "\"x\u2028y\u2029\"", R"("x\u2028y\u2029")"},
      {"gr\u00fc\u00df \U0001F600", "\"gr\u00fc\u00df \U0001F600\"",
       "\"gr\u00fc\u00df \U0001F600\""},
      {"a\xFF\xC3(b\xE2\x82", R"("a\ufffd\ufffd(b\ufffd\ufffd")",
       R"("a\ufffd\ufffd(b\ufffd\ufffd")"},
  };
  for (const Case& c : cases) {
    const Value value = Value::String(Secret(std::string_view(c.text)));
    EXPECT_EQ(Json(value), c.plain);
    EXPECT_EQ(Json(value, {.escape_html = true}), c.html);
  }
}

TEST(JsonWriterTest, EscapesKeysToo) {
  EXPECT_EQ(Json(Node(R"({"value": {"<\"": {"value": 1}}})"), {.escape_html = true}),
            R"({"\u003c\"":1})");
}

TEST(JsonWriterTest, RedactsSecretsWhole) {
  const Value value = Node(R"({"value": {
      "open": {"value": "shown"},
      "leaf": {"value": "canary", "secret": true},
      "tree": {"value": {"below": {"value": "canary"}}, "secret": true}}})");
  EXPECT_EQ(Json(value, {.redact_secrets = true}),
            R"({"leaf":"[secret]","open":"shown","tree":"[secret]"})");
  EXPECT_EQ(Json(value), R"({"leaf":"canary","open":"shown","tree":{"below":"canary"}})");
}

TEST(JsonWriterTest, UnknownIsForPeople) {
  const Value value = Node(R"({"value": [{"unknown": true, "secret": true}]})");
  EXPECT_EQ(Json(value), R"(["[unknown]"])");
  EXPECT_EQ(Json(value, {.redact_secrets = true}), R"(["[secret]"])");
}

}  // namespace
}  // namespace escagent::esc
