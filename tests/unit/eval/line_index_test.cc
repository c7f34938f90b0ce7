#include "esc/eval/line_index.h"

#include <gtest/gtest.h>

#include <string>

namespace escagent::eval {
namespace {

TEST(LineIndexTest, BytesBecomePositions) {
  const LineIndex index(
      "ab\nc\xC3\xBC"
      "d\nlast");
  EXPECT_EQ(index.At(1).line, 1);
  EXPECT_EQ(index.At(1).column, 2);
  const Position behind_umlaut = index.At(6);
  EXPECT_EQ(behind_umlaut.line, 2);
  EXPECT_EQ(behind_umlaut.column, 3);
  EXPECT_EQ(behind_umlaut.byte, 6u);
}

TEST(LineIndexTest, OnALastLineWithoutABreakTheByteIsNotKnown) {
  EXPECT_EQ(LineIndex("ab\nlast").At(5).byte, 0u);
  EXPECT_EQ(LineIndex("ab\nlast\n").At(5).byte, 5u);
}

TEST(LineIndexTest, LongLinesThatAreNotAsciiAreIndexed) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "\xC3\xBC";
  text += "\n";
  const LineIndex index(text);
  for (std::size_t i = 0; i < 100000; i += 999) {
    const Position position = index.At(2 * i);
    ASSERT_EQ(position.column, static_cast<int>(i) + 1);
    ASSERT_EQ(position.byte, 2 * i);
  }
}

}  // namespace
}  // namespace escagent::eval
