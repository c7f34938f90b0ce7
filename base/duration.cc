#include "base/duration.h"

#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <utility>

namespace escagent {
namespace {

using std::chrono::milliseconds;

// A hundred years: far beyond any interval, far below overflow.
constexpr double kMaxMillis = 100.0 * 366 * 24 * 3600 * 1000;

std::unexpected<Error> BadDuration(std::string_view text, std::string_view what) {
  return InvalidArgument(std::string(what) + ": \"" + std::string(text.substr(0, 40)) +
                         "\" is not a duration; write it like 10s, 1m30s or 2h");
}

// Milliseconds in a unit at the front of `text`, which it is removed from; 0 when there is none.
double TakeUnit(std::string_view& text) {
  // "ms" before "m": the longest match wins.
  static constexpr std::array<std::pair<std::string_view, double>, 7> kUnits = {{
      {"ns", 1e-6},
      {"us", 1e-3},
      {"µs", 1e-3},
      {"ms", 1.0},
      {"s", 1e3},
      {"m", 60e3},
      {"h", 3600e3},
  }};
  for (const auto& [unit, millis] : kUnits) {
    if (text.starts_with(unit)) {
      text.remove_prefix(unit.size());
      return millis;
    }
  }
  return 0;
}

}  // namespace

Result<milliseconds> ParseDuration(std::string_view text, std::string_view what) {
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") return milliseconds{0};
  if (rest.empty()) return BadDuration(text, what);
  double total = 0;
  while (!rest.empty()) {
    if (rest.front() != '.' && (rest.front() < '0' || rest.front() > '9')) {
      return BadDuration(text, what);
    }
    double number = 0;
    const auto [end, error] =
        std::from_chars(rest.data(), rest.data() + rest.size(), number, std::chars_format::fixed);
    if (error != std::errc()) return BadDuration(text, what);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const double unit = TakeUnit(rest);
    if (unit == 0) return BadDuration(text, what);
    total += number * unit;
    if (!(total <= kMaxMillis)) return BadDuration(text, what);
  }
  const auto count = static_cast<milliseconds::rep>(std::llround(total));
  return milliseconds(negative ? -count : count);
}

std::string FormatDuration(milliseconds duration) {
  if (duration.count() == 0) return "0s";
  std::string out;
  if (duration.count() < 0) {
    out = "-";
    duration = -duration;
  }
  if (duration < std::chrono::seconds(1)) return out + std::to_string(duration.count()) + "ms";
  const auto hours = duration.count() / 3600000;
  const auto minutes = duration.count() / 60000 % 60;
  const auto seconds = duration.count() / 1000 % 60;
  std::string fraction = std::to_string(duration.count() % 1000 + 1000).substr(1);
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
  if (hours > 0) out += std::to_string(hours) + "h";
  if (hours > 0 || minutes > 0) out += std::to_string(minutes) + "m";
  out += std::to_string(seconds);
  if (!fraction.empty()) out += "." + fraction;
  return out + "s";
}

std::string FormatTime(std::chrono::system_clock::time_point time) {
  const std::time_t t = std::chrono::system_clock::to_time_t(time);
  std::tm tm{};
  gmtime_r(&t, &tm);
  std::array<char, 32> buffer;
  const std::size_t n = std::strftime(buffer.data(), buffer.size(), "%Y-%m-%dT%H:%M:%SZ", &tm);
  return {buffer.data(), n};
}

}  // namespace escagent
