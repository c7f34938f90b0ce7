#include "agent/mirror/cron_schedule.h"

#include <gtest/gtest.h>

#include <string>

#include "base/duration.h"
#include "base/rfc3339.h"

namespace escagent::mirror {
namespace {

std::string Next(std::string_view schedule, std::string_view from) {
  const Result<CronSchedule> parsed = CronSchedule::Parse(schedule);
  EXPECT_TRUE(parsed) << schedule << ": " << (parsed ? "" : parsed.error().message);
  if (!parsed) return "";
  const auto next = parsed->NextAtOrAfter(*ParseRfc3339(from));
  return next ? FormatTime(*next) : "never";
}

TEST(CronSchedule, FindsTheNextTime) {
  struct Case {
    const char* schedule;
    const char* from;
    const char* next;
  };
  // 2026-06-01 is a Monday.
  constexpr Case kCases[] = {
      {"* * * * *", "2026-06-01T10:00:00Z", "2026-06-01T10:00:00Z"},
      {"* * * * *", "2026-06-01T10:00:01Z", "2026-06-01T10:01:00Z"},
      {"0 22 * * *", "2026-06-01T22:00:00Z", "2026-06-01T22:00:00Z"},
      {"0 22 * * *", "2026-06-01T22:00:01Z", "2026-06-02T22:00:00Z"},
      {"*/15 * * * *", "2026-06-01T10:46:00Z", "2026-06-01T11:00:00Z"},
      {"5/20 * * * *", "2026-06-01T10:06:00Z", "2026-06-01T10:25:00Z"},
      {"10-12,40 9 * * *", "2026-06-01T09:13:00Z", "2026-06-01T09:40:00Z"},
      {"0 0 * * 0", "2026-06-01T00:00:00Z", "2026-06-07T00:00:00Z"},
      {"0 9 * * mon-FRI", "2026-06-06T00:00:00Z", "2026-06-08T09:00:00Z"},
      {"0 0 1 jan,Jul ?", "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"},
      {"59 23 31 12 *", "2026-12-31T23:59:00Z", "2026-12-31T23:59:00Z"},
      {"0 0 29 2 *", "2026-06-01T00:00:00Z", "2028-02-29T00:00:00Z"},
      {"0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
      {"0 0 31 2 *", "2026-06-01T00:00:00Z", "never"},
      // Both days given: either will do. A star in one: both must match.
      {"0 0 13 * 5", "2026-06-01T00:00:00Z", "2026-06-05T00:00:00Z"},
      {"0 0 13 * 5", "2026-06-12T01:00:00Z", "2026-06-13T00:00:00Z"},
      {"0 0 */2 * 2", "2026-06-01T00:00:00Z", "2026-06-09T00:00:00Z"},
      {"@hourly", "2026-06-01T10:00:01Z", "2026-06-01T11:00:00Z"},
      {"@daily", "2026-06-01T10:00:00Z", "2026-06-02T00:00:00Z"},
      {"@midnight", "2026-06-01T10:00:00Z", "2026-06-02T00:00:00Z"},
      {"@weekly", "2026-06-01T10:00:00Z", "2026-06-07T00:00:00Z"},
      {"@monthly", "2026-06-01T10:00:00Z", "2026-07-01T00:00:00Z"},
      {"@yearly", "2026-06-01T10:00:00Z", "2027-01-01T00:00:00Z"},
      {"@annually", "2026-06-01T10:00:00Z", "2027-01-01T00:00:00Z"},
  };
  for (const Case& c : kCases) EXPECT_EQ(Next(c.schedule, c.from), c.next) << c.schedule;
}

TEST(CronSchedule, SaysWhatIsWrong) {
  struct Case {
    const char* schedule;
    const char* message;
  };
  constexpr Case kCases[] = {
      {"", "expected 5 fields"},
      {"not-a-cron", "expected 5 fields"},
      {"0 0 * * * *", "found 6"},
      {"60 * * * *", "minute \"60\": must be from 0 to 59"},
      {"* 24 * * *", "hour \"24\": must be from 0 to 23"},
      {"* * 0 * *", "day of month \"0\": must be from 1 to 31"},
      {"* * * 13 *", "month \"13\": must be from 1 to 12"},
      {"* * * * 7", "day of week \"7\": must be from 0 to 6"},
      {"* * * * funday", "is not a number"},
      {"10-5 * * * *", "ends before it begins"},
      {"*/0 * * * *", "the step must be"},
      {"*/99999999999 * * * *", "the step must be"},
      {"1, * * * *", "is not a number"},
      {"-1 * * * *", "is not a number"},
      {"@every 1h", "is not one of @yearly"},
      {"CRON_TZ=UTC * * * *", "is not a number"},
  };
  for (const Case& c : kCases) {
    const Result<CronSchedule> parsed = CronSchedule::Parse(c.schedule);
    ASSERT_FALSE(parsed) << c.schedule;
    EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
    EXPECT_NE(parsed.error().message.find(c.message), std::string::npos)
        << c.schedule << ": " << parsed.error().message;
  }
}

}  // namespace
}  // namespace escagent::mirror
