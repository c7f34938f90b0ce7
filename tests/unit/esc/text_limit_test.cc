#include "esc/text_limit.h"

#include <gtest/gtest.h>

#include <string>

namespace escagent::esc {
namespace {

TEST(TextLimitTest, MakesOneShortLine) {
  struct Case {
    std::string text;
    std::size_t max;
    std::string expected;
  };
  const Case cases[] = {
      {"", 10, ""},
      {"plain text", 10, "plain text"},
      {"plain text", 9, "plain tex..."},
      {"  a \r\n\t b \n", 10, "a b"},
      {std::string("a\0\x1B[31mb\x7F", 9), 20, "a [31mb"},
      {"a\xC2\x9B"
       "b",
       10, "a b"},                             // a C1 control
      {"\xC2\xA9 x", 10, "\xC2\xA9 x"},        // shares its first byte with the C1 controls
      {"\xC3\xA9\xC3\xA9", 3, "\xC3\xA9..."},  // not cut within a character
      {"\xFF\xFE", 10, "(not valid UTF-8)"},
  };
  for (const Case& c : cases) EXPECT_EQ(LimitText(c.text, c.max), c.expected) << c.text;
}

}  // namespace
}  // namespace escagent::esc
