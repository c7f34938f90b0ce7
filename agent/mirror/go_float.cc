#include "agent/mirror/go_float.h"

#include <array>
#include <charconv>
#include <cmath>

namespace escagent::mirror {
namespace {

double ReadDouble(std::string_view number) {
  double value = 0;
  // A number that fits no double stays 0; readers of values have refused those.
  std::from_chars(number.data(), number.data() + number.size(), value);
  return value;
}

// The shortest form d.ddde[+-]xx.
std::string Scientific(double value) {
  std::array<char, 64> text;
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific);
  return std::string(text.data(), end);
}

// std::to_chars writes large numbers with all their binary digits, Go with zeros after the shortest
// ones, so the fixed form is made of the scientific one.
std::string Fixed(double value) {
  std::string text = Scientific(value);
  const std::size_t e = text.find('e');
  const int exponent = std::stoi(text.substr(e + 1));
  std::string sign = text.starts_with('-') ? "-" : "";
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  if (exponent < 0) {
    return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  }
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0');
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

}  // namespace

std::string GoFloatText(std::string_view number) {
  const double value = ReadDouble(number);
  if (value == 0) return std::signbit(value) ? "-0" : "0";
  return Fixed(value);
}

std::string GoJsonFloatText(std::string_view number) {
  const double value = ReadDouble(number);
  const double size = std::abs(value);
  if (value == 0 || (size >= 1e-6 && size < 1e21)) return GoFloatText(number);
  std::string text = Scientific(value);
  // Go writes one-digit negative exponents without the zero: 1e-07 is 1e-7.
  const std::size_t zero = text.find("e-0");
  if (zero != std::string::npos) text.erase(zero + 2, 1);
  return text;
}

}  // namespace escagent::mirror
