#include "agent/store/token_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/unit/store/store_fixture.h"

namespace escagent::store {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TokenReaderTest : public ::testing::Test {
 protected:
  Result<AccessToken> Read(const std::string& name, const std::string& key = "") {
    return reader_.Read({.name = name, .key = key, .namespace_name = ""});
  }

  TempFolder folder_;
  TokenReader reader_{folder_.path()};
};

TEST_F(TokenReaderTest, ReadsFiles) {
  folder_.Write("token", "pul-abc123\n");
  for (const std::string& name : {std::string("file:token"), "file:" + folder_.path() + "/token"}) {
    const Result<AccessToken> token = Read(name);
    ASSERT_TRUE(token) << token.error().message;
    EXPECT_EQ(token->token->Reveal(), "pul-abc123");
  }
  const Result<AccessToken> by_key = Read("file:" + folder_.path(), "token");
  ASSERT_TRUE(by_key);
  EXPECT_EQ(by_key->token->Reveal(), "pul-abc123");
}

TEST_F(TokenReaderTest, StripsOneLineBreakOnly) {
  for (const char* text : {"pul-abc123", "pul-abc123\n", "pul-abc123\r\n"}) {
    folder_.Write("token", text);
    const Result<AccessToken> token = Read("file:token");
    ASSERT_TRUE(token);
    EXPECT_EQ(token->token->Reveal(), "pul-abc123");
  }
  for (const char* text : {"pul-canary\n\n", " pul-canary", "pul-\ncanary", "pul-canary\x01"}) {
    folder_.Write("token", text);
    const Result<AccessToken> token = Read("file:token");
    ASSERT_FALSE(token);
    EXPECT_EQ(token.error().code, Code::kUnauthenticated);
    EXPECT_THAT(token.error().message, Not(HasSubstr("canary")));
  }
}

TEST_F(TokenReaderTest, ReadsTheEnvironment) {
  ASSERT_EQ(::setenv("ESC_AGENT_TEST_TOKEN", "pul-env", 1), 0);
  const Result<AccessToken> token = Read("env:ESC_AGENT_TEST_TOKEN", "ignored");
  ASSERT_TRUE(token);
  EXPECT_EQ(token->token->Reveal(), "pul-env");
  ASSERT_EQ(::unsetenv("ESC_AGENT_TEST_TOKEN"), 0);
  const Result<AccessToken> gone = Read("env:ESC_AGENT_TEST_TOKEN");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::kUnauthenticated);
  EXPECT_THAT(gone.error().message, HasSubstr("env:ESC_AGENT_TEST_TOKEN"));
}

TEST_F(TokenReaderTest, MissingAndEmptyAreUnauthenticated) {
  folder_.Write("empty", "\n");
  for (const char* name : {"file:absent", "file:empty", "file:/"}) {
    const Result<AccessToken> token = Read(name);
    ASSERT_FALSE(token) << name;
    EXPECT_EQ(token.error().code, Code::kUnauthenticated);
    EXPECT_THAT(token.error().message, HasSubstr(name));
  }
}

TEST_F(TokenReaderTest, TooLargeIsUnauthenticated) {
  folder_.Write("big", std::string(70000, 'a'));
  const Result<AccessToken> token = Read("file:big");
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code, Code::kUnauthenticated);
}

TEST_F(TokenReaderTest, OtherReferencesAreRefused) {
  for (const char* name : {"pulumi-access-token", "file:", "env:", "FILE:x", ""}) {
    const Status status = TokenReader::Check({.name = name, .key = "k", .namespace_name = ""});
    ASSERT_FALSE(status) << name;
    EXPECT_EQ(status.error().code, Code::kInvalidArgument);
    EXPECT_THAT(status.error().message, HasSubstr("file:PATH or env:NAME"));
  }
  for (const char* key : {"a/b", "..", "."}) {
    EXPECT_FALSE(TokenReader::Check({.name = "file:dir", .key = key, .namespace_name = ""}));
  }
}

TEST_F(TokenReaderTest, IdentityIsEqualForEqualTokensAndTellsNothing) {
  folder_.Write("one", "pul-one");
  folder_.Write("same", "pul-one\n");
  folder_.Write("two", "pul-two");
  const std::string one = Read("file:one")->identity;
  EXPECT_EQ(one.size(), 64U);
  EXPECT_EQ(Read("file:same")->identity, one);
  EXPECT_NE(Read("file:two")->identity, one);
  // One key for all readers of a process: stores with equal tokens share what they open.
  const TokenReader other(folder_.path());
  EXPECT_EQ(other.Read({.name = "file:one", .key = "", .namespace_name = ""})->identity, one);
}

TEST(TokenReaderCheck, ATokenWrittenIntoTheStoreIsNotRepeated) {
  for (const std::string& token : {std::string("pul-abc123"), std::string(44, 'a')}) {
    const Status status = TokenReader::Check({.name = token, .key = "", .namespace_name = ""});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().message.find(token), std::string::npos);
  }
}

}  // namespace
}  // namespace escagent::store
