#include <gtest/gtest.h>

#include <string>

#include "tests/unit/eval/evaluate_in_test.h"

namespace escagent::eval {
namespace {

struct TaintCase {
  const char* yaml;
  const char* redacted;  // "v" as people see it
};

class TaintTest : public testing::TestWithParam<TaintCase> {};

TEST_P(TaintTest, SecretsTaintWhatIsMadeOfThem) {
  const EvalResult result = EvaluateText("values:\n  v: " + std::string(GetParam().yaml) +
                                         "\n  s: {fn::secret: hunter2}\n  p: plain\n"
                                         "  o: {fn::fromJSON: {fn::secret: '{\"a\":[1]}'}}\n"
                                         "  mixed: [p, '${s}']\n");
  EXPECT_EQ(Findings(result), "");
  ASSERT_NE(result.properties.Find("v"), nullptr);
  EvalResult only;
  esc::Value::Object members;
  members.emplace_back("v", result.properties.Find("v")->Clone());
  only.properties = esc::Value::MakeObject(std::move(members));
  EXPECT_EQ(Redacted(only), "{\"v\":" + std::string(GetParam().redacted) + "}");
}

INSTANTIATE_TEST_SUITE_P(
    Secrets, TaintTest,
    testing::Values(TaintCase{"${s}", R"("[secret]")"}, TaintCase{"a ${s}", R"("[secret]")"},
                    TaintCase{"a ${p}", R"("a plain")"}, TaintCase{"a ${mixed}", R"("[secret]")"},
                    TaintCase{"['${s}', b]", R"(["[secret]","b"])"},
                    TaintCase{"{k: '${s}', l: 1}", R"({"k":"[secret]","l":1})"},
                    TaintCase{"{fn::join: [',', [a, '${s}']]}", R"("[secret]")"},
                    TaintCase{"{fn::join: ['${s}', [a]]}", R"("[secret]")"},
                    TaintCase{"{fn::toJSON: {a: {b: '${s}'}}}", R"("[secret]")"},
                    TaintCase{"{fn::toJSON: '${p}'}", R"("\"plain\"")"},
                    TaintCase{"{fn::toBase64: '${s}'}", R"("[secret]")"},
                    TaintCase{"{fn::toString: '${mixed}'}", R"("[secret]")"},
                    TaintCase{"{fn::fromBase64: {fn::secret: aGk=}}", R"("[secret]")"},
                    TaintCase{"${o}", R"("[secret]")"}, TaintCase{"${o.a}", R"("[secret]")"},
                    TaintCase{"${o.a[0]}", R"("[secret]")"}));

TEST(SecretsTest, EveryLeafOfASecretJsonIsSecret) {
  const EvalResult result =
      EvaluateText("values:\n  v: {fn::fromJSON: {fn::secret: '{\"a\":[1,null]}'}}\n");
  const esc::Value* v = result.properties.Find("v");
  ASSERT_NE(v, nullptr);
  EXPECT_TRUE(v->secret());
  const esc::Value* a = v->Find("a");
  ASSERT_NE(a, nullptr);
  EXPECT_TRUE(a->secret());
  ASSERT_EQ(a->elements().size(), 2u);
  EXPECT_TRUE(a->elements()[0].secret());
  EXPECT_TRUE(a->elements()[1].secret());
}

TEST(SecretsTest, FindingsNeverHoldAValue) {
  const EvalResult result = EvaluateText(
      "values:\n"
      "  s: {fn::secret: canary-7f3a}\n"
      "  a: {fn::fromJSON: '${s}'}\n"
      "  b: {fn::fromBase64: '${s}'}\n"
      "  c: ${s.canary}\n"
      "  d: {fn::join: ['${s}', '${s}']}\n"
      "  e: {fn::secret: [canary-7f3a]}\n");
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.diagnostics.size(), 5u);
  EXPECT_EQ(Findings(result).find("canary-7f3a"), std::string::npos);
}

}  // namespace
}  // namespace escagent::eval
