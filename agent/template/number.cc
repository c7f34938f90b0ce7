#include "agent/template/number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

namespace escagent::gotemplate {
namespace {

// The text without underscores; nothing when one does not stand between digits (or behind a
// prefix).
std::optional<std::string> WithoutUnderscores(std::string_view text, bool prefixed) {
  std::string digits;
  char before = prefixed ? '0' : '^';
  for (const char c : text) {
    if (c == '_') {
      if (!std::isxdigit(static_cast<unsigned char>(before))) return std::nullopt;
    } else {
      if (before == '_' && !std::isxdigit(static_cast<unsigned char>(c))) return std::nullopt;
      digits += c;
    }
    before = c;
  }
  if (before == '_') return std::nullopt;
  return digits;
}

// Takes the prefix of a literal off and returns the base that it names.
int TakeBase(std::string_view& text) {
  if (text.size() < 2 || text[0] != '0') return 10;
  switch (text[1]) {
    case 'x':
    case 'X':
      text.remove_prefix(2);
      return 16;
    case 'b':
    case 'B':
      text.remove_prefix(2);
      return 2;
    case 'o':
    case 'O':
      text.remove_prefix(2);
      return 8;
    default:
      text.remove_prefix(1);
      return 8;
  }
}

// Digits and exponent: the value is 0.d1d2d3... * 10^point.
struct Decimal {
  std::string digits;
  int point = 0;
};

// `precision` digits behind the first, or the shortest that reads back.
Decimal ToDecimal(double value, int precision) {
  std::array<char, 1100> text;
  const std::to_chars_result end =
      precision < 0 ? std::to_chars(text.data(), text.data() + text.size(), value,
                                    std::chars_format::scientific)
                    : std::to_chars(text.data(), text.data() + text.size(), value,
                                    std::chars_format::scientific, std::min(precision, 1000));
  const std::string_view all(text.data(), static_cast<std::size_t>(end.ptr - text.data()));
  const std::size_t e = all.find('e');
  Decimal decimal;
  for (const char c : all.substr(0, e)) {
    if (c != '.') decimal.digits += c;
  }
  int exponent = 0;
  std::string_view exponent_text = all.substr(e + 1);
  if (exponent_text.starts_with('+')) exponent_text.remove_prefix(1);
  std::from_chars(exponent_text.data(), exponent_text.data() + exponent_text.size(), exponent);
  decimal.point = value == 0 ? 1 : exponent + 1;
  return decimal;
}

std::string Scientific(const Decimal& decimal, int precision, char e) {
  std::string text = decimal.digits.substr(0, 1);
  if (precision > 0) {
    std::string fraction = decimal.digits.substr(1);
    fraction.resize(static_cast<std::size_t>(precision), '0');
    text += "." + fraction;
  }
  const int exponent = decimal.point - 1;
  text += e;
  text += exponent < 0 ? '-' : '+';
  const std::string number = std::to_string(std::abs(exponent));
  return text + (number.size() < 2 ? "0" : "") + number;
}

// The shortest digits, filled up with zeros to the point.
std::string ShortestPositional(double value) {
  const Decimal decimal = ToDecimal(value, -1);
  const int count = static_cast<int>(decimal.digits.size());
  std::string text = decimal.digits;
  if (decimal.point >= count) {
    text.append(static_cast<std::size_t>(decimal.point - count), '0');
  } else if (decimal.point > 0) {
    text.insert(static_cast<std::size_t>(decimal.point), ".");
  } else {
    text.insert(0, static_cast<std::size_t>(-decimal.point), '0');
    text.insert(0, "0.");
  }
  return text;
}

std::string Positional(double value, int precision) {
  if (precision < 0) return ShortestPositional(value);
  std::array<char, 1500> text;
  const std::to_chars_result end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed,
                    std::min(precision, 1100));
  return std::string(text.data(), end.ptr);
}

std::string General(double value, int precision, char verb) {
  const bool shortest = precision < 0;
  if (precision == 0) precision = 1;
  Decimal decimal = ToDecimal(value, shortest ? -1 : precision - 1);
  while (decimal.digits.size() > 1 && decimal.digits.back() == '0') decimal.digits.pop_back();
  const int count = static_cast<int>(decimal.digits.size());
  int limit = precision;
  if (limit > count && count >= decimal.point) limit = count;
  if (shortest) limit = 6;
  const int exponent = decimal.point - 1;
  if (exponent < -4 || exponent >= limit) {
    return Scientific(decimal, count - 1, verb == 'G' ? 'E' : 'e');
  }
  return Positional(value, shortest ? -1 : std::max(count - decimal.point, 0));
}

std::string HexFloat(double value, int precision, bool upper) {
  std::array<char, 1200> text;
  const std::to_chars_result end =
      precision < 0
          ? std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::hex)
          : std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::hex,
                          std::min(precision, 1000));
  std::string result = "0x" + std::string(text.data(), end.ptr);
  // Go writes exponents with two digits at least.
  const std::size_t sign = result.find('p') + 1;
  if (result.size() - sign < 3) result.insert(sign + 1, "0");
  if (upper) std::ranges::transform(result, result.begin(), ::toupper);
  return result;
}

}  // namespace

std::optional<std::int64_t> ParseInteger(std::string_view text, int base) {
  bool negative = false;
  if (text.starts_with('-') || text.starts_with('+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  std::string digits(text);
  if (base == 0) {
    const std::size_t whole = text.size();
    base = TakeBase(text);
    const std::optional<std::string> clean = WithoutUnderscores(text, text.size() < whole);
    if (!clean) return std::nullopt;
    digits = *clean;
  }
  if (digits.empty() || digits[0] == '-' || digits[0] == '+') return std::nullopt;
  std::uint64_t magnitude = 0;
  const std::from_chars_result end =
      std::from_chars(digits.data(), digits.data() + digits.size(), magnitude, base);
  if (end.ec != std::errc() || end.ptr != digits.data() + digits.size()) return std::nullopt;
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (magnitude > kMax + (negative ? 1 : 0)) return std::nullopt;
  return static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude);
}

std::optional<double> ParseFloat(std::string_view text) {
  bool negative = false;
  if (text.starts_with('-') || text.starts_with('+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  if (hex) text.remove_prefix(2);
  const std::optional<std::string> digits = WithoutUnderscores(text, hex);
  if (!digits || digits->empty() || (*digits)[0] == '-' || (*digits)[0] == '+') return std::nullopt;
  // Go wants an exponent behind hexadecimal digits.
  if (hex && digits->find_first_of("pP") == std::string::npos) return std::nullopt;
  if (digits->contains('(')) return std::nullopt;
  double value = 0;
  const std::from_chars_result end =
      std::from_chars(digits->data(), digits->data() + digits->size(), value,
                      hex ? std::chars_format::hex : std::chars_format::general);
  if (end.ec != std::errc() || end.ptr != digits->data() + digits->size()) return std::nullopt;
  return negative ? -value : value;
}

std::string FormatFloat(double value, char verb, int precision) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Inf" : "+Inf";
  const std::string sign = std::signbit(value) ? "-" : "";
  const double magnitude = std::abs(value);
  switch (verb) {
    case 'e':
    case 'E': {
      const Decimal decimal = ToDecimal(magnitude, precision);
      const int digits = precision < 0 ? static_cast<int>(decimal.digits.size()) - 1 : precision;
      return sign + Scientific(decimal, digits, verb);
    }
    case 'f':
      return sign + Positional(magnitude, precision);
    case 'x':
    case 'X':
      return sign + HexFloat(magnitude, precision, verb == 'X');
    default:
      return sign + General(magnitude, precision, verb);
  }
}

std::string FormatUnsigned(std::uint64_t value, int base, bool upper) {
  std::array<char, 65> text;
  const std::to_chars_result end =
      std::to_chars(text.data(), text.data() + text.size(), value, base);
  std::string result(text.data(), end.ptr);
  if (upper) std::ranges::transform(result, result.begin(), ::toupper);
  return result;
}

}  // namespace escagent::gotemplate
