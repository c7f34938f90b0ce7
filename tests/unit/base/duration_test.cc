#include "base/duration.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace escagent {
namespace {

using std::chrono::milliseconds;

TEST(ParseDurationTest, ReadsWhatGoReads) {
  struct Case {
    std::string_view text;
    std::int64_t expected_ms;
  };
  for (const auto& [text, expected_ms] : {
           Case{"0", 0},
           Case{"0s", 0},
           Case{"10s", 10000},
           Case{"250ms", 250},
           Case{"1.5s", 1500},
           Case{"1h30m", 5400000},
           Case{"1h30m0s", 5400000},
           Case{"2h0m0.5s", 7200500},
           Case{".5s", 500},
           Case{"1.s", 1000},
           Case{"+5s", 5000},
           Case{"1000us", 1},
           Case{"1000\xC2\xB5s", 1},  // U+00B5
           Case{"1000000ns", 1},
           Case{"30s1m", 90000},
       }) {
    const Result<milliseconds> parsed = ParseDuration(text, "refreshInterval");
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
    EXPECT_EQ(parsed->count(), expected_ms) << text;
  }
}

TEST(ParseDurationTest, RefusesTheRestAndNamesWhat) {
  for (const std::string_view text : {"",
                                      " ",
                                      "10",
                                      "s",
                                      "10 s",
                                      "10s ",
                                      " 10s",
                                      "10x",
                                      "ten",
                                      "1h30",
                                      "1..5s",
                                      ".s",
                                      "--5s",
                                      "5s5",
                                      "1e3s",
                                      "99999999999999999999s",
                                      "9999999999999h",
                                      "10S",
                                      "1d",
                                      "+",
                                      "-",
                                      "0x10s"}) {
    const Result<milliseconds> parsed = ParseDuration(text, "refreshInterval");
    ASSERT_FALSE(parsed) << "'" << text << "' was read as " << parsed->count() << " ms";
    EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
    EXPECT_NE(parsed.error().message.find("refreshInterval"), std::string::npos)
        << parsed.error().message;
  }
}

TEST(FormatDurationTest, WritesWhatGoWrites) {
  struct Case {
    std::int64_t ms;
    std::string_view expected;
  };
  for (const auto& [ms, expected] : {
           Case{0, "0s"},
           Case{1, "1ms"},
           Case{250, "250ms"},
           Case{1000, "1s"},
           Case{1500, "1.5s"},
           Case{10000, "10s"},
           Case{60000, "1m0s"},
           Case{90500, "1m30.5s"},
           Case{5400000, "1h30m0s"},
           Case{86400000, "24h0m0s"},
       }) {
    EXPECT_EQ(FormatDuration(milliseconds(ms)), expected);
  }
}

TEST(DurationTest, RoundTrips) {
  for (std::int64_t ms = 0; ms < 1000000000; ms = ms * 3 + 7) {
    const std::string text = FormatDuration(milliseconds(ms));
    const Result<milliseconds> parsed = ParseDuration(text, "x");
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->count(), ms) << text;
  }
}

TEST(FormatTimeTest, Rfc3339) {
  using std::chrono::seconds;
  using std::chrono::system_clock;
  EXPECT_EQ(FormatTime(system_clock::time_point{}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(FormatTime(system_clock::time_point{seconds(1795529109)}), "2026-11-24T14:05:09Z");
  EXPECT_EQ(FormatTime(system_clock::time_point{milliseconds(1999)}), "1970-01-01T00:00:01Z");
}

}  // namespace
}  // namespace escagent
