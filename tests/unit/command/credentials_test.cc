#include "agent/command/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/unit/command/scoped_variable.h"

namespace escagent::command {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::ScopedVariable;

class CredentialsTest : public ::testing::Test {
 protected:
  CredentialsTest()
      : home_(::testing::TempDir() + "credentials-" + std::to_string(getpid())),
        no_token_("PULUMI_ACCESS_TOKEN", nullptr),
        no_path_("PULUMI_CREDENTIALS_PATH", nullptr),
        pulumi_home_("PULUMI_HOME", home_.c_str()) {
    std::filesystem::create_directories(home_);
  }
  ~CredentialsTest() override { std::filesystem::remove_all(home_); }

  std::string Write(const std::string& name, const std::string& contents) const {
    std::ofstream(home_ + "/" + name) << contents;
    return home_ + "/" + name;
  }

  const std::string home_;
  ScopedVariable no_token_;
  ScopedVariable no_path_;
  ScopedVariable pulumi_home_;
};

TEST_F(CredentialsTest, TokenFileWinsAndLosesItsLineBreak) {
  const ScopedVariable variable("PULUMI_ACCESS_TOKEN", "pul-variable");
  const auto found = FindCredentials("https://esc.example", Write("token", "pul-file\r\n"));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->token.Reveal(), "pul-file");
  EXPECT_EQ(found->esc_url, "https://esc.example");
}

TEST_F(CredentialsTest, VariableGoesToPulumisCloudByDefault) {
  const ScopedVariable variable("PULUMI_ACCESS_TOKEN", "pul-variable");
  const auto found = FindCredentials("", "");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->token.Reveal(), "pul-variable");
  EXPECT_EQ(found->esc_url, "https://api.pulumi.com");
}

TEST_F(CredentialsTest, StoredLoginTellsBackendAndToken) {
  Write("credentials.json",
        R"({"current": "https://self.example", "accessTokens": {"https://self.example": "pul-a",
            "https://api.pulumi.com": "pul-b"}})");
  const auto current = FindCredentials("", "");
  ASSERT_TRUE(current) << current.error().message;
  EXPECT_EQ(current->esc_url, "https://self.example");
  EXPECT_EQ(current->token.Reveal(), "pul-a");
  const auto other = FindCredentials("https://api.pulumi.com", "");
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(other->token.Reveal(), "pul-b");
}

TEST_F(CredentialsTest, WhatIsMissingIsSaid) {
  const auto nothing = FindCredentials("", "");
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, Code::kUnauthenticated);
  EXPECT_THAT(nothing.error().message, HasSubstr("PULUMI_ACCESS_TOKEN"));

  Write("credentials.json", R"({"current": "https://a.example", "accessTokens": {"x": "pul-x"}})");
  const auto other_backend = FindCredentials("", "");
  ASSERT_FALSE(other_backend);
  EXPECT_THAT(other_backend.error().message, HasSubstr("https://a.example"));
  EXPECT_THAT(other_backend.error().message, Not(HasSubstr("pul-x")));

  EXPECT_FALSE(FindCredentials("", Write("empty", "\n")));
  EXPECT_FALSE(FindCredentials("", home_ + "/missing"));
}

TEST_F(CredentialsTest, BrokenLoginFileIsAnErrorWithoutItsText) {
  for (const char* text : {"{\"current\": pul-secret", "[\"pul-secret\"]", "\"pul-secret\"",
                           R"({"accessTokens": "pul-secret"})", R"({"accessTokens": {"": 1}})"}) {
    Write("credentials.json", text);
    const auto found = FindCredentials("", "");
    ASSERT_FALSE(found) << text;
    EXPECT_THAT(found.error().message, Not(HasSubstr("pul-secret")));
  }
}

}  // namespace
}  // namespace escagent::command
