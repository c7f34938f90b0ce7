#include "agent/template/cast.h"

#include <cmath>
#include <limits>
#include <string_view>

#include "agent/template/number.h"

namespace escagent::gotemplate {
namespace {

// "3.00" counts as "3".
std::string_view WithoutZeroFraction(std::string_view text) {
  const std::size_t last = text.find_last_not_of('0');
  const bool zero_fraction =
      last != std::string_view::npos && text[last] == '.' && last + 1 < text.size();
  return zero_fraction ? text.substr(0, last) : text;
}

// Go's conversion on amd64: what does not fit is the smallest number.
std::int64_t Truncate(double value) {
  if (!(std::abs(value) < 0x1p63)) return std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(value);
}

}  // namespace

std::int64_t CastToInteger(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kFloat64:
      return Truncate(value.number());
    case Value::Kind::kString:
      return ParseInteger(WithoutZeroFraction(value.text()), 0).value_or(0);
    case Value::Kind::kBool:
      return value.boolean() ? 1 : 0;
    default:
      return value.IsInteger() ? value.integer() : 0;
  }
}

double CastToFloat(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kFloat64:
      return value.number();
    case Value::Kind::kString:
      return ParseFloat(value.text()).value_or(0);
    case Value::Kind::kBool:
      return value.boolean() ? 1 : 0;
    default:
      return value.IsInteger() ? static_cast<double>(value.integer()) : 0;
  }
}

}  // namespace escagent::gotemplate
