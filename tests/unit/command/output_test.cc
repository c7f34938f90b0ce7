#include "agent/command/output.h"

#include <gtest/gtest.h>

namespace escagent::command {
namespace {

TEST(FormatTable, PadsEachColumnToItsWidestCell) {
  EXPECT_EQ(FormatTable({{"A", "LONGER", "C"}, {"wide", "x", "last"}}),
            "A     LONGER  C\n"
            "wide  x       last\n");
}

TEST(FormatTable, EmptyIsEmpty) { EXPECT_EQ(FormatTable({}), ""); }

}  // namespace
}  // namespace escagent::command
