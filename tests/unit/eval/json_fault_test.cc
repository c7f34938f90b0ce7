#include "esc/eval/json_fault.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace escagent::eval {
namespace {

struct FaultCase {
  std::string_view text;
  std::string_view fault;  // "" for none
};

class JsonFaultTest : public ::testing::TestWithParam<FaultCase> {};

TEST_P(JsonFaultTest, IsInTheWordsOfGo) {
  const auto& [text, fault] = GetParam();
  EXPECT_EQ(DescribeJsonFault(text, /*secret=*/false).value_or(""), fault) << text;
}

// What Go 1.24 printed for these texts.
INSTANTIATE_TEST_SUITE_P(
    Texts, JsonFaultTest,
    ::testing::Values(
        FaultCase{"", "EOF"}, FaultCase{" \n", "EOF"}, FaultCase{"{} x", ""}, FaultCase{"[1]]", ""},
        FaultCase{"01", ""}, FaultCase{"1x", ""}, FaultCase{"{\"\xff\": [-1.5e+3, {}]}", ""},
        FaultCase{"x", "invalid character 'x' looking for beginning of value"},
        FaultCase{"'", "invalid character '\\'' looking for beginning of value"},
        FaultCase{"\xc3\xa9", "invalid character 'Ã' looking for beginning of value"},
        FaultCase{"\x01", "invalid character '\\x01' looking for beginning of value"},
        FaultCase{"{\"a\"", "unexpected EOF"},
        FaultCase{"{\"a\" 1}", "invalid character '1' after object key"},
        FaultCase{"{a: 1}", "invalid character 'a' looking for beginning of object key string"},
        FaultCase{"{\"a\": 1,}",
                  "invalid character '}' looking for beginning of object key string"},
        FaultCase{"{\"a\": 1 \"b\"}", "invalid character '\"' after object key:value pair"},
        FaultCase{"[1 2]", "invalid character '2' after array element"},
        FaultCase{"[1,]", "invalid character ']' looking for beginning of value"},
        FaultCase{"[,", "invalid character ',' looking for beginning of value"},
        FaultCase{"{,", "invalid character ',' looking for beginning of object key string"},
        FaultCase{"[[{\"k\":[}", "invalid character '}' looking for beginning of value"},
        FaultCase{"{\"a\":{\"b\":[1,{\"c\":]}",
                  "invalid character ']' looking for beginning of value"},
        FaultCase{"tru", "unexpected EOF"},
        FaultCase{"trux", "invalid character 'x' in literal true (expecting 'e')"},
        FaultCase{"nul1", "invalid character '1' in literal null (expecting 'l')"},
        FaultCase{"falsy", "invalid character 'y' in literal false (expecting 'e')"},
        FaultCase{"\"a\nb\"", "invalid character '\\n' in string literal"},
        FaultCase{"\"\\x\"", "invalid character 'x' in string escape code"},
        FaultCase{"\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"},
        FaultCase{"\"\\u12", "unexpected EOF"}, FaultCase{"\"", "unexpected EOF"},
        FaultCase{"-", "unexpected EOF"}, FaultCase{"1.", "unexpected EOF"},
        FaultCase{"1e", "unexpected EOF"},
        FaultCase{"-x", "invalid character 'x' in numeric literal"},
        FaultCase{"1.x", "invalid character 'x' after decimal point in numeric literal"},
        FaultCase{"1e+x", "invalid character 'x' in exponent of numeric literal"}));

TEST(JsonFaultSecrecyTest, ASecretsCharacterIsNotNamed) {
  EXPECT_EQ(DescribeJsonFault("hunter2", /*secret=*/true),
            "invalid character (secret) looking for beginning of value");
}

TEST(JsonFaultSecrecyTest, DeepTextsAreWalkedWithoutRecursion) {
  EXPECT_EQ(DescribeJsonFault(std::string(1000000, '['), /*secret=*/false), "unexpected EOF");
}

}  // namespace
}  // namespace escagent::eval
