#include <gtest/gtest.h>

#include <string>

#include "tests/unit/eval/evaluate_in_test.h"

namespace escagent::eval {
namespace {

struct SchemaCase {
  const char* schema;  // flow style
  const char* value;
  const char* finding;  // without its place; "" when the value fits
};

class ValidateTest : public testing::TestWithParam<SchemaCase> {};

// The value is handed through in any case.
TEST_P(ValidateTest, ReportsWhatDoesNotFit) {
  const std::string value = GetParam().value;
  const EvalResult result = EvaluateText(
      "values:\n  v:\n    fn::validate:\n      schema: " + std::string(GetParam().schema) +
      "\n      value: " + value + "\n");
  std::string summaries;
  for (const esc::Diagnostic& finding : result.diagnostics) {
    summaries += (summaries.empty() ? "" : "; ") + finding.summary;
  }
  EXPECT_EQ(summaries, GetParam().finding);
  EXPECT_EQ(Revealed(result), Revealed(EvaluateText("values:\n  v: " + value + "\n")));
}

INSTANTIATE_TEST_SUITE_P(
    Keywords, ValidateTest,
    testing::Values(
        SchemaCase{"true", "x", ""}, SchemaCase{"{}", "[1]", ""},
        SchemaCase{"{type: string}", "text", ""},
        SchemaCase{"{type: string}", "7", "expected string, got number"},
        SchemaCase{
            "{type: integer}", "7",
            "expected boolean, got object; expected one of "
            "[\"string\",\"number\",\"boolean\",\"array\",\"object\",\"null\"]; at least one "
            "subschema must match"},
        SchemaCase{"{const: 42}", "42", ""}, SchemaCase{"{const: 42}", "43", "expected 42"},
        SchemaCase{"{enum: [a, b]}", "c", "expected one of [\"a\",\"b\"]"},
        SchemaCase{"{enum: [a]}", "c", "expected \"a\""},
        SchemaCase{"{type: number, multipleOf: 0.5}", "1.5", ""},
        SchemaCase{"{type: number, multipleOf: 2}", "3", "expected a multiple of 2"},
        SchemaCase{"{type: number, minimum: 3, maximum: 5}", "3", ""},
        SchemaCase{"{type: number, minimum: 3}", "2",
                   "expected a number greater than or equal to 3"},
        SchemaCase{"{type: number, exclusiveMinimum: 3}", "3", "expected a number greater than 3"},
        SchemaCase{"{type: number, maximum: 3}", "4", "expected a number less than or equal to3"},
        SchemaCase{"{type: number, exclusiveMaximum: 3}", "3", "expected a number less than 3"},
        SchemaCase{"{type: string, minLength: 2}", "a", "expected a string of at least length 2"},
        SchemaCase{"{type: string, maxLength: 2}", "abc", "expected a string of at most length 2"},
        SchemaCase{"{type: string, pattern: '^a+$'}", "aaa", ""},
        SchemaCase{"{type: string, pattern: '^a+$'}", "b",
                   "string must match the pattern \"^a+$\""},
        SchemaCase{"{type: array, items: {type: number}}", "[1, x]", "expected number, got string"},
        SchemaCase{"{type: array, prefixItems: [{type: string}], items: false, maxItems: 1}",
                   "[a, b]", "expected an array with at most 1 items"},
        SchemaCase{"{type: array, minItems: 1}", "[]", "expected an array with at least 1 items"},
        SchemaCase{"{type: object, required: [a, b]}", "{a: 1}", "missing required properties: b"},
        SchemaCase{"{type: object, dependentRequired: {a: [c]}}", "{a: 1}",
                   "missing required properties: c"},
        SchemaCase{"{type: object, properties: {a: {type: string}}, additionalProperties: {type: "
                   "number}}",
                   "{a: 1, b: x}", "expected string, got number; expected number, got string"},
        SchemaCase{"{type: object, minProperties: 2}", "{a: 1}",
                   "expected an object with at least 2 properties"},
        SchemaCase{"{anyOf: [{type: string}, {type: number}]}", "1", ""},
        SchemaCase{"{anyOf: [{type: string}, {type: number}]}", "true",
                   "expected string, got boolean; expected number, got boolean; at least one "
                   "subschema must match"},
        SchemaCase{"{oneOf: [{type: number}, {const: 1}]}", "1", "exactly one subschema may match"},
        SchemaCase{"{$defs: {n: {type: number}}, type: array, items: {$ref: '#/$defs/n'}}", "[x]",
                   "expected number, got string"},
        SchemaCase{"{$ref: '#/$defs/n'}", "x", "invalid schema: unknown subschema #/$defs/n"},
        SchemaCase{"{pattern: '('}", "x", "invalid schema: error parsing regexp: missing ): ("}));

TEST(ValidateTest, AReferenceToItselfEnds) {
  const EvalResult result = EvaluateText(
      "values:\n  v:\n    fn::validate:\n"
      "      schema: {$defs: {t: {type: object, properties: {next: {$ref: '#/$defs/t'}}}}, "
      "$ref: '#/$defs/t'}\n"
      "      value: {next: {next: {next: 1}}}\n");
  EXPECT_EQ(Findings(result),
            "5:35 values.v[\"fn::validate\"].value.next.next.next expected object, got number");
}

TEST(ValidateTest, TheArgumentsAreChecked) {
  EXPECT_EQ(Findings(EvaluateText("values:\n  v: {fn::validate: x}\n")),
            "2:21 values.v[\"fn::validate\"] the argument to fn::validate must be an object "
            "containing 'schema' and 'value'");
  EXPECT_EQ(Findings(EvaluateText("values:\n  v: {fn::validate: {value: x}}\n")),
            "2:21 values.v[\"fn::validate\"] missing required property 'schema'");
}

TEST(ValidateTest, SecretsStaySecretAndOutOfFindings) {
  const EvalResult result = EvaluateText(
      "values:\n  v:\n    fn::validate:\n      schema: {type: object, properties: {p: {type: "
      "string, pattern: '^x'}}}\n      value: {p: {fn::secret: hunter2}}\n");
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(Findings(result).find("hunter2"), std::string::npos);
  EXPECT_EQ(Redacted(result), R"({"v":"[secret]"})");
}

}  // namespace
}  // namespace escagent::eval
