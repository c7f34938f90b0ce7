#include "base/rfc3339.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

#include "base/duration.h"

namespace escagent {
namespace {

using std::chrono::system_clock;

constexpr std::size_t kSecondsSize = std::string_view("2026-11-24T14:05:09").size();
constexpr int kMicroDigits = 6;

// A number of exactly so many digits, taken off the front.
std::optional<int> TakeNumber(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
  if (error != std::errc() || end != text.data() + digits) return std::nullopt;
  text.remove_prefix(digits);
  return static_cast<int>(number);
}

// ".123456789"; nothing when there is a point without a digit.
std::optional<std::chrono::microseconds> TakeFraction(std::string_view& text) {
  if (!text.starts_with('.')) return std::chrono::microseconds(0);
  text.remove_prefix(1);
  int digits = 0;
  int micros = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
    if (digits++ < kMicroDigits) micros = micros * 10 + (text.front() - '0');
  }
  if (digits == 0) return std::nullopt;
  for (; digits < kMicroDigits; ++digits) micros *= 10;
  return std::chrono::microseconds(micros);
}

// "Z", "+01:00" or "-01:00", up to the end of the text.
std::optional<std::chrono::minutes> ReadOffset(std::string_view text) {
  if (text == "Z" || text == "z") return std::chrono::minutes(0);
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  const int sign = text.front() == '-' ? -1 : 1;
  text.remove_prefix(1);
  const std::optional<int> hours = TakeNumber(text, 2);
  if (!hours || !text.starts_with(':')) return std::nullopt;
  text.remove_prefix(1);
  const std::optional<int> minutes = TakeNumber(text, 2);
  if (!minutes || !text.empty() || *hours > 23 || *minutes > 59) return std::nullopt;
  return sign * std::chrono::minutes(*hours * 60 + *minutes);
}

}  // namespace

std::optional<system_clock::time_point> ParseRfc3339(std::string_view text) {
  if (text.size() < kSecondsSize) return std::nullopt;
  const std::string seconds(text.substr(0, kSecondsSize));
  std::tm tm{};
  const char* end = strptime(seconds.c_str(), "%Y-%m-%dT%H:%M:%S", &tm);
  if (end == nullptr || *end != '\0') return std::nullopt;
  text.remove_prefix(kSecondsSize);
  const auto fraction = TakeFraction(text);
  const auto offset = ReadOffset(text);
  if (!fraction || !offset) return std::nullopt;
  return system_clock::from_time_t(timegm(&tm)) + *fraction - *offset;
}

std::string FormatMicroTime(system_clock::time_point time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(time - seconds);
  std::array<char, 16> fraction;
  std::snprintf(fraction.data(), fraction.size(), ".%06dZ", static_cast<int>(micros.count()));
  std::string text = FormatTime(seconds);
  text.replace(text.size() - 1, 1, fraction.data());  // instead of the "Z"
  return text;
}

}  // namespace escagent
