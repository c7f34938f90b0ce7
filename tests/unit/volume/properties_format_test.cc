#include "agent/volume/properties_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/volume/test_values.h"

namespace escagent::volume {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Result<std::string> Properties(const esc::Value& value, std::string_view name = "") {
  const Result<Secret> rendered = RenderProperties(Leaves(value, name));
  if (!rendered) return std::unexpected(rendered.error());
  return std::string(rendered->Reveal());
}

TEST(PropertiesFormatTest, JoinsKeysAsSpringBootBindsThem) {
  const auto text = Properties(ValueOfJson(
      R"({"spring": {"datasource": {"url": "jdbc:x", "port": 5432}}, "servers": [{"host": "a"}, "b"],
          "on": true, "none": null, "empty": []})"));
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text,
            "none=\n"
            "on=true\n"
            "servers[0].host=a\n"
            "servers[1]=b\n"
            "spring.datasource.port=5432\n"
            "spring.datasource.url=jdbc\\:x\n");
}

// Vectors checked with java.util.Properties (OpenJDK 17) by hand.
TEST(PropertiesFormatTest, EscapesAsJavaReads) {
  const std::vector<std::pair<std::string, std::string>> kPropertyValues = {
      {"plain", "plain"},
      {"two words ", "two words "},
      {" leading", "\\ leading"},
      {"  two", "\\  two"},
      {"\ttab", "\\ttab"},
      {"a\nb\rc\fd", "a\\nb\\rc\\fd"},
      {"a=b:c#d!e", "a\\=b\\:c\\#d\\!e"},
      {"back\\slash", "back\\\\slash"},
      {"é", "\\u00e9"},
      {"€", "\\u20ac"},
      {"🔑", "\\ud83d\\udd11"},
      {std::string("\0\x1f\x7f", 3), "\\u0000\\u001f\\u007f"}};
  for (const auto& [value, escaped] : kPropertyValues) {
    const auto text = Properties(Text(value), "k");
    ASSERT_TRUE(text);
    EXPECT_EQ(*text, "k=" + escaped + "\n");
  }
  const auto keys = Properties(ValueOfJson(R"({"a key": "1", "#b": "2", "c=d:e": "3", "": "4"})"));
  ASSERT_TRUE(keys);
  EXPECT_EQ(*keys, "=4\n\\#b=2\na\\ key=1\nc\\=d\\:e=3\n");
}

TEST(PropertiesFormatTest, CollisionsNameBothPaths) {
  const auto text = Properties(ValueOfJson(R"({"a.b": "canary", "a": {"b": "canary"}})"));
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, Code::kInvalidArgument);
  EXPECT_THAT(text.error().message, HasSubstr("a.b"));
  EXPECT_THAT(text.error().message, Not(HasSubstr("canary")));
}

}  // namespace
}  // namespace escagent::volume
