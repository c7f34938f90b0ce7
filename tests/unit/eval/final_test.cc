#include <gtest/gtest.h>

#include <string>

#include "tests/unit/eval/evaluate_in_test.h"

namespace escagent::eval {
namespace {

TEST(FinalTest, AFinalValueWinsWithAWarning) {
  MapLoader loader(Definitions{
      {"p/a", "values: {x: {fn::final: base}, o: {k: {fn::final: 1}, l: 2}, free: 3}"}});
  const EvalResult result = EvaluateText(
      "imports: [p/a]\nvalues:\n  x: mine\n  o: {k: 5, l: 6}\n  free: 7\n  y: ${x}\n", &loader);
  EXPECT_EQ(Findings(result),
            "warning 4:10 values.o.k cannot override final value\n"
            "warning 3:6 values.x cannot override final value");
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(Revealed(result), R"({"free":7,"o":{"k":1,"l":6},"x":"base","y":"base"})");
}

TEST(FinalTest, AFinalObjectIsFinalAsAWhole) {
  MapLoader loader(Definitions{{"p/a", "values: {o: {fn::final: {k: 1}}}"},
                               {"p/b", "imports: [p/a]\nvalues: {o: {l: 2}}"}});
  EXPECT_EQ(Revealed(EvaluateText("imports: [p/b]\nvalues: {o: {m: 3}}\n", &loader)),
            R"({"o":{"k":1}})");
}

TEST(FinalTest, SecretsStaySecret) {
  EXPECT_EQ(Redacted(EvaluateText("values: {x: {fn::final: {fn::secret: hunter2}}}")),
            R"({"x":"[secret]"})");
}

}  // namespace
}  // namespace escagent::eval
