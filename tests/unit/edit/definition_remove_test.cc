#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/edit/edit_fixture.h"

namespace escagent::edit {
namespace {

struct RemoveCase {
  const char* name;
  const char* before;
  const char* path;
  const char* after;
};

class RemoveTest : public testing::TestWithParam<RemoveCase> {};

TEST_P(RemoveTest, TakesOnlyWhatIsAddressed) {
  EXPECT_EQ(TextAfter(GetParam().before, RemoveEdit(GetParam().path)), GetParam().after);
}

INSTANTIATE_TEST_SUITE_P(
    Removes, RemoveTest,
    testing::Values(
        RemoveCase{"Line", "values:\n  a: 1 # one\n  b: 2\n", "a", "values:\n  b: 2\n"},
        RemoveCase{"LastLine", "values:\n  a: 1\n  b: 2", "b", "values:\n  a: 1\n"},
        RemoveCase{"Map",
                   "values:\n  # about a\n  a:\n    x: 1\n    y: 2 # y\n  # about b\n  b: 2\n", "a",
                   "values:\n  # about a\n  # about b\n  b: 2\n"},
        RemoveCase{"BlockScalar", "values:\n  a: |\n    x\n\n    y\n\n  b: 2\n", "a",
                   "values:\n\n  b: 2\n"},
        RemoveCase{"TheOnlyOne", "values:\n  a:\n    x: 1\n  b: 2\n", "a.x",
                   "values:\n  a: {}\n  b: 2\n"},
        RemoveCase{"TheOnlyOneBelowAComment", "values:\n  a: # why\n    x: 1\n  b: 2\n", "a.x",
                   "values:\n  a: # why\n    {}\n  b: 2\n"},
        RemoveCase{"TheOnlyValue", "imports: []\nvalues:\n  a: 1\n", "a",
                   "imports: []\nvalues: {}\n"},
        RemoveCase{"FirstOfAnElement", "values:\n  l:\n    - a: 1 # one\n      b: 2\n", "l[0].a",
                   "values:\n  l:\n    - b: 2\n"},
        RemoveCase{"FirstOfAnElementBeforeAComment",
                   "values:\n  l:\n    - a: 1\n      # two\n      b: 2\n", "l[0].a",
                   "values:\n  l:\n    - # two\n      b: 2\n"},
        RemoveCase{"OnlyOfAnElement", "values:\n  l:\n    - a: 1\n    - b: 2\n", "l[0].a",
                   "values:\n  l:\n    - {}\n    - b: 2\n"},
        RemoveCase{"FirstInBraces", "values: {a: 1, b: 2, c: 3}", "a", "values: {b: 2, c: 3}"},
        RemoveCase{"MiddleInBraces", "values: {a: 1, b: 2, c: 3}", "b", "values: {a: 1, c: 3}"},
        RemoveCase{"LastInBraces", "values: {a: 1, b: 2, c: 3}", "c", "values: {a: 1, b: 2}"},
        RemoveCase{"OnlyInBraces", "values: {a: {x: [1]}}", "a.x", "values: {a: {}}"},
        RemoveCase{"AcrossLines", "values: {\n  a: 1, # one\n  b: 2 # two\n}\n", "a",
                   "values: {\n   # one\n  b: 2 # two\n}\n"},
        RemoveCase{"LastAcrossLines", "values: {\n  a: 1, # one\n  b: 2 # two\n}\n", "b",
                   "values: {\n  a: 1, # one\n   # two\n}\n"},
        RemoveCase{"ExplicitKey", "values:\n  ? a\n  : 1\n  b: 2\n", "a", "values:\n  b: 2\n"},
        RemoveCase{"CarriageReturns", "values:\r\n  a: 1\r\n  b: 2\r\n", "a",
                   "values:\r\n  b: 2\r\n"},
        RemoveCase{"Call", "values:\n  a: {fn::secret: x}\n  b: 2\n", "a", "values:\n  b: 2\n"},
        RemoveCase{"NothingThere", "values:\n  b: 2\n", "a", "values:\n  b: 2\n"},
        RemoveCase{"NothingBelowAScalar", "values:\n  b: 2\n", "b.a", "values:\n  b: 2\n"},
        RemoveCase{"NothingBelowACall", "values:\n  b: {fn::secret: x}\n", "b.a",
                   "values:\n  b: {fn::secret: x}\n"},
        RemoveCase{"NothingAtAll", "", "a", ""}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(DefinitionRemoveTest, ElementsOfListsStay) {
  EXPECT_THAT(TextAfter("values: {l: [1, 2]}", RemoveEdit("l[0]")),
              testing::HasSubstr("an element of a list cannot be removed"));
}

TEST(DefinitionRemoveTest, SecretsOnly) {
  const auto after = [](std::string_view before) {
    return TextAfter(before, Edit::RemoveSecret(PathOf("a")));
  };
  EXPECT_EQ(after("values: {a: {fn::secret: x}, b: 1}"), "values: {b: 1}");
  EXPECT_EQ(after("values: {a: {fn::secret: {ciphertext: eA==}}, b: 1}"), "values: {b: 1}");
  for (const char* other : {"values: {a: x}", "values: {a: {b: {fn::secret: x}}}", "values: {b: 1}",
                            "values: {a: {fn::fromJSON: {fn::secret: x}}}"}) {
    EXPECT_EQ(after(other), other);
  }
}

TEST(DefinitionRemoveTest, UndoesASet) {
  const std::string before = "# top\nvalues:\n  x: 1 # one\n# end\n";
  const std::string after = TextAfter(before, SetEdit("a", "v"));
  EXPECT_NE(after, before);
  EXPECT_EQ(TextAfter(after, RemoveEdit("a")), before);
}

}  // namespace
}  // namespace escagent::edit
