#include "esc/eval/text_width.h"

#include <gtest/gtest.h>

namespace escagent::eval {
namespace {

TEST(TextWidthTest, CountsColumns) {
  EXPECT_EQ(TextWidth(""), 0);
  EXPECT_EQ(TextWidth("abc"), 3);
  EXPECT_EQ(TextWidth("größe"), 5);
  EXPECT_EQ(TextWidth("世界"), 4);
  EXPECT_EQ(TextWidth("e\u0301"), 1);                     // a letter and its accent
  EXPECT_EQ(TextWidth("\U0001F469\u200D\U0001F4BB"), 2);  // two emoji joined to one
  EXPECT_EQ(TextWidth("\U0001F1E9\U0001F1EA"), 2);        // two letters that are a flag
  EXPECT_EQ(TextWidth("\U00010000"), 1);
}

TEST(TextWidthTest, ClustersAreTakenWhole) {
  EXPECT_EQ(FirstCluster("e\u0301x").bytes, 3u);
  EXPECT_EQ(FirstCluster("\r\n").bytes, 2u);
  EXPECT_EQ(FirstCluster("ab").bytes, 1u);
}

}  // namespace
}  // namespace escagent::eval
