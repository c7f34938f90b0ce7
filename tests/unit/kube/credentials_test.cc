#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/duration.h"
#include "base/file.h"
#include "base/json.h"
#include "kube/connection.h"
#include "kube/exec_token.h"
#include "kube/token_file.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/kube/temp_folder.h"

namespace escagent::kube {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// The token, or the error in brackets.
std::string TokenOf(TokenSource& source, const std::stop_token& stop = {}) {
  const auto token = source.Get(stop);
  if (!token) return "[" + token.error().ToString() + "]";
  return *token == nullptr ? "none" : std::string((*token)->Reveal());
}

class CredentialsTest : public ::testing::Test {
 protected:
  // A plugin that prints these lines as its ExecCredential's status and appends "x" to the file
  // "runs".
  ExecPlugin Plugin(const std::string& status, const std::string& more = "") {
    ExecPlugin plugin;
    plugin.api_version = "client.authentication.k8s.io/v1";
    plugin.command = folder_.WriteProgram(
        "plugin", "printf x >> '" + folder_.path() + "/runs'\n" + more +
                      "\ncat <<END\n{\"apiVersion\":\"client.authentication.k8s.io/v1\","
                      "\"kind\":\"ExecCredential\",\"status\":{" +
                      status + "}}\nEND\n");
    return plugin;
  }
  std::size_t Runs() const {
    const Result<Secret> runs = ReadFile(folder_.path() + "/runs");
    return runs ? runs->Size() : 0;
  }
  std::string In(seconds time) { return FormatTime(clock_.WallNow() + time); }

  const TempFolder folder_;
  escagent::testing::FakeClock clock_;
  Config config_;
};

TEST_F(CredentialsTest, ATokenFileIsReadAgainAfterASecond) {
  const std::string path = folder_.Write("token", " one\n");
  TokenFile source(path, clock_);
  EXPECT_EQ(TokenOf(source), "one");
  const auto first = *source.Get({});
  folder_.Write("token", "two");
  EXPECT_EQ(TokenOf(source), "one");
  clock_.Advance(seconds(1));
  EXPECT_EQ(TokenOf(source), "two");
  const auto second = *source.Get({});
  clock_.Advance(seconds(1));
  EXPECT_EQ(*source.Get({}), second) << "the same text is the same object";
  folder_.Write("token", "three");
  source.Refused(first);
  EXPECT_EQ(TokenOf(source), "two") << "one that is not in use any more";
  source.Refused(second);
  EXPECT_EQ(TokenOf(source), "three");
}

TEST_F(CredentialsTest, AFileThatIsGoneLeavesTheLastToken) {
  TokenFile source(folder_.path() + "/token", clock_);
  EXPECT_THAT(TokenOf(source), AllOf(HasSubstr("UNAUTHENTICATED"), HasSubstr("/token")));
  folder_.Write("token", "one");
  EXPECT_EQ(TokenOf(source), "one") << "an error is not remembered";
  folder_.Write("token", "\n");
  clock_.Advance(seconds(5));
  EXPECT_EQ(TokenOf(source), "one");
  std::filesystem::remove(folder_.path() + "/token");
  clock_.Advance(seconds(5));
  EXPECT_EQ(TokenOf(source), "one");
}

TEST_F(CredentialsTest, APluginsTokenIsKeptUntilShortlyBeforeItsEnd) {
  ExecToken source(Plugin("\"token\":\"one\",\"expirationTimestamp\":\"" + In(seconds(600)) + "\""),
                   config_, clock_);
  EXPECT_EQ(TokenOf(source), "one");
  clock_.Advance(seconds(569));
  EXPECT_EQ(TokenOf(source), "one");
  EXPECT_EQ(Runs(), 1U);
  Plugin("\"token\":\"two\",\"expirationTimestamp\":\"" + In(seconds(600)) + "\"");
  clock_.Advance(seconds(1));
  EXPECT_EQ(TokenOf(source), "two");
  EXPECT_EQ(Runs(), 2U);
}

TEST_F(CredentialsTest, AFailureKeepsTheTokenWhileItIsGoodAndIsNotRepeatedAtOnce) {
  ExecToken source(Plugin("\"token\":\"one\",\"expirationTimestamp\":\"" + In(seconds(600)) + "\""),
                   config_, clock_);
  EXPECT_EQ(TokenOf(source), "one");
  Plugin("", "echo 'cannot log in' >&2; exit 3");
  clock_.Advance(seconds(580));
  EXPECT_EQ(TokenOf(source), "one");
  EXPECT_EQ(TokenOf(source), "one");
  EXPECT_EQ(Runs(), 2U) << "the second try waits";
  clock_.Advance(seconds(30));
  EXPECT_THAT(TokenOf(source), AllOf(HasSubstr("UNAUTHENTICATED"), HasSubstr("exit code 3"),
                                     HasSubstr("cannot log in")));
  EXPECT_EQ(Runs(), 3U);
}

TEST_F(CredentialsTest, APluginThatInsistsOnARefusedTokenIsNotAskedForEachCall) {
  ExecToken source(Plugin("\"token\":\"one\""), config_, clock_);
  EXPECT_EQ(TokenOf(source), "one");
  source.Refused(*source.Get({}));
  EXPECT_EQ(TokenOf(source), "one");
  EXPECT_EQ(Runs(), 2U);
  source.Refused(*source.Get({}));
  EXPECT_EQ(TokenOf(source), "one");
  EXPECT_EQ(Runs(), 2U);
  Plugin("\"token\":\"two\"");
  clock_.Advance(seconds(2));
  EXPECT_EQ(TokenOf(source), "two");
}

TEST_F(CredentialsTest, WhatAPluginIsTold) {
  config_.server = "https://a.test";
  config_.tls.ca_pem = "CA";
  config_.tls.server_name = "b.test";
  ExecPlugin plugin =
      Plugin("\"token\":\"t\"", "echo \"$KUBERNETES_EXEC_INFO\" > '" + folder_.path() +
                                    "/info'\n"
                                    "echo \"$1 $EXTRA $(cat)\" > '" +
                                    folder_.path() + "/seen'");
  plugin.args = {"arg"};
  plugin.environment = {{"EXTRA", "more"}};
  plugin.provide_cluster_info = true;
  ExecToken source(plugin, config_, clock_);
  ASSERT_EQ(TokenOf(source), "t");
  const Result<Secret> info = ReadFile(folder_.path() + "/info");
  ASSERT_TRUE(info);
  const nlohmann::json expected = {{"apiVersion", "client.authentication.k8s.io/v1"},
                                   {"kind", "ExecCredential"},
                                   {"spec",
                                    {{"interactive", false},
                                     {"cluster",
                                      {{"server", "https://a.test"},
                                       {"tls-server-name", "b.test"},
                                       {"certificate-authority-data", "Q0E="}}}}}};
  EXPECT_EQ(*ParseJson(info->Reveal(), "info"), expected);
  EXPECT_EQ(ReadFile(folder_.path() + "/seen")->Reveal(), "arg more \n");
}

TEST_F(CredentialsTest, AnswersThatAreNoCredentials) {
  struct Case {
    std::string status;
    std::string more;
    std::string cause;
  };
  for (const auto& [status, more, cause] : {
           Case{"", "", "no status.token"},
           Case{"\"clientCertificateData\":\"x\"", "", "client certificate"},
           Case{"\"token\":\"hush\",\"expirationTimestamp\":\"soon\"", "", "RFC 3339"},
           Case{"\"token\":\"hush\",\"expirationTimestamp\":\"2020-01-01T00:00:00Z\"", "",
                "expired already"},
           Case{"", "echo hush; exit 0", "invalid JSON"},
           Case{"", "echo '{\"kind\":\"hush\"}'; exit 0", "ExecCredential of"},
           Case{"", "kill -9 $$", "exit code 137"},
           Case{"", "head -c 300000 /dev/zero; exit 0", "printed more than"},
       }) {
    ExecToken source(Plugin(status, more), config_, clock_);
    EXPECT_THAT(TokenOf(source),
                AllOf(HasSubstr("UNAUTHENTICATED"), HasSubstr(cause), Not(HasSubstr("hush"))));
  }
  ExecPlugin missing = Plugin("");
  missing.command = folder_.path() + "/gone";
  missing.install_hint = "install it";
  ExecToken source(missing, config_, clock_);
  EXPECT_THAT(TokenOf(source), AllOf(HasSubstr("/gone"), HasSubstr("install it")));
}

TEST_F(CredentialsTest, AStopKillsThePluginAndItsChildren) {
  ExecToken source(Plugin("", "sleep 600 & echo $! > '" + folder_.path() + "/child'; wait"),
                   config_, clock_);
  std::string outcome;
  {
    std::jthread caller([&](const std::stop_token& stop) { outcome = TokenOf(source, stop); });
    const auto deadline = std::chrono::steady_clock::now() + seconds(20);
    while (!std::filesystem::exists(folder_.path() + "/child") ||
           std::filesystem::file_size(folder_.path() + "/child") == 0) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }
  EXPECT_THAT(outcome, HasSubstr("CANCELLED"));
}

TEST_F(CredentialsTest, OnlyOneRunAtATime) {
  ExecToken source(Plugin("\"token\":\"one\""), config_, clock_);
  std::vector<std::jthread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] { EXPECT_EQ(TokenOf(source), "one"); });
  }
  callers.clear();
  EXPECT_EQ(Runs(), 1U);
}

TEST_F(CredentialsTest, AProgramHasATimeLimitAndNoneOfOurDescriptors) {
  ChildProgram program;
  program.command = "sleep";
  program.arguments = {"600"};
  program.timeout = std::chrono::milliseconds(50);
  Result<ChildResult> result = RunChild(program, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kDeadlineExceeded);

  const int inherited = dup(1);  // without CLOEXEC
  program.command = "sh";
  program.arguments = {"-c", "ls /proc/$$/fd; echo why >&2; exit 7"};
  program.timeout = seconds(20);
  result = RunChild(program, {});
  close(inherited);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->output.Reveal(), "0\n1\n2\n");
  EXPECT_EQ(result->errors, "why\n");
  EXPECT_EQ(result->exit_code, 7);
}

TEST_F(CredentialsTest, AConnectionUsesWhatTheConfigurationSays) {
  config_.server = "https://a.test";
  Connection without(config_, clock_);
  Result<Connection::Request> request = without.Prepare("GET", "/version?a=b", {});
  ASSERT_TRUE(request);
  EXPECT_EQ(request->http.url, "https://a.test/version?a=b");
  EXPECT_EQ(request->http.credential, nullptr);
  config_.exec = Plugin("\"token\":\"from the plugin\"");
  Connection exec(config_, clock_);
  request = exec.Prepare("PUT", "/", {});
  ASSERT_TRUE(request);
  EXPECT_EQ(request->http.method, "PUT");
  EXPECT_EQ(request->http.authorization_scheme, "Bearer");
  EXPECT_EQ(request->http.credential->Reveal(), "from the plugin");
}

}  // namespace
}  // namespace escagent::kube
