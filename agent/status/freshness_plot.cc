#include "agent/status/freshness_plot.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/duration.h"

namespace escagent::status {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = FreshnessMinute::State;

constexpr std::array<std::pair<std::string_view, seconds>, 5> kMarks = {{
    {"10 s", seconds(10)},
    {"1 min", seconds(60)},
    {"10 min", seconds(600)},
    {"1 h", seconds(3600)},
    {"1 d", seconds(86400)},
}};

std::string_view ClassOf(State state) {
  switch (state) {
    case State::kFresh:
      return "ok";
    case State::kLate:
      return "late";
    case State::kFailing:
      return "fail";
    case State::kUnknown:
      break;
  }
  return "none";
}

std::string Describe(const FreshnessMinute& minute, std::size_t index) {
  const std::size_t ago = std::tuple_size_v<FreshnessHour> - 1 - index;
  std::string out = ago == 0 ? "now" : std::to_string(ago) + " min ago";
  if (minute.state == State::kUnknown) return out + ": unknown";
  out += ": " + FormatDuration(std::chrono::floor<seconds>(minute.oldest)) + " old";
  return minute.state == State::kFailing ? out + ", ESC failed" : out;
}

// Where an age is between 0 and 1, from a second to `top`.
double Height(milliseconds age, milliseconds top) {
  const auto log = [](milliseconds m) {
    return std::log10(1 + static_cast<double>(m.count()) / 1e3);
  };
  return std::clamp(log(age) / log(top), 0.0, 1.0);
}

std::string Percent(double share) { return std::to_string(std::lround(share * 100)) + "%"; }

FreshnessHour Worst(const FreshnessHours& hours) {
  FreshnessHour worst;
  for (const auto& [key, hour] : hours) {
    for (std::size_t i = 0; i < hour.size(); ++i) {
      worst[i].state = std::max(worst[i].state, hour[i].state);
      worst[i].oldest = std::max(worst[i].oldest, hour[i].oldest);
    }
  }
  return worst;
}

std::string Summary(const FreshnessHour& hour) {
  const auto failing = std::ranges::count(hour, State::kFailing, &FreshnessMinute::state);
  const milliseconds oldest = std::ranges::max(hour, {}, &FreshnessMinute::oldest).oldest;
  return "at most " + FormatDuration(std::chrono::floor<seconds>(oldest)) + " old, ESC failed in " +
         std::to_string(failing) + " of the last 60 minutes";
}

}  // namespace

std::string FreshnessPlot(const FreshnessHours& hours) {
  if (hours.empty()) return "<p>Nothing has been opened within the last hour.</p>\n";
  const FreshnessHour worst = Worst(hours);
  const milliseconds oldest = std::ranges::max(worst, {}, &FreshnessMinute::oldest).oldest;
  const milliseconds top = std::max<milliseconds>(std::chrono::minutes(10), oldest);
  std::string out = "<p>The oldest values of any environment: " + Summary(worst) +
                    ".</p>\n<div class=\"plot\" role=\"img\" aria-label=\"" + Summary(worst) +
                    "\">\n";
  for (const auto& [name, age] : kMarks) {
    if (age > top) continue;
    out +=
        "<span style=\"bottom:" + Percent(Height(age, top)) + "\">" + std::string(name) + "</span>";
  }
  out += "\n<div class=\"bars\">";
  for (std::size_t i = 0; i < worst.size(); ++i) {
    const FreshnessMinute& minute = worst[i];
    const double height = minute.state == State::kUnknown ? 0.0 : Height(minute.oldest, top);
    out += "<i class=\"" + std::string(ClassOf(minute.state)) +
           "\" style=\"height:" + Percent(std::max(height, 0.02)) + "\" title=\"" +
           Describe(minute, i) + "\"></i>";
  }
  return out + "</div></div>\n<p class=\"axis\"><span>1 hour ago</span><span>now</span></p>\n";
}

std::string FreshnessStrip(const FreshnessHour& hour) {
  std::string out = "<div class=\"strip\" role=\"img\" aria-label=\"" + Summary(hour) + "\">";
  for (std::size_t i = 0; i < hour.size(); ++i) {
    out += "<i class=\"" + std::string(ClassOf(hour[i].state)) + "\" title=\"" +
           Describe(hour[i], i) + "\"></i>";
  }
  return out + "</div>";
}

}  // namespace escagent::status
