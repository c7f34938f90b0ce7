#include "agent/mirror/cron_schedule.h"

#include <array>
#include <charconv>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"

namespace escagent::mirror {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::sys_days;

struct FieldRule {
  std::string_view name;
  unsigned low;
  unsigned high;
  std::span<const std::string_view> names;  // of `low` and up
};

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekDays = {"sun", "mon", "tue", "wed",
                                                       "thu", "fri", "sat"};
constexpr std::array<FieldRule, 5> kFields = {{{"minute", 0, 59, {}},
                                               {"hour", 0, 23, {}},
                                               {"day of month", 1, 31, {}},
                                               {"month", 1, 12, kMonths},
                                               {"day of week", 0, 6, kWeekDays}}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kDescriptors = {
    {{"@yearly", "0 0 1 1 *"},
     {"@annually", "0 0 1 1 *"},
     {"@monthly", "0 0 1 * *"},
     {"@weekly", "0 0 * * 0"},
     {"@daily", "0 0 * * *"},
     {"@midnight", "0 0 * * *"},
     {"@hourly", "0 * * * *"}}};

std::unexpected<Error> Fault(const FieldRule& rule, std::string_view text, std::string_view cause) {
  return InvalidArgument(std::string(rule.name) + " \"" + std::string(text.substr(0, 40)) +
                         "\": " + std::string(cause));
}

// Whether a field is open, which decides how the two day fields meet.
bool IsStar(std::string_view field) { return field.starts_with('*') || field.starts_with('?'); }

std::optional<unsigned> ReadNumber(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<unsigned> ReadValue(const FieldRule& rule, std::string_view text) {
  for (unsigned i = 0; i < rule.names.size(); ++i) {
    if (EqualsIgnoreCase(rule.names[i], text)) return rule.low + i;
  }
  const std::optional<unsigned> number = ReadNumber(text);
  if (!number) return Fault(rule, text, "is not a number");
  if (*number < rule.low || *number > rule.high) {
    return Fault(rule, text,
                 "must be from " + std::to_string(rule.low) + " to " + std::to_string(rule.high));
  }
  return *number;
}

// One element of a list: *, a value or a range, each with an optional step.
template <std::size_t N>
Status ReadRange(const FieldRule& rule, std::string_view text, std::bitset<N>& bits) {
  const std::size_t slash = text.find('/');
  const std::string_view range = text.substr(0, slash);
  unsigned low = rule.low;
  unsigned high = rule.high;
  if (range != "*" && range != "?") {
    const std::size_t dash = range.find('-');
    ESC_ASSIGN_OR_RETURN(low, ReadValue(rule, range.substr(0, dash)));
    high = low;
    if (dash != std::string_view::npos) {
      ESC_ASSIGN_OR_RETURN(high, ReadValue(rule, range.substr(dash + 1)));
    } else if (slash != std::string_view::npos) {
      high = rule.high;  // "5/10" is "5-59/10"
    }
    if (high < low) return Fault(rule, text, "the range ends before it begins");
  }
  unsigned step = 1;
  if (slash != std::string_view::npos) {
    const std::optional<unsigned> number = ReadNumber(text.substr(slash + 1));
    if (!number || *number == 0 || *number > N) {
      return Fault(rule, text, "the step must be a positive number of the field's size at most");
    }
    step = *number;
  }
  for (unsigned value = low; value <= high; value += step) bits.set(value);
  return {};
}

template <std::size_t N>
Status ReadField(const FieldRule& rule, std::string_view text, std::bitset<N>& bits) {
  for (const std::string_view element : Split(text, ',')) {
    ESC_RETURN_IF_ERROR(ReadRange(rule, element, bits));
  }
  return {};
}

std::vector<std::string_view> SplitWords(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = text.find_first_not_of(" \t"); at != std::string_view::npos;
       at = text.find_first_not_of(" \t", at)) {
    const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

}  // namespace

Result<CronSchedule> CronSchedule::Parse(std::string_view text) {
  for (const auto& [descriptor, fields] : kDescriptors) {
    if (text == descriptor) return Parse(fields);
  }
  if (text.starts_with('@')) {
    return InvalidArgument(
        "\"" + std::string(text.substr(0, 40)) +
        "\" is not one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly");
  }
  const std::vector<std::string_view> words = SplitWords(text);
  if (words.size() != kFields.size()) {
    return InvalidArgument(
        "expected 5 fields (minute, hour, day of month, month, day of week; UTC), found " +
        std::to_string(words.size()));
  }
  CronSchedule schedule;
  ESC_RETURN_IF_ERROR(ReadField(kFields[0], words[0], schedule.minutes_));
  ESC_RETURN_IF_ERROR(ReadField(kFields[1], words[1], schedule.hours_));
  ESC_RETURN_IF_ERROR(ReadField(kFields[2], words[2], schedule.days_));
  ESC_RETURN_IF_ERROR(ReadField(kFields[3], words[3], schedule.months_));
  ESC_RETURN_IF_ERROR(ReadField(kFields[4], words[4], schedule.week_days_));
  schedule.any_day_ = IsStar(words[2]);
  schedule.any_week_day_ = IsStar(words[4]);
  return schedule;
}

bool CronSchedule::MatchesDay(sys_days day) const {
  const std::chrono::year_month_day date(day);
  if (!months_.test(static_cast<unsigned>(date.month()))) return false;
  const bool day_matches = days_.test(static_cast<unsigned>(date.day()));
  const bool week_day_matches = week_days_.test(std::chrono::weekday(day).c_encoding());
  if (any_day_ || any_week_day_) return day_matches && week_day_matches;
  return day_matches || week_day_matches;
}

std::optional<CronSchedule::Time> CronSchedule::NextAtOrAfter(Time from) const {
  // February 29 is at most 8 years away (1896 to 1904, 2096 to 2104).
  constexpr int kMaxDays = 8 * 366 + 1;
  const auto first = std::chrono::ceil<minutes>(from);
  sys_days day = std::chrono::floor<days>(first);
  auto earliest = first - day;
  for (int i = 0; i < kMaxDays; ++i, day += days(1), earliest = minutes(0)) {
    if (!MatchesDay(day)) continue;
    for (auto hour = std::chrono::floor<hours>(earliest); hour < hours(24); hour += hours(1)) {
      if (!hours_.test(static_cast<std::size_t>(hour.count()))) continue;
      for (auto minute = std::max<minutes>(minutes(0), earliest - hour); minute < minutes(60);
           minute += minutes(1)) {
        if (minutes_.test(static_cast<std::size_t>(minute.count()))) return day + hour + minute;
      }
    }
  }
  return std::nullopt;
}

}  // namespace escagent::mirror
