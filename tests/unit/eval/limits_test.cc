#include <gtest/gtest.h>

#include <string>

#include "tests/unit/eval/evaluate_in_test.h"

namespace escagent::eval {
namespace {

std::string Repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

// Whether one of the findings is an error that begins so.
bool HasError(const EvalResult& result, std::string_view summary) {
  for (const esc::Diagnostic& finding : result.diagnostics) {
    if (finding.summary.starts_with(summary)) return true;
  }
  return false;
}

TEST(LimitsTest, DeepNestingIsRefused) {
  for (const int depth : {250, 450, 5000, 2000000}) {
    const EvalResult result =
        EvaluateText("values: {v: " + Repeat("[", depth) + Repeat("]", depth) + "}");
    EXPECT_FALSE(result.ok()) << depth;
  }
  EXPECT_TRUE(EvaluateText("values: {v: " + Repeat("[", 150) + Repeat("]", 150) + "}").ok());
}

TEST(LimitsTest, DeepCallsAreRefused) {
  EXPECT_FALSE(
      EvaluateText("values: {v: " + Repeat("{fn::toJSON: ", 5000) + "x" + Repeat("}", 5000) + "}")
          .ok());
}

TEST(LimitsTest, LongChainsOfReferencesAreRefused) {
  std::string definition = "values:\n";
  for (int i = 1000; i < 9000; ++i) {
    definition += "  k" + std::to_string(i) + ": ${k" + std::to_string(i + 1) + "}\n";
  }
  definition += "  k9000: end\n";
  const EvalResult result = EvaluateText(definition);
  EXPECT_TRUE(HasError(result, "references lead more than 400 values deep"));
}

TEST(LimitsTest, ChainsOfReferencesInOrderAreFine) {
  std::string definition = "values:\n  k1000: end\n";
  for (int i = 1000; i < 9000; ++i) {
    definition += "  k" + std::to_string(i + 1) + ": ${k" + std::to_string(i) + "}\n";
  }
  EXPECT_TRUE(EvaluateText(definition).ok());
}

TEST(LimitsTest, StringsThatDoubleAreRefused) {
  std::string definition = "values:\n  k10: 0123456789\n";
  for (int i = 11; i < 60; ++i) {
    const std::string below = "${k" + std::to_string(i - 1) + "}";
    definition += "  k" + std::to_string(i) + ": " + below + below + "\n";
  }
  EXPECT_TRUE(HasError(EvaluateText(definition), "the string is longer than 16 MiB"));
}

TEST(LimitsTest, ArraysThatDoubleAreRefused) {
  std::string definition = "values:\n  k10: [a]\n";
  for (int i = 11; i < 90; ++i) {
    const std::string below = "\"${k" + std::to_string(i - 1) + "}\"";
    definition += "  k" + std::to_string(i) + ": [" + below + "," + below + "]\n";
  }
  EXPECT_TRUE(HasError(EvaluateText(definition), "the value is larger than 16 MiB"));
}

TEST(LimitsTest, QuotesThatDoubleAreRefused) {
  std::string definition = "values:\n  k100: ['\"']\n";
  for (int i = 101; i < 250; ++i) {
    definition += "  k" + std::to_string(i) + ": [\"${k" + std::to_string(i - 1) + "}\"]\n";
  }
  definition += "  v: x ${k249}\n";
  EXPECT_TRUE(HasError(EvaluateText(definition), "the string is longer than 16 MiB"));
}

TEST(LimitsTest, NestingByReferenceIsRefused) {
  std::string definition = "values:\n  k1000: x\n";
  for (int i = 1001; i < 1500; ++i) {
    definition += "  k" + std::to_string(i) + ": {c: \"${k" + std::to_string(i - 1) + "}\"}\n";
  }
  EXPECT_TRUE(HasError(EvaluateText(definition), "the value is nested more than 200 deep"));
}

// p/a<n> imports p/a<n-1> twice: 2^n environments if each import were evaluated or kept apart.
TEST(LimitsTest, LaddersOfImportsAreCheap) {
  Definitions definitions = {{"p/a0", "values: {o: {x: 1}}"}};
  for (int i = 1; i <= 40; ++i) {
    const std::string below = "p/a" + std::to_string(i - 1);
    definitions["p/a" + std::to_string(i)] =
        "imports: [" + below + ", " + below + "]\nvalues: {o: {k" + std::to_string(i) + ": 1}}";
  }
  MapLoader loader(std::move(definitions));
  const EvalResult result = EvaluateText("imports: [p/a40]", &loader);
  EXPECT_EQ(Findings(result), "");
  EXPECT_EQ(loader.loads(), 41);
}

TEST(LimitsTest, DeepImportsAreRefused) {
  Definitions definitions = {{"p/a0", "values: {x: 1}"}};
  for (int i = 1; i <= 200; ++i) {
    definitions["p/a" + std::to_string(i)] = "imports: [p/a" + std::to_string(i - 1) + "]";
  }
  MapLoader loader(std::move(definitions));
  EXPECT_TRUE(
      HasError(EvaluateText("imports: [p/a200]", &loader), "imports are nested more than 50 deep"));
}

TEST(LimitsTest, LongDefinitionsAreRefused) {
  const std::string text = "values: {v: " + std::string(std::size_t{5} << 20, 'x') + "}";
  EXPECT_EQ(Findings(EvaluateText(text)), "1:1  the definition is longer than 4 MiB");
}

TEST(LimitsTest, FindingsAreBounded) {
  const EvalResult result = EvaluateText("values: {v: [" + Repeat("'${missing}',", 3000) + "]}");
  EXPECT_EQ(result.diagnostics.size(), kMaxDiagnostics);
  EXPECT_FALSE(result.ok());
}

TEST(LimitsTest, AThousandKeysTakeNoTime) {
  std::string definition = "values:\n";
  for (int i = 0; i < 20000; ++i) definition += "  k" + std::to_string(i) + ": value\n";
  const EvalResult result = EvaluateText(definition);
  EXPECT_EQ(Findings(result), "");
  EXPECT_EQ(result.properties.members().size(), 20000u);
}

}  // namespace
}  // namespace escagent::eval
