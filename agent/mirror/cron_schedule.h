#pragma once

#include <bitset>
#include <chrono>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace escagent::mirror {

// A schedule of five fields (minute, hour, day of month, month, day of week) in UTC, as crontab(5)
// and the Go library robfig/cron, which ESO uses, read it: *, ?, lists, ranges, steps, names of
// months and days (jan, sun), and @yearly, @annually, @monthly, @weekly, @daily, @midnight,
// @hourly. A time must match both day fields, or either of them when neither begins with a star.
// @every and time zones are refused. Immutable.
class CronSchedule {
 public:
  using Time = std::chrono::system_clock::time_point;

  // INVALID_ARGUMENT says which field is wrong and how.
  static Result<CronSchedule> Parse(std::string_view text);

  // The first time at or after `from` that matches (whole minutes); nothing when none does for the
  // next 8 years, which holds any February 29.
  std::optional<Time> NextAtOrAfter(Time from) const;

 private:
  bool MatchesDay(std::chrono::sys_days day) const;

  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;      // 1..31
  std::bitset<13> months_;    // 1..12
  std::bitset<7> week_days_;  // Sunday is 0
  bool any_day_ = false;
  bool any_week_day_ = false;
};

}  // namespace escagent::mirror
