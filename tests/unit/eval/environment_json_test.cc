#include "esc/eval/environment_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/json.h"
#include "esc/value_json.h"
#include "tests/unit/eval/evaluate_in_test.h"

namespace escagent::eval {
namespace {

using nlohmann::json;

json EnvironmentOf(const EvalResult& result, const EnvironmentJsonOptions& options = {}) {
  SecretBuilder text;
  WriteEnvironmentJson(result, options, text);
  auto document = ParseJson(text.Reveal(), "environment");
  EXPECT_TRUE(document) << text.Reveal();
  return document ? *std::move(document) : json();
}

TEST(EnvironmentJsonTest, HasValuesWithTracesOfWhatTheyOverride) {
  MapLoader loader(Definitions{{"p/a", "values:\n  x: low\n"}});
  const json environment =
      EnvironmentOf(EvaluateText("imports: [p/a]\nvalues:\n  x: high\n  n: null\n", &loader));
  const json& x = environment["properties"]["x"];
  EXPECT_EQ(x["value"].get<std::string>(), "high");
  EXPECT_EQ(x["trace"]["def"]["environment"].get<std::string>(), "demo/root");
  EXPECT_EQ(x["trace"]["def"]["begin"]["line"].get<int>(), 3);
  EXPECT_EQ(x["trace"]["base"]["value"].get<std::string>(), "low");
  EXPECT_EQ(x["trace"]["base"]["trace"]["def"]["environment"].get<std::string>(), "p/a");
  EXPECT_TRUE(environment["properties"]["n"]["value"].is_null());
  EXPECT_EQ(
      environment["executionContext"]["properties"]["rootEnvironment"]["value"]["name"]["value"]
          .get<std::string>(),
      "demo/root");
}

TEST(EnvironmentJsonTest, CanLeaveOutWhatIsOverridden) {
  MapLoader loader(Definitions{{"p/a", "values:\n  x: low\n"}});
  const EvalResult result = EvaluateText("imports: [p/a]\nvalues:\n  x: high\n", &loader);
  EXPECT_TRUE(EnvironmentOf(result)["exprs"]["x"].contains("base"));
  const json environment = EnvironmentOf(result, {.omit_base = true});
  EXPECT_FALSE(environment["exprs"]["x"].contains("base"));
  EXPECT_FALSE(environment["properties"]["x"]["trace"].contains("base"));
  EXPECT_EQ(environment["properties"]["x"]["trace"]["def"]["begin"]["line"].get<int>(), 3);
}

// A part of an unknown value that gets something below it later is asked for once more, and both
// show, as with ESC.
TEST(EnvironmentJsonTest, HasEachStepThroughUnknownValues) {
  MapLoader loader(Definitions{{"p/a", "values: {o: {foo: bar}}"},
                               {"p/b", "values: {o: {fn::open::none: {}}}"},
                               {"p/c", "imports: [p/b]\nvalues: {o: {baz: qux}}"}});
  const json environment = EnvironmentOf(EvaluateText("imports: [p/a, p/c]", &loader));
  const json& baz = environment["properties"]["o"]["value"]["baz"];
  const json& first = baz["trace"]["base"];
  EXPECT_TRUE(first.value("unknown", false));
  EXPECT_EQ(first["trace"]["def"]["begin"]["column"].get<int>(), 14);  // of the key
  const json& second = first["trace"]["base"];
  EXPECT_TRUE(second.value("unknown", false));
  EXPECT_EQ(second["trace"]["def"]["begin"]["column"].get<int>(), 19);  // of the value
  EXPECT_FALSE(second["trace"].contains("base"));
}

TEST(EnvironmentJsonTest, HasExpressionsAndSchemas) {
  const json environment = EnvironmentOf(EvaluateText(
      "values:\n  o: {k: 1}\n  s: ${o.k}\n  i: a ${o.k}\n  c: {fn::toJSON: '${o}'}\n"));
  const json& exprs = environment["exprs"];
  EXPECT_EQ(exprs["o"]["object"]["k"]["literal"].get<int>(), 1);
  EXPECT_EQ(exprs["o"]["keyRanges"]["k"]["begin"]["column"].get<int>(), 7);
  EXPECT_EQ(exprs["s"]["symbol"][1]["key"].get<std::string>(), "k");
  EXPECT_EQ(exprs["s"]["symbol"][1]["value"]["begin"]["column"].get<int>(), 10);
  EXPECT_EQ(exprs["i"]["interpolate"][0]["text"].get<std::string>(), "a ");
  EXPECT_EQ(exprs["c"]["builtin"]["name"].get<std::string>(), "fn::toJSON");
  EXPECT_EQ(exprs["c"]["schema"]["type"].get<std::string>(), "string");
  EXPECT_EQ(environment["schema"]["properties"]["s"]["const"].get<int>(), 1);
}

TEST(EnvironmentJsonTest, IsReadBackByOurClient) {
  const EvalResult result = EvaluateText(
      "values:\n  s: {fn::secret: hunter2}\n  l: [1.50, null, {k: true}]\n  u: ${nope}\n");
  SecretBuilder text;
  WriteEnvironmentJson(result, {.diagnostics = true}, text);
  const auto value = esc::ParseEnvironment(text.Reveal(), "environment");
  ASSERT_TRUE(value);
  EXPECT_TRUE(value->Equals(result.properties));
}

TEST(EnvironmentJsonTest, SecretsCanBeLeftOut) {
  const EvalResult result = EvaluateText(
      "values:\n  s: {fn::secret: canary-7f3a}\n  j: {fn::fromJSON: {fn::secret: "
      "'{\"k\":\"canary-7f3a\"}'}}\n  r: ${s}\n  i: x ${s}\n  l: [{fn::toBase64: '${s}'}]\n"
      "  v: {fn::validate: {schema: {type: string}, value: '${s}'}}\n");
  SecretBuilder text;
  WriteEnvironmentJson(result, {.redact_secrets = true}, text);
  EXPECT_EQ(text.Reveal().find("canary"), std::string_view::npos) << text.Reveal();
  EXPECT_EQ(text.Reveal().find("Y2FuYXJ5"), std::string_view::npos) << text.Reveal();
}

TEST(EnvironmentJsonTest, OnePropertyHasTheSameShape) {
  const EvalResult result = EvaluateText("values: {o: {l: [a, b]}}");
  SecretBuilder text;
  EXPECT_TRUE(WritePropertyJson(result, *esc::PropertyPath::Parse("o.l[1]"), {}, text));
  const auto node = ParseJson(text.Reveal(), "node");
  ASSERT_TRUE(node);
  EXPECT_EQ((*node)["value"].get<std::string>(), "b");
  EXPECT_EQ((*node)["trace"]["def"]["begin"]["column"].get<int>(), 21);
  SecretBuilder nothing;
  EXPECT_FALSE(WritePropertyJson(result, *esc::PropertyPath::Parse("o.l[2]"), {}, nothing));
  EXPECT_EQ(nothing.Size(), 0u);
}

}  // namespace
}  // namespace escagent::eval
