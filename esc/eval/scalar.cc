#include "esc/eval/scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

#include "base/ascii.h"
#include "base/yaml_events.h"

namespace escagent::eval {
namespace {

template <std::size_t N>
bool IsOneOf(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

// The parts of "[-+] digits [. digits] [e [-+] digits]", all views into the text.
struct Decimal {
  std::string_view sign;
  std::string_view integer;
  std::string_view fraction;
  std::string_view exponent;  // with its "e"
};

std::string_view TakeDigits(std::string_view& rest) {
  const auto end = std::find_if_not(rest.begin(), rest.end(), IsDigit);
  const std::string_view digits = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
  rest.remove_prefix(digits.size());
  return digits;
}

// Nothing unless the whole text is a decimal number with at least one digit before the exponent.
std::optional<Decimal> ParseDecimal(std::string_view rest) {
  Decimal decimal;
  if (rest.starts_with('-') || rest.starts_with('+')) {
    decimal.sign = rest.substr(0, 1);
    rest.remove_prefix(1);
  }
  decimal.integer = TakeDigits(rest);
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    decimal.fraction = TakeDigits(rest);
  }
  if (decimal.integer.empty() && decimal.fraction.empty()) return std::nullopt;
  if (rest.starts_with('e') || rest.starts_with('E')) {
    const std::string_view exponent = rest;
    rest.remove_prefix(1);
    if (rest.starts_with('-') || rest.starts_with('+')) rest.remove_prefix(1);
    if (TakeDigits(rest).empty()) return std::nullopt;
    decimal.exponent = exponent.substr(0, exponent.size() - rest.size());
  }
  if (!rest.empty()) return std::nullopt;
  return decimal;
}

// The same number in JSON's spelling: no plus sign, no leading zeros, a digit around the point.
std::string ToJsonNumber(const Decimal& decimal) {
  std::string out;
  if (decimal.sign == "-") out += '-';
  const std::size_t first = decimal.integer.find_first_not_of('0');
  out += first == std::string_view::npos ? std::string_view("0") : decimal.integer.substr(first);
  if (!decimal.fraction.empty()) {
    out += '.';
    out += decimal.fraction;
  }
  return out.append(decimal.exponent);
}

// Integers with a base prefix. "017" is octal, as in Go's strconv.ParseInt with base 0.
std::optional<std::string> ParsePrefixedInteger(std::string_view text) {
  std::string out;
  if (text.starts_with('-') || text.starts_with('+')) {
    if (text.front() == '-') out += '-';
    text.remove_prefix(1);
  }
  if (text.size() < 2 || text.front() != '0') return std::nullopt;
  int base = 8;
  std::size_t prefix = 2;
  switch (text[1]) {
    case 'x':
    case 'X':
      base = 16;
      break;
    case 'b':
    case 'B':
      base = 2;
      break;
    case 'o':
    case 'O':
      break;
    default:
      prefix = 1;
  }
  text.remove_prefix(prefix);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value == 0) return "0";
  return out + std::to_string(value);
}

}  // namespace

Scalar ResolvePlainScalar(std::string_view text) {
  static constexpr std::array<std::string_view, 3> kTrue = {"true", "True", "TRUE"};
  static constexpr std::array<std::string_view, 3> kFalse = {"false", "False", "FALSE"};
  static constexpr std::array<std::string_view, 12> kNotFinite = {
      ".nan",  ".NaN",  ".NAN",  ".inf",  ".Inf",  ".INF",
      "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"};
  if (IsYamlNull(text)) return {.kind = Scalar::Kind::kNull, .text = ""};
  if (IsOneOf(text, kTrue)) {
    return {.kind = Scalar::Kind::kBool, .boolean = true, .text = std::string(text)};
  }
  if (IsOneOf(text, kFalse)) {
    return {.kind = Scalar::Kind::kBool, .text = std::string(text)};
  }
  if (IsOneOf(text, kNotFinite)) {
    return {.kind = Scalar::Kind::kNotANumber, .text = std::string(text)};
  }
  Scalar string{.kind = Scalar::Kind::kString, .text = std::string(text)};
  const char first = text.front();
  if (!IsDigit(first) && first != '-' && first != '+' && first != '.') return string;

  std::string digits(text);
  // yaml.v3 takes ".5" as a float, but groups digits only in numbers that begin with one.
  if (first != '.') std::erase(digits, '_');
  if (auto integer = ParsePrefixedInteger(digits)) {
    return {.kind = Scalar::Kind::kNumber, .text = *std::move(integer)};
  }
  if (const auto decimal = ParseDecimal(digits)) {
    return {.kind = Scalar::Kind::kNumber, .text = ToJsonNumber(*decimal)};
  }
  return string;
}

}  // namespace escagent::eval
