#include "agent/volume/dotenv_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "tests/unit/volume/temp_folder.h"
#include "tests/unit/volume/test_values.h"

namespace escagent::volume {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Result<std::string> Dotenv(const esc::Value& value, std::string_view name = "") {
  const Result<Secret> rendered = RenderDotenv(Leaves(value, name));
  if (!rendered) return std::unexpected(rendered.error());
  return std::string(rendered->Reveal());
}

// The value of variable `name` after a real shell has sourced the text.
std::string SourcedBySh(const std::string& dotenv, const std::string& name) {
  const TempFolder folder;
  const std::string file = folder.path() + "/env";
  std::ofstream(file, std::ios::binary) << dotenv;
  // The dot keeps command substitution from eating line breaks at the end: there is none here, but
  // printf's own output must be taken whole.
  const std::string command =
      "/bin/sh -c 'set -eu; . \"$1\"; printf %s \"$" + name + "\"' sh " + file;
  FILE* const pipe = popen(command.c_str(), "re");
  if (pipe == nullptr) return "popen failed";
  std::string output;
  for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) output += static_cast<char>(c);
  const int status = pclose(pipe);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return "sh failed";
  return output;
}

TEST(DotenvFormatTest, FlattensWithUnderscores) {
  const auto text = Dotenv(ValueOfJson(
      R"({"HOST": "db.example", "app": {"port": 5432, "tls": true, "pass word": "x y", "list": ["a", "b"]},
          "none": null, "empty": {}, "1st": "one"})"));
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text,
            "_1st=one\n"
            "HOST=db.example\n"
            "app_list_0=a\n"
            "app_list_1=b\n"
            "app_pass_word='x y'\n"
            "app_port=5432\n"
            "app_tls=true\n"
            "none=\n");
}

TEST(DotenvFormatTest, AScalarIsNamedByItsPath) {
  const auto text = Dotenv(Text("v"), "password");
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "password=v\n");
}

TEST(DotenvFormatTest, QuotesOnlyWhereNeeded) {
  const std::vector<std::pair<std::string, std::string>> kCases = {
      {"https://h:1/p?q", "'https://h:1/p?q'"},
      {"a=b,c%d+e-f@g", "a=b,c%d+e-f@g"},
      {"two words", "'two words'"},
      {"$HOME", "'$HOME'"},
      {"a\"b", "'a\"b'"},
      {"it's", "\"it's\""},
      {"it's $5 \\ `x` \"q\"", "\"it's \\$5 \\\\ \\`x\\` \\\"q\\\"\""},
      {"two\nlines", "'two\nlines'"},
      {"~", "'~'"},
      {"#x", "'#x'"}};
  for (const auto& [value, quoted] : kCases) {
    const auto text = Dotenv(Text(value), "K");
    ASSERT_TRUE(text);
    EXPECT_EQ(*text, "K=" + quoted + "\n");
  }
}

TEST(DotenvFormatTest, ARealShellReadsEveryValueBack) {
  std::string all;
  for (int c = 1; c < 128; ++c) all += static_cast<char>(c);
  for (const std::string& value :
       {std::string("plain"), std::string(""), std::string("it's"), std::string("''"),
        std::string("$(false) `false` $HOME ${x} \\n \\"), std::string("a\nb\n\n"),
        std::string("\\'\""), std::string("! * ? [a] ~ # & ; | < > ( )"), std::string("ключ 🔑"),
        std::string("\r\n\t "), std::string("-e"), std::string("a=b"), all, all + "'" + all}) {
    const auto text = Dotenv(Text(value), "K");
    ASSERT_TRUE(text);
    EXPECT_EQ(SourcedBySh("BEFORE=1\n" + *text + "AFTER=2\n", "K"), value) << *text;
  }
}

TEST(DotenvFormatTest, CollisionsNameBothPaths) {
  const auto text = Dotenv(ValueOfJson(R"({"a-b": "canary", "a": {"b": "canary"}})"));
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, Code::kInvalidArgument);
  EXPECT_THAT(text.error().message, HasSubstr("\"a.b\""));
  EXPECT_THAT(text.error().message, HasSubstr("\"a-b\""));
  EXPECT_THAT(text.error().message, HasSubstr("\"a_b\""));
  EXPECT_THAT(text.error().message, Not(HasSubstr("canary")));
}

TEST(DotenvFormatTest, WhatAShellCannotHoldIsRefused) {
  const auto nul = Dotenv(ValueOfJson(R"({"app": {"key": "canary\u0000"}})"));
  ASSERT_FALSE(nul);
  EXPECT_EQ(nul.error().code, Code::kInvalidArgument);
  EXPECT_THAT(nul.error().message, HasSubstr("\"app.key\""));
  EXPECT_THAT(nul.error().message, Not(HasSubstr("canary")));

  const auto empty = Dotenv(ValueOfJson(R"({"": "canary"})"));
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace escagent::volume
