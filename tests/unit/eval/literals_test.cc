#include <gtest/gtest.h>

#include <string>

#include "tests/unit/eval/evaluate_in_test.h"

namespace escagent::eval {
namespace {

struct ScalarCase {
  const char* yaml;
  const char* json;
};

class ScalarTest : public testing::TestWithParam<ScalarCase> {};

TEST_P(ScalarTest, MeansWhatYamlV3Makes) {
  EXPECT_EQ(ValueOf("values:\n  v: " + std::string(GetParam().yaml) + "\n"), GetParam().json);
}

INSTANTIATE_TEST_SUITE_P(
    Literals, ScalarTest,
    testing::Values(
        // null
        ScalarCase{"", "null"}, ScalarCase{"~", "null"}, ScalarCase{"null", "null"},
        ScalarCase{"Null", "null"}, ScalarCase{"NULL", "null"}, ScalarCase{"nUll", "\"nUll\""},
        // booleans: only the core schema's
        ScalarCase{"true", "true"}, ScalarCase{"True", "true"}, ScalarCase{"FALSE", "false"},
        ScalarCase{"yes", "\"yes\""}, ScalarCase{"no", "\"no\""}, ScalarCase{"on", "\"on\""},
        ScalarCase{"y", "\"y\""}, ScalarCase{"tRue", "\"tRue\""},
        // numbers keep their text
        ScalarCase{"0", "0"}, ScalarCase{"42", "42"}, ScalarCase{"-17", "-17"},
        ScalarCase{"1.10", "1.10"}, ScalarCase{"-0.50", "-0.50"}, ScalarCase{"1e3", "1e3"},
        ScalarCase{"1E+06", "1E+06"},
        ScalarCase{"123456789012345678901234567890", "123456789012345678901234567890"},
        ScalarCase{"0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"},
        // spellings that JSON does not have
        ScalarCase{"+5", "5"}, ScalarCase{".5", "0.5"}, ScalarCase{"5.", "5"},
        ScalarCase{"-.5", "-0.5"}, ScalarCase{"1_000", "1000"}, ScalarCase{"1_0.5_0", "10.50"},
        ScalarCase{"0x1F", "31"}, ScalarCase{"-0x10", "-16"}, ScalarCase{"0o17", "15"},
        ScalarCase{"017", "15"}, ScalarCase{"0b101", "5"}, ScalarCase{"08", "8"},
        ScalarCase{"00", "0"}, ScalarCase{"-00.50", "-0.50"},
        // not numbers
        ScalarCase{"1.2.3", "\"1.2.3\""}, ScalarCase{"-a", "\"-a\""}, ScalarCase{".", "\".\""},
        ScalarCase{"+", "\"+\""}, ScalarCase{"1e", "\"1e\""}, ScalarCase{"0x", "\"0x\""},
        ScalarCase{"0xZZ", "\"0xZZ\""}, ScalarCase{"12ab", "\"12ab\""},
        ScalarCase{"2024-01-31", "\"2024-01-31\""},
        ScalarCase{"2024-01-31T10:00:00Z", "\"2024-01-31T10:00:00Z\""},
        ScalarCase{"10:30", "\"10:30\""},
        // quoted scalars are strings
        ScalarCase{"\"42\"", "\"42\""}, ScalarCase{"'true'", "\"true\""},
        ScalarCase{"\"\"", "\"\""}, ScalarCase{"'~'", "\"~\""},
        ScalarCase{"\"a\\tb\\u00e9\"", "\"a\\tb\u00e9\""}, ScalarCase{"'it''s'", "\"it's\""},
        // tags
        ScalarCase{"!!str 42", "\"42\""}, ScalarCase{"!custom 42", "42"},
        // text
        ScalarCase{"hello world", "\"hello world\""}, ScalarCase{"世界 𐀀", "\"世界 𐀀\""},
        ScalarCase{"[]", "[]"}, ScalarCase{"{}", "{}"},
        ScalarCase{"[1, [2, a], {b: null}]", "[1,[2,\"a\"],{\"b\":null}]"}));

TEST(LiteralsTest, BlockScalarsKeepTheirLines) {
  EXPECT_EQ(ValueOf("values:\n  v: |\n    one\n    two\n"), "\"one\\ntwo\\n\"");
  EXPECT_EQ(ValueOf("values:\n  v: |-\n    one\n    two\n"), "\"one\\ntwo\"");
  EXPECT_EQ(ValueOf("values:\n  v: >\n    one\n    two\n"), "\"one two\\n\"");
  EXPECT_EQ(ValueOf("values:\n  v: |\n    42\n"), "\"42\\n\"");
}

TEST(LiteralsTest, ObjectsAreSortedByKey) {
  EXPECT_EQ(Revealed(EvaluateText("values: {b: 1, a: {d: 2, c: 3}, \"34\": x}")),
            R"({"34":"x","a":{"c":3,"d":2},"b":1})");
}

TEST(LiteralsTest, EmptyDefinitionsAreEmptyEnvironments) {
  for (const char* text : {"", "\n# only a comment\n", "{}", "values: {}", "imports: []", "null"}) {
    const EvalResult result = EvaluateText(text);
    EXPECT_EQ(Findings(result), "") << text;
    EXPECT_EQ(Revealed(result), "{}") << text;
  }
}

TEST(LiteralsTest, ByteOrderMarkAndCrLfAreAccepted) {
  EXPECT_EQ(ValueOf("\xEF\xBB\xBFvalues:\r\n  v: ${w}\r\n  w: x\r\n"), "\"x\"");
}

TEST(LiteralsTest, ConventionalKeysAreOrdinary) {
  EXPECT_EQ(Revealed(EvaluateText("values:\n"
                                  "  files: {CONF: text}\n"
                                  "  environmentVariables: {A: \"1\"}\n"
                                  "  pulumiConfig: {aws:region: eu}\n")),
            R"({"environmentVariables":{"A":"1"},"files":{"CONF":"text"},)"
            R"("pulumiConfig":{"aws:region":"eu"}})");
}

}  // namespace
}  // namespace escagent::eval
