#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/eval/evaluate_in_test.h"

namespace escagent::eval {
namespace {

struct DefinitionFault {
  const char* definition;
  const char* findings;
  const char* revealed;
};

class DefinitionFaultTest : public testing::TestWithParam<DefinitionFault> {};

TEST_P(DefinitionFaultTest, IsReportedAndTheRestEvaluated) {
  const EvalResult result = EvaluateText(GetParam().definition);
  EXPECT_EQ(Findings(result), GetParam().findings);
  EXPECT_EQ(Revealed(result), GetParam().revealed);
}

INSTANTIATE_TEST_SUITE_P(
    Diagnostics, DefinitionFaultTest,
    testing::Values(
        DefinitionFault{"just text", "1:1  environment must be an object", "{}"},
        DefinitionFault{"- list", "1:1  environment must be an object", "{}"},
        DefinitionFault{"values: [1]", "1:9 values values must be an object", "{}"},
        DefinitionFault{"values:", "1:8 values values must be an object", "{}"},
        DefinitionFault{"imports: {a: b}", "1:10 imports imports must be a list", "{}"},
        DefinitionFault{"description: [x]\nvalues: {v: 1}",
                        "1:14 description description must be a string", R"({"v":1})"},
        DefinitionFault{"description: fine\nVALUES: {v: 1}", "", R"({"v":1})"},
        DefinitionFault{
            "vaules: {v: 1}",
            "warning 1:1 vaules Field 'vaules' does not exist on Object 'environment'. Did "
            "you mean 'values'?",
            "{}"},
        DefinitionFault{"values: {v: 1}\nvalues: {w: 2}",
                        "warning 2:1 values duplicate key \"values\"", R"({"w":2})"},
        DefinitionFault{"values:\n  a: 1\n  a: 2\n  o: {b: 3, b: 4}",
                        "3:3 values.a duplicate key \"a\"\n4:13 values.o.b duplicate key \"b\"",
                        R"({"a":1,"o":{"b":3}})"},
        DefinitionFault{
            "values:\n  imports: x\n  context: y\n  environments: z\n  v: {imports: fine}",
            "2:3 values.imports \"imports\" is a reserved key\n"
            "3:3 values.context \"context\" is a reserved key\n"
            "4:3 values.environments \"environments\" is a reserved key",
            R"({"v":{"imports":"fine"}})"},
        DefinitionFault{
            "values:\n  fn::toJSON: x",
            "2:3 values[\"fn::toJSON\"] builtin function call \"fn::toJSON\" not allowed at "
            "the top level",
            R"({"fn::toJSON":"x"})"},
        DefinitionFault{"values:\n  42: x\n  v: {true: y, w: 1}",
                        "2:3 values[\"42\"] mapping keys must be strings\n"
                        "3:7 values.v.true mapping keys must be strings",
                        "{}"},
        DefinitionFault{"values:\n  v: {\"${a}\": 1}",
                        "2:7 values.v[\"${a}\"] object keys must be strings", R"({"v":{}})"},
        DefinitionFault{"values:\n  a: &x {b: 1}\n  c: *x\n",
                        "3:6 values.c alias nodes are not supported", "{}"},
        DefinitionFault{"values:\n  a: &x [*x]\n", "2:10 values.a[0] alias nodes are not supported",
                        "{}"},
        DefinitionFault{
            "values:\n  v: .inf\n",
            "2:6 values.v infinity and NaN have no JSON form; quote them to get a string", "{}"},
        DefinitionFault{"values:\n  v: a\x01"
                        "b\n",
                        "2:7  control characters are not allowed", "{}"},
        DefinitionFault{"values:\n  v: \xFF\n", "1:1  the definition is not valid UTF-8", "{}"}));

// In the words of Go's yaml.v3 (v3.0.1), which reads definitions for ESC; the line is often the one
// above.
TEST(DiagnosticsTest, BrokenYamlIsReported) {
  const std::vector<std::pair<std::string, std::string>> texts = {
      {"values:\n  list: [hello, world\n", "line 1: did not find expected ',' or ']'"},
      {"values: {a: 1\n", "line 1: did not find expected ',' or '}'"},
      {"values:\n  a: {b: 1]\n", "line 1: did not find expected ',' or '}'"},
      {"values:\n  a: 1\n b: 2\n", "line 2: did not find expected key"},
      {"values:\n  - a\n  b: 1\n", "line 1: did not find expected '-' indicator"},
      {"values:\n\ta: 1\n", "line 2: found character that cannot start any token"},
      {"values:\n  a: @x\n", "line 2: found character that cannot start any token"},
      {"values:\n  a: \"x\n", "line 2: found unexpected end of stream"},
      {"values:\n  a: \"\\q\"\n", "line 2: found unknown escape character"},
      {"values:\n  a: |\n   x\n  y\n", "line 4: could not find expected ':'"},
      {"a: b: c\n", "mapping values are not allowed in this context"},
      {"key\nother: 1\n", "line 2: mapping values are not allowed in this context"},
      {"%YAML 3.0\n---\na: 1\n", "found incompatible YAML document"},
      {"a: &\n", "did not find expected alphabetic or numeric character"},
      {"\n\n\n  x: ]\n", "line 3: did not find expected node content"}};
  for (const auto& [text, fault] : texts) {
    EXPECT_EQ(Findings(EvaluateText(text)), "0:0  yaml: " + fault) << text;
  }
}

// Ends are where ESC has them: as many columns behind the beginning as the value has bytes.
TEST(DiagnosticsTest, RangesHaveLineColumnAndByte) {
  const EvalResult result = EvaluateText("values:\n  \"ü\": ${größe}\n  l: ${nope}\n");
  ASSERT_EQ(result.diagnostics.size(), 2u);
  const esc::Diagnostic& wide = result.diagnostics[1];
  EXPECT_EQ(wide.line, 2);
  EXPECT_EQ(wide.column, 10);
  EXPECT_EQ(wide.byte, 18);
  EXPECT_EQ(wide.end_line, 2);
  EXPECT_EQ(wide.end_column, 15);
  EXPECT_EQ(wide.end_byte, 25);
  const esc::Diagnostic& plain = result.diagnostics[0];
  EXPECT_EQ(plain.line, 3);
  EXPECT_EQ(plain.column, 8);
  EXPECT_EQ(plain.byte, 34);
  EXPECT_EQ(plain.end_column, 12);
  EXPECT_EQ(plain.end_byte, 38);
}

TEST(DiagnosticsTest, KeysMayHoldEscapedDollars) {
  EXPECT_EQ(Revealed(EvaluateText("values:\n  o: {a$$b: 1}\n  t$$u: 2\n")),
            R"({"o":{"a$b":1},"t$$u":2})");
}

}  // namespace
}  // namespace escagent::eval
