#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/eval/evaluate_in_test.h"

namespace escagent::eval {
namespace {

using testing::ElementsAre;

TEST(ImportsTest, OwnValuesOverrideLaterImportsOverrideEarlier) {
  MapLoader loader(
      Definitions{{"p/a", "values: {x: a, y: a, z: a}"}, {"p/b", "values: {y: b, z: b}"}});
  const EvalResult result = EvaluateText("imports: [p/a, p/b]\nvalues: {z: own}\n", &loader);
  EXPECT_EQ(Findings(result), "");
  EXPECT_EQ(Revealed(result), R"({"x":"a","y":"b","z":"own"})");
  EXPECT_THAT(result.imported, ElementsAre("p/a", "p/b"));
}

TEST(ImportsTest, ObjectsMergeDeeplyArraysAndScalarsReplace) {
  MapLoader loader(
      Definitions{{"p/a", "values: {o: {k: 1, l: {m: 2}, arr: [1, 2, 3]}, s: {gone: 1}}"}});
  EXPECT_EQ(Revealed(EvaluateText("imports: [p/a]\nvalues: {o: {l: {n: 3}, arr: [9]}, s: text}",
                                  &loader)),
            R"({"o":{"arr":[9],"k":1,"l":{"m":2,"n":3}},"s":"text"})");
}

TEST(ImportsTest, NullSetsNull) {
  MapLoader loader(Definitions{{"p/a", "values: {o: {k: 1, l: 2}, t: {u: 1}}"}});
  EXPECT_EQ(Revealed(EvaluateText("imports: [p/a]\nvalues: {o: {k: null}, t: null}", &loader)),
            R"({"o":{"k":null,"l":2},"t":null})");
}

TEST(ImportsTest, SomethingElseInBetweenHidesWhatLiesBelow) {
  MapLoader loader(Definitions{{"p/a", "values: {o: {k: 1}}"},
                               {"p/b", "imports: [p/a]\nvalues: {o: text}"},
                               {"p/c", "imports: [p/b]\nvalues: {o: {l: 2}}"},
                               {"p/d", "values: {o: {m: 3}}"}});
  EXPECT_EQ(Revealed(EvaluateText("imports: [p/c]", &loader)), R"({"o":{"l":2}})");
  EXPECT_EQ(Revealed(EvaluateText("imports: [p/d, p/c]", &loader)), R"({"o":{"l":2}})");
}

TEST(ImportsTest, MergeFalseIsOnlyReachableByName) {
  MapLoader loader(Definitions{{"p/a", "values: {x: {y: 5}}"}, {"p/dotless", "values: {q: 6}"}});
  EXPECT_EQ(Revealed(EvaluateText("imports:\n- p/a: {merge: false}\n- p/dotless: {merge: true}\n"
                                  "values: {v: '${imports[\"p/a\"].x.y}'}",
                                  &loader)),
            R"({"q":6,"v":5})");
}

TEST(ImportsTest, ReferencesFallBackToImports) {
  MapLoader loader(Definitions{{"p/a", "values: {x: 1, o: {k: 2}}"}});
  EXPECT_EQ(Revealed(EvaluateText("imports: [p/a]\n"
                                  "values: {o: {l: '${o.k}'}, v: '${x}', w: '${o}'}",
                                  &loader)),
            R"({"o":{"k":2,"l":2},"v":1,"w":{"k":2,"l":2},"x":1})");
}

TEST(ImportsTest, ReferenceToAnObjectMergesWithWhatLiesBelowIt) {
  MapLoader loader(Definitions{{"p/a", "values: {src: {a: 1}, dst: {b: 2, n: {c: 3}}}"}});
  EXPECT_EQ(Revealed(EvaluateText("imports: [p/a]\n"
                                  "values: {src: {n: {d: 4}}, dst: '${src}'}",
                                  &loader)),
            R"({"dst":{"a":1,"b":2,"n":{"c":3,"d":4}},"src":{"a":1,"n":{"d":4}}})");
}

TEST(ImportsTest, ValuesOfAnImportDoNotSeeTheImporter) {
  MapLoader loader(Definitions{{"p/a", "values: {x: lower, v: '${x}'}"}});
  EXPECT_EQ(Revealed(EvaluateText("imports: [p/a]\nvalues: {x: upper}", &loader)),
            R"({"v":"lower","x":"upper"})");
}

TEST(ImportsTest, ToStringLeavesOutInheritedKeysAndToJsonDoesNot) {
  MapLoader loader(Definitions{{"p/a", "values: {o: {k: 1}}"}});
  EXPECT_EQ(Revealed(EvaluateText("imports: [p/a]\nvalues:\n  o: {l: 2}\n"
                                  "  s: {fn::toString: '${o}'}\n  j: {fn::toJSON: '${o}'}\n",
                                  &loader)),
            R"({"j":"{\"k\":1,\"l\":2}","o":{"k":1,"l":2},"s":"\"l\"=\"2\""})");
}

TEST(ImportsTest, SecretsStaySecretThroughImports) {
  MapLoader loader(Definitions{{"p/a", "values: {o: {k: {fn::secret: hunter2}}}"}});
  EXPECT_EQ(Redacted(EvaluateText("imports: [p/a]\nvalues: {o: {l: 2}, v: 'x ${o.k}'}", &loader)),
            R"({"o":{"k":"[secret]","l":2},"v":"[secret]"})");
}

TEST(ImportsTest, EachEnvironmentIsReadOnce) {
  MapLoader loader(Definitions{{"p/base", "values: {x: 1}"},
                               {"p/a", "imports: [p/base]"},
                               {"p/b", "imports: [p/base, p/a]"}});
  const EvalResult result = EvaluateText("imports: [p/a, p/b, p/base]", &loader);
  EXPECT_EQ(Findings(result), "");
  EXPECT_EQ(loader.loads(), 3);
  EXPECT_THAT(result.imported, ElementsAre("p/a", "p/base", "p/b"));
}

TEST(ImportsTest, VersionsAreEnvironmentsOfTheirOwn) {
  MapLoader loader(Definitions{{"p/a@1", "values: {x: 1}"}, {"p/a", "values: {x: 2}"}});
  EXPECT_EQ(Revealed(EvaluateText("imports: [p/a, p/a@1]\nvalues: {v: '${imports[\"p/a\"].x}'}",
                                  &loader)),
            R"({"v":2,"x":1})");
}

TEST(ImportsTest, ContextNamesTheEnvironmentThatIsEvaluatedAndTheRoot) {
  MapLoader loader(Definitions{{"p/a",
                                "values: {v: '${context.currentEnvironment.name} of "
                                "${context.rootEnvironment.name}'}"}});
  EXPECT_EQ(Revealed(EvaluateText("imports: [p/a]", &loader)), R"({"v":"p/a of demo/root"})");
}

TEST(ImportsTest, EnvironmentReferencesReadWithoutMerging) {
  MapLoader loader(Definitions{{"p/a", "values: {x: {y: 42}}"}});
  const EvalResult result = EvaluateText(
      "values: {v: '${environments.p.a.x.y}', w: '${environments.p[\"a\"].x}'}", &loader);
  EXPECT_EQ(Findings(result), "");
  EXPECT_EQ(Revealed(result), R"({"v":42,"w":{"y":42}})");
  EXPECT_THAT(result.imported, ElementsAre("p/a"));
}

TEST(ImportsTest, CyclesAreFound) {
  MapLoader loader(
      Definitions{{"p/a", "imports: [p/b]\nvalues: {x: 1}"}, {"p/b", "imports:\n- p/a\n"}});
  const EvalResult result = EvaluateText("imports: [p/a, demo/root]\n", &loader);
  EXPECT_EQ(Findings(result),
            "2:3 imports[0] cyclic import of p/a\n1:16 imports[1] cyclic import of demo/root");
  EXPECT_EQ(result.diagnostics[0].environment, "p/b");
  EXPECT_EQ(result.diagnostics[1].environment, "demo/root");
}

TEST(ImportsTest, FaultsAreFoundWhereTheyAre) {
  MapLoader loader(
      Definitions{{"p/bad", "values:\n  fn::secret: x\n"}, {"p/typo", "values: {v: '${w}'}"}});
  const EvalResult result = EvaluateText(
      "imports:\n- p/missing\n- p/bad\n- p/typo\n-\n- {a: {}, b: {}}\n- p/typo: {merge: 1}\n"
      "- p/typo: {marge: true}\n- p/typo: 3\n",
      &loader);
  EXPECT_EQ(Findings(result),
            "5:2 imports[3] import must be a string or an object\n"
            "6:3 imports[4] import must have a single key\n"
            "7:19 imports[5][\"p/typo\"].merge merge must be a boolean value\n"
            "9:11 imports[7][\"p/typo\"] import must be an object\n"
            "2:3 imports[0] environment \"p/missing\" not found\n"
            "2:3 values[\"fn::secret\"] builtin function call \"fn::secret\" not allowed at the "
            "top level\n"
            "1:13 values.v unknown property \"w\"");
}

TEST(ImportsTest, WithoutALoaderImportsAreErrors) {
  EXPECT_EQ(Findings(EvaluateText("imports: [p/a]")),
            "1:11 imports[0] environment \"p/a\" not found: imports cannot be read here");
}

TEST(ImportsTest, RangesTellWhichEnvironmentAValueComesFrom) {
  MapLoader loader(Definitions{{"p/a", "values:\n  o:\n    k: 1\n"}});
  const EvalResult result = EvaluateText("imports: [p/a]\nvalues:\n  o: {l: abc}\n", &loader);
  const auto inherited = result.RangeOf(esc::PropertyPath({std::string("o"), std::string("k")}));
  ASSERT_TRUE(inherited.has_value());
  EXPECT_EQ(inherited->EnvironmentName(), "p/a");
  EXPECT_EQ(inherited->begin.line, 3);
  EXPECT_EQ(inherited->begin.column, 8);
  const auto own = result.RangeOf(esc::PropertyPath({std::string("o"), std::string("l")}));
  ASSERT_TRUE(own.has_value());
  EXPECT_EQ(own->EnvironmentName(), "demo/root");
  EXPECT_EQ(own->begin.column, 10);
  EXPECT_EQ(own->end.column, 13);
  EXPECT_EQ(own->begin.byte, 32u);
  EXPECT_FALSE(result.RangeOf(esc::PropertyPath({std::string("nope")})).has_value());
}

}  // namespace
}  // namespace escagent::eval
