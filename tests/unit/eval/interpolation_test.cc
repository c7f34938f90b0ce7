#include <gtest/gtest.h>

#include <string>

#include "tests/unit/eval/evaluate_in_test.h"

namespace escagent::eval {
namespace {

// The values that every case may refer to.
constexpr const char* kValues = R"(
  str: text
  num: 1.10
  yes: true
  nil: null
  arr: [a, 2, {deep: down}]
  obj: {k: v, nested: {x: 1}}
  "a.b": dotted
  "q\"x": quote
  "34": digits
  emptyArr: []
)";

struct ReferenceCase {
  const char* text;  // a YAML scalar
  const char* json;
};

class ReferenceTest : public testing::TestWithParam<ReferenceCase> {};

TEST_P(ReferenceTest, Evaluates) {
  const std::string definition =
      "values:\n  v: " + std::string(GetParam().text) + "\n" + std::string(kValues).substr(1);
  EXPECT_EQ(ValueOf(definition), GetParam().json);
}

INSTANTIATE_TEST_SUITE_P(
    Interpolation, ReferenceTest,
    testing::Values(
        // a reference alone keeps its type
        ReferenceCase{"${str}", R"("text")"}, ReferenceCase{"${num}", "1.10"},
        ReferenceCase{"${yes}", "true"}, ReferenceCase{"${nil}", "null"},
        ReferenceCase{"${arr}", R"(["a",2,{"deep":"down"}])"},
        ReferenceCase{"${obj}", R"({"k":"v","nested":{"x":1}})"},
        ReferenceCase{"'${obj.nested.x}'", "1"},
        // paths
        ReferenceCase{"${arr[0]}", R"("a")"}, ReferenceCase{"${arr[2].deep}", R"("down")"},
        ReferenceCase{"${obj[\"k\"]}", R"("v")"}, ReferenceCase{"'${[\"a.b\"]}'", R"("dotted")"},
        ReferenceCase{"'${[\"q\\\"x\"]}'", R"("quote")"},
        ReferenceCase{"'${[\"34\"]}'", R"("digits")"}, ReferenceCase{"${34}", R"("digits")"},
        // in text everything becomes a string
        ReferenceCase{"a ${str} b", R"("a text b")"}, ReferenceCase{"n=${num}", R"("n=1.10")"},
        ReferenceCase{"${yes}${yes}", R"("truetrue")"}, ReferenceCase{"<${nil}>", R"("<>")"},
        ReferenceCase{"= ${arr}", R"("= \"a\",\"2\",\"\\\"deep\\\"=\\\"down\\\"\"")"},
        ReferenceCase{"= ${obj}", R"("= \"k\"=\"v\",\"nested\"=\"\\\"x\\\"=\\\"1\\\"\"")"},
        ReferenceCase{"= ${emptyArr}", R"("= ")"},
        // dollars
        ReferenceCase{"$${str}", R"("${str}")"}, ReferenceCase{"$$${str}", R"("$text")"},
        ReferenceCase{"5$", R"("5$")"}, ReferenceCase{"$a $ b", R"("$a $ b")"},
        ReferenceCase{"$$", R"("$")"}, ReferenceCase{"a$$$$b", R"("a$$b")"},
        ReferenceCase{"str}", R"("str}")"},
        // context
        ReferenceCase{"${context.pulumi.user.id}", R"("USER_123")"},
        ReferenceCase{"${context.pulumi.user.login}", R"("ada")"},
        ReferenceCase{"${context.pulumi.organization.login}", R"("acme")"},
        ReferenceCase{"${context.currentEnvironment.name}", R"("demo/root")"},
        ReferenceCase{"x ${context.rootEnvironment.name}", R"("x demo/root")"}));

TEST(InterpolationTest, OrderDoesNotMatter) {
  EXPECT_EQ(ValueOf("values:\n  v: ${w.x}\n  w: {x: \"${z[0]}\", y: 1}\n  z: [\"${w.y}\"]\n"), "1");
}

TEST(InterpolationTest, MembersMayReferToTheirSiblings) {
  EXPECT_EQ(ValueOf("values:\n  v:\n    a: ${v.b}\n    b: [\"${v.c}\", \"${v.b[0]}\"]\n    c: 7\n"),
            R"({"a":[7,7],"b":[7,7],"c":7})");
}

TEST(InterpolationTest, CyclesAreFound) {
  const EvalResult result = EvaluateText(
      "values:\n"
      "  a:\n"
      "    p: ${a.p}\n"
      "  b: x ${c}\n"
      "  c: [\"${d}\"]\n"
      "  d:\n"
      "    fn::toJSON: ${b}\n"
      "  e: ${e.f.g}\n");
  EXPECT_EQ(Findings(result),
            "3:8 values.a.p cyclic reference to a.p\n"
            "4:6 values.b cyclic reference to b\n"
            "8:6 values.e cyclic reference to e");
  EXPECT_EQ(Revealed(result),
            R"({"a":{"p":"[unknown]"},"b":"[unknown]","c":["[unknown]"],"d":"[unknown]",)"
            R"("e":"[unknown]"})");
}

TEST(InterpolationTest, ContainerThatHoldsItselfIsACycle) {
  EXPECT_EQ(Findings(EvaluateText("values:\n  a: {b: \"${a}\"}\n  l: [\"${l}\"]\n")),
            "2:6 values.a cyclic reference to a\n3:6 values.l cyclic reference to l");
}

struct ReferenceFault {
  const char* text;  // a plain scalar at line 2, column 6
  const char* finding;
};

class ReferenceFaultTest : public testing::TestWithParam<ReferenceFault> {};

TEST_P(ReferenceFaultTest, SaysWhereAndWhy) {
  const std::string definition =
      "values:\n  v: " + std::string(GetParam().text) + "\n" + std::string(kValues).substr(1);
  const EvalResult result = EvaluateText(definition);
  // What is read of a malformed reference is looked up, which can be a finding too.
  EXPECT_TRUE(Findings(result).starts_with(GetParam().finding)) << Findings(result);
  ASSERT_NE(result.properties.Find("v"), nullptr);
  EXPECT_FALSE(result.ok());
}

INSTANTIATE_TEST_SUITE_P(
    Interpolation, ReferenceFaultTest,
    testing::Values(
        ReferenceFault{"${str", "2:11 values.v missing closing brace '}' in interpolation"},
        ReferenceFault{"${", "2:8 values.v missing closing brace '}' in interpolation"},
        ReferenceFault{"${str }", "2:11 values.v missing closing brace '}' in interpolation"},
        ReferenceFault{"${}", "2:8 values.v unknown property \"\""},
        ReferenceFault{"${str.}", "2:11 values.v property name must not be empty"},
        ReferenceFault{"${str..x}", "2:11 values.v property name must not be empty"},
        ReferenceFault{"${arr[x]}",
                       "2:12 values.v numeric subscript must be a positive base-10 integer"},
        ReferenceFault{"${arr[0}", "2:11 values.v subscript is missing closing bracket ']'"},
        ReferenceFault{"${obj[\"k\"}", "2:11 values.v subscript is missing closing bracket ']'"},
        ReferenceFault{"${obj[\"k]}", "2:12 values.v key subscript is missing closing quote '\"'"},
        ReferenceFault{"${obj[\"\"]}", "2:12 values.v key subscript must not be empty"},
        ReferenceFault{
            "${[2]}",
            "2:8 values.v the first accessor must be a property name or key subscript, not a "
            "numeric subscript"},
        ReferenceFault{"${strr}", "2:8 values.v unknown property \"strr\"; did you mean \"str\"?"},
        ReferenceFault{"é ${obj.z}", "2:13 values.v unknown property \"z\""},
        ReferenceFault{"${str.foo}", "2:11 values.v receiver must be an array or an object"},
        ReferenceFault{"${nil.foo}", "2:11 values.v receiver must be an array or an object"},
        ReferenceFault{"${arr.foo}",
                       "2:11 values.v cannot access an array element using a property name"},
        ReferenceFault{"${arr[3]}",
                       "2:11 values.v array index 3 out-of-bounds for array of length 3"},
        ReferenceFault{"${arr[-1]}", "2:11 values.v array indices must not be negative"},
        ReferenceFault{"${obj[1]}",
                       "2:11 values.v cannot access an object property using an integer index"},
        ReferenceFault{"${context.nope}", "2:15 values.v unknown property \"nope\""},
        ReferenceFault{"${imports.nope}", "2:15 values.v unknown property \"nope\""}));

}  // namespace
}  // namespace escagent::eval
