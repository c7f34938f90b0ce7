#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

#include "base/json.h"
#include "base/secret.h"
#include "base/thread.h"

namespace escagent {
namespace {

using nlohmann::json;
using testing::HasSubstr;

static_assert(!std::is_constructible_v<LogField, LogKey, const Secret&>);
static_assert(!std::is_constructible_v<LogField, LogKey, Secret>);
static_assert(!std::is_constructible_v<LogField, LogKey, double>);

class LogTest : public testing::Test {
 protected:
  ~LogTest() override { SetLogLevel(LogLevel::kInfo); }

  // The lines that `body` logs, each of which must be a JSON object.
  template <class Body>
  static std::vector<json> LinesOf(Body body) {
    testing::internal::CaptureStderr();
    body();
    std::istringstream captured(testing::internal::GetCapturedStderr());
    std::vector<json> lines;
    for (std::string line; std::getline(captured, line);) {
      const Result<json> parsed = ParseJson(line, "log line");
      EXPECT_TRUE(parsed && parsed->is_object()) << line;
      if (parsed) lines.push_back(*parsed);
    }
    return lines;
  }
};

TEST_F(LogTest, OneJsonObjectALine) {
  const Error error{Code::kUnavailable, "open acme/web/dev: refused", {}};
  const std::vector<json> lines = LinesOf([&error] {
    LogInfo("volume published", {{log_key::kVolume, "csi-1"},
                                 {log_key::kCount, 3},
                                 {log_key::kStatus, true},
                                 {log_key::kDelay, std::chrono::microseconds(1500250)},
                                 {log_key::kError, error}});
  });
  ASSERT_EQ(lines.size(), 1U);
  const json& line = lines[0];
  EXPECT_EQ(line["level"], "info");
  EXPECT_EQ(line["message"], "volume published");
  EXPECT_EQ(line["volumeId"], "csi-1");
  EXPECT_EQ(line["count"], 3);
  EXPECT_EQ(line["status"], true);
  EXPECT_EQ(line["delay"], 1.50025) << "durations are seconds";
  EXPECT_EQ(line["error"], "UNAVAILABLE: open acme/web/dev: refused");
}

TEST_F(LogTest, TimeIsRfc3339InUtc) {
  const std::vector<json> lines = LinesOf([] { LogInfo("x"); });
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(
      lines[0]["time"].get<std::string>(),
      testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"));
}

TEST_F(LogTest, WhatUsersNameCannotForgeALine) {
  const std::string_view hostile = "x\"}\n{\"level\":\"error\",\"message\":\"forged\"}\r\t\x01\\";
  const std::vector<json> lines = LinesOf([hostile] {
    LogWarning("message with \"quotes\" and {} braces", {{log_key::kPod, hostile}});
  });
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["pod"], hostile);
  EXPECT_EQ(lines[0]["message"], "message with \"quotes\" and {} braces");
  EXPECT_EQ(lines[0]["level"], "warn");
}

TEST_F(LogTest, InvalidUtf8IsReplaced) {
  const std::vector<json> lines = LinesOf([] { LogInfo("x", {{log_key::kPod, "a\xFFz"}}); });
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["pod"], "a\xEF\xBF\xBDz");
}

TEST_F(LogTest, LevelsDropWhatIsBelow) {
  const auto log_all = [] {
    LogDebug("d");
    LogInfo("i");
    LogWarning("w");
    LogError("e");
  };
  struct Case {
    LogLevel level;
    std::size_t lines;
  };
  for (const auto& [level, count] :
       {Case{LogLevel::kDebug, 4}, Case{LogLevel::kInfo, 3}, Case{LogLevel::kWarning, 2},
        Case{LogLevel::kError, 1}, Case{LogLevel::kOff, 0}}) {
    SetLogLevel(level);
    EXPECT_EQ(LinesOf(log_all).size(), count);
  }
}

TEST_F(LogTest, ParseLogLevel) {
  EXPECT_EQ(*ParseLogLevel("debug"), LogLevel::kDebug);
  EXPECT_EQ(*ParseLogLevel("info"), LogLevel::kInfo);
  EXPECT_EQ(*ParseLogLevel("warn"), LogLevel::kWarning);
  EXPECT_EQ(*ParseLogLevel("error"), LogLevel::kError);
  for (const std::string_view text : {"", "INFO", "verbose", "trace"}) {
    const Result<LogLevel> parsed = ParseLogLevel(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
    EXPECT_THAT(parsed.error().message, HasSubstr("debug"));
  }
}

TEST_F(LogTest, ThreadsDoNotMixTheirLines) {
  const std::vector<json> lines = LinesOf([] {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.push_back(StartThread("log", [t] {
        for (int i = 0; i < 200; ++i) LogInfo("line", {{log_key::kCount, t * 1000 + i}});
      }));
    }
  });
  EXPECT_EQ(lines.size(), 800U);
}

}  // namespace
}  // namespace escagent
