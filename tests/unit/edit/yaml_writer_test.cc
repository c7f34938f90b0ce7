#include "esc/edit/yaml_writer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace escagent::edit {
namespace {

std::string Quoted(std::string_view text) {
  SecretBuilder out;
  AppendQuoted(text, out);
  return std::string(out.Reveal());
}

std::string Shortest(std::string_view text) {
  SecretBuilder out;
  AppendShortest(text, out);
  return std::string(out.Reveal());
}

TEST(YamlWriterTest, EscapesWhatYamlDoesNotShow) {
  EXPECT_EQ(Quoted("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(Quoted("\n\r\t"), R"("\n\r\t")");
  EXPECT_EQ(Quoted(std::string("\0\x1b\x7f", 3)), R"("\x00\x1B\x7F")");
  EXPECT_EQ(Quoted("\xc2\x85\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf"), R"("\x85\u2028\u2029\uFEFF")");
  EXPECT_EQ(Quoted("ü✓🔑"), "\"ü✓🔑\"");
}

TEST(YamlWriterTest, LeavesQuotesAwayWhereNobodyCouldMisreadIt) {
  for (const char* plain : {"a", "hello-secret", "DB_PASSWORD", "x1", "nullable"}) {
    EXPECT_EQ(Shortest(plain), plain);
  }
  for (const char* word :
       {"", "1x", "-", "a b", "a:", "a.b", "No", "yes", "NULL", "y", "on", "~", "<<", "é", "inf"}) {
    EXPECT_EQ(Shortest(word), '"' + std::string(word) + '"');
  }
}

TEST(YamlWriterTest, Nests) {
  const std::vector<std::string> keys = {"a", "b c"};
  SecretBuilder block;
  AppendBlockSecret(keys, "v", 2, {.line_break = "\r\n", .step = 4}, block);
  EXPECT_EQ(block.Reveal(), "a:\r\n      \"b c\":\r\n          fn::secret: \"v\"");
  SecretBuilder flow;
  AppendFlowSecret(keys, "v", /*bare=*/false, flow);
  EXPECT_EQ(flow.Reveal(), "{a: {\"b c\": {fn::secret: \"v\"}}}");
  SecretBuilder bare;
  AppendFlowSecret(keys, "v", /*bare=*/true, bare);
  EXPECT_EQ(bare.Reveal(), "a: {\"b c\": {fn::secret: \"v\"}}");
}

}  // namespace
}  // namespace escagent::edit
