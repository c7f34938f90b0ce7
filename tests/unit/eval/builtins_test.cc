#include <gtest/gtest.h>

#include <string>

#include "esc/eval/envelope.h"
#include "tests/unit/eval/evaluate_in_test.h"

namespace escagent::eval {
namespace {

struct CallCase {
  const char* yaml;  // flow style
  const char* json;
};

class CallTest : public testing::TestWithParam<CallCase> {};

TEST_P(CallTest, Evaluates) {
  const std::string definition = "values:\n  v: " + std::string(GetParam().yaml) +
                                 "\n  list: [a, b, c]\n  obj: {b: 1.50, a: [x, null]}\n"
                                 "  json: '{\"k\": [1, 2.50, \"s\"]}'\n";
  EXPECT_EQ(ValueOf(definition), GetParam().json);
}

INSTANTIATE_TEST_SUITE_P(
    Builtins, CallTest,
    testing::Values(
        CallCase{"{fn::join: [',', [a, b, c]]}", R"("a,b,c")"},
        CallCase{"{fn::join: ['', '${list}']}", R"("abc")"},
        CallCase{"{fn::join: [', ', []]}", R"("")"},
        CallCase{"{fn::join: ['${list[0]}', [x, '${list[1]}']]}", R"("xab")"},
        CallCase{"{fn::toJSON: {b: 1.50, a: [x, null, true]}}",
                 R"("{\"a\":[\"x\",null,true],\"b\":1.50}")"},
        CallCase{"{fn::toJSON: '${obj}'}", R"("{\"a\":[\"x\",null],\"b\":1.50}")"},
        CallCase{"{fn::toJSON: '<a&b>'}", R"("\"\\u003ca\\u0026b\\u003e\"")"},
        CallCase{"{fn::toJSON: null}", R"("null")"},
        CallCase{"{fn::fromJSON: '${json}'}", R"({"k":[1,2.50,"s"]})"},
        CallCase{"{fn::fromJSON: '12345678901234567890123'}", "12345678901234567890123"},
        CallCase{"{fn::fromJSON: '{\"a\":1,\"a\":2}'}", R"({"a":2})"},
        CallCase{"{fn::fromJSON: ' [1] trailing'}", "[1]"},
        CallCase{"{fn::fromJSON: {fn::toJSON: '${obj}'}}", R"({"a":["x",null],"b":1.50})"},
        CallCase{"{fn::toBase64: hello}", R"("aGVsbG8=")"}, CallCase{"{fn::toBase64: ''}", R"("")"},
        CallCase{"{fn::fromBase64: aGVsbG8=}", R"("hello")"},
        CallCase{"{fn::fromBase64: \"aGVs\\nbG8=\\n\"}", R"("hello")"},
        CallCase{"{fn::fromBase64: {fn::toBase64: '${list[2]}'}}", R"("c")"},
        CallCase{"{fn::toString: 1.10}", R"("1.10")"},
        CallCase{"{fn::toString: true}", R"("true")"}, CallCase{"{fn::toString: null}", R"("")"},
        CallCase{"{fn::toString: '${list}'}", R"("\"a\",\"b\",\"c\"")"},
        CallCase{"{fn::toString: {b: 1, a: \"x\\ny\"}}", R"("\"a\"=\"x\\ny\",\"b\"=\"1\"")"},
        CallCase{"{fn::toString: [\"\\u00a0\\x07\\u4e16\"]}", R"("\"\\u00a0\\a世\"")"},
        CallCase{"{fn::concat: [[a], '${list}', []]}", R"(["a","a","b","c"])"},
        CallCase{"{fn::split: [',', 'a,b,,c']}", R"(["a","b","","c"])"},
        CallCase{"{fn::split: ['', 'aß']}", R"(["a","ß"])"},
        CallCase{"{fn::final: '${obj.b}'}", "1.50"},
        CallCase{"{fn::toYAML: {b: [x, {c: 'y: z'}], a: {}, m: 1.50, t: 'true', e: ''}}",
                 R"("a: {}\nb:\n    - x\n    - c: 'y: z'\ne: \"\"\nm: 1.50\nt: \"true\"\n")"},
        CallCase{"{fn::toYAML: \"line\\nline\\n\"}", R"("|\n    line\n    line\n")"},
        CallCase{"{fn::toYAML: '${list}'}", R"("- a\n- b\n- c\n")"},
        CallCase{"{fn::validate: {schema: {type: string}, value: ok}}", R"("ok")"},
        CallCase{"{fn::secret: hunter2}", R"("hunter2")"},
        CallCase{"{fn::secret: 'a$$b'}", R"("a$b")"}, CallCase{"{fn::secret: '5'}", R"("5")"}));

struct FaultCase {
  const char* yaml;
  const char* finding;
};

class CallFaultTest : public testing::TestWithParam<FaultCase> {};

TEST_P(CallFaultTest, SaysWhereAndWhy) {
  const EvalResult result =
      EvaluateText("values:\n  v: " + std::string(GetParam().yaml) + "\n  num: 42\n");
  EXPECT_EQ(Findings(result), GetParam().finding);
  ASSERT_NE(result.properties.Find("v"), nullptr);
  EXPECT_TRUE(result.properties.Find("v")->ContainsUnknown());
}

INSTANTIATE_TEST_SUITE_P(
    Builtins, CallFaultTest,
    testing::Values(
        FaultCase{"{fn::join: oops}",
                  "2:17 values.v[\"fn::join\"] the argument to fn::join must be a two-valued list"},
        FaultCase{"{fn::join: [',']}",
                  "2:17 values.v[\"fn::join\"] the argument to fn::join must be a two-valued list"},
        FaultCase{"{fn::join: [',', x]}",
                  "2:23 values.v[\"fn::join\"][1] expected array, got string"},
        FaultCase{"{fn::join: [',', ['${num}', x, null]]}",
                  "2:24 values.v[\"fn::join\"][1][0] expected string, got number\n"
                  "2:37 values.v[\"fn::join\"][1][2] expected string, got null"},
        FaultCase{"{fn::join: [7, []]}",
                  "2:18 values.v[\"fn::join\"][0] expected string, got number"},
        FaultCase{"{fn::split: [',']}",
                  "2:18 values.v[\"fn::split\"] the argument to fn::split must be a two-valued "
                  "list"},
        FaultCase{"{fn::split: [',', '${num}']}",
                  "2:24 values.v[\"fn::split\"][1] expected string, got number"},
        FaultCase{"{fn::concat: [[1], 2]}",
                  "2:25 values.v[\"fn::concat\"][1] expected array, got number"},
        FaultCase{"{fn::toBase64: '${num}'}",
                  "2:21 values.v[\"fn::toBase64\"] expected string, got number"},
        FaultCase{"{fn::fromBase64: '!'}",
                  "2:6 values.v decoding base64 string: illegal base64 data at input byte 0"},
        FaultCase{"{fn::fromJSON: '{\"a\": secretish}'}",
                  "2:6 values.v decoding JSON string: invalid character 's' looking for "
                  "beginning of value"},
        FaultCase{"{fn::fromJSON: {}}",
                  "2:21 values.v[\"fn::fromJSON\"] expected string, got object"},
        FaultCase{"{fn::toJSON: '${missing}'}",
                  "2:19 values.v[\"fn::toJSON\"] unknown property \"missing\""},
        FaultCase{"{fn::open: x}",
                  "2:17 values.v[\"fn::open\"] the argument to fn::open must be an object "
                  "containing 'provider' and 'inputs'"},
        FaultCase{"{fn::open: {provider: test}}",
                  "2:17 values.v[\"fn::open\"] missing provider inputs ('inputs')\n"
                  "2:6 values.v unknown provider \"test\""},
        FaultCase{"{fn::open: {provider: [], inputs: {}}}",
                  "2:28 values.v[\"fn::open\"].provider provider name must be a string literal"},
        FaultCase{"{fn::open::aws-login: {}}", "2:6 values.v unknown provider \"aws-login\""},
        FaultCase{"{fn::rotate::mysql: {inputs: {}}}", "2:6 values.v unknown rotator \"mysql\""},
        FaultCase{"{fn::rotate::mysql: {inputs: {}, state: 1}}",
                  "2:46 values.v[\"fn::rotate::mysql\"].state rotation state must be an object "
                  "literal\n2:6 values.v unknown rotator \"mysql\""},
        FaultCase{"{fn::secret: {ciphertext: ZXNjeA==}}", "2:6 values.v invalid ciphertext: EOF"}));

TEST(BuiltinsTest, MisspelledFunctionsAreObjectsThatAreReported) {
  EXPECT_EQ(Findings(EvaluateText("values:\n  v: {fn::tojson: {}}\n")),
            "2:7 values.v 'fn::' is a reserved prefix");
  EXPECT_EQ(Findings(EvaluateText("values:\n  v: {FN::join: [',', []]}\n")),
            "2:7 values.v 'fn::' is a reserved prefix");
  EXPECT_EQ(Findings(EvaluateText("values:\n  v: {fn::toJSON: 1, other: 2}\n")),
            "2:6 values.v illegal call to builtin function: \"fn::toJSON\" must be the only key "
            "within its containing object");
}

TEST(BuiltinsTest, SecretsMustBeLiterals) {
  for (const char* argument : {"[a]", "42", "'a ${num}'", "{ciphertext: [x]}"}) {
    const EvalResult result =
        EvaluateText("values:\n  v: {fn::secret: " + std::string(argument) + "}\n  num: 1\n");
    EXPECT_TRUE(Findings(result).ends_with(
        "values.v[\"fn::secret\"] secret values must be string literals"))
        << Findings(result);
    EXPECT_EQ(Redacted(result), R"({"num":1,"v":"[secret]"})");
  }
}

class Rot1 final : public Decrypter {
 public:
  Result<Secret> Decrypt(std::string_view ciphertext) override {
    if (ciphertext.empty()) return InvalidArgument("no ciphertext");
    std::string plaintext(ciphertext);
    for (char& c : plaintext) --c;
    return Secret(std::move(plaintext));
  }
};

TEST(BuiltinsTest, CiphertextIsOpenedByADecrypter) {
  Rot1 decrypter;
  EvalOptions options;
  options.decrypter = &decrypter;
  const std::string envelope(EncodeEnvelope("ifmmp").Reveal());
  const EvalResult result =
      Evaluate("values:\n  v: {fn::secret: {ciphertext: " + envelope + "}}\n", options);
  EXPECT_EQ(Findings(result), "");
  EXPECT_EQ(Revealed(result), R"({"v":"hello"})");
  EXPECT_EQ(Redacted(result), R"({"v":"[secret]"})");

  const EvalResult failed = Evaluate("values:\n  v: {fn::secret: {ciphertext: ''}}\n", options);
  EXPECT_EQ(Findings(failed), "2:6 values.v invalid ciphertext: EOF");
}

}  // namespace
}  // namespace escagent::eval
