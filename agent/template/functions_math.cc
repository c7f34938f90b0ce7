#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "agent/template/cast.h"
#include "agent/template/function.h"
#include "agent/template/number.h"

// sprig's arithmetic. Integers are int64 and wrap around; what is no number counts as 0.
namespace escagent::gotemplate {
namespace {

// Unsigned, as overflow of signed integers is undefined in C++ and wraps in Go.
std::uint64_t Bits(const Value& value) { return static_cast<std::uint64_t>(CastToInteger(value)); }
Value FromBits(std::uint64_t bits) { return Value::Int64(static_cast<std::int64_t>(bits)); }

Result<Value> Add(Call& call) {
  std::uint64_t sum = 0;
  for (const Value& value : call.args) sum += Bits(value);
  return FromBits(sum);
}

Result<Value> AddOne(Call& call) { return FromBits(Bits(call[0]) + 1); }
Result<Value> Subtract(Call& call) { return FromBits(Bits(call[0]) - Bits(call[1])); }

Result<Value> Multiply(Call& call) {
  std::uint64_t product = 1;
  for (const Value& value : call.args) product *= Bits(value);
  return FromBits(product);
}

Result<Value> Divide(Call& call) {
  const std::int64_t divisor = CastToInteger(call[1]);
  if (divisor == 0) return InvalidArgument("runtime error: integer divide by zero");
  if (divisor == -1) return FromBits(0 - Bits(call[0]));
  return Value::Int64(CastToInteger(call[0]) / divisor);
}

Result<Value> Modulo(Call& call) {
  const std::int64_t divisor = CastToInteger(call[1]);
  if (divisor == 0) return InvalidArgument("runtime error: integer divide by zero");
  return Value::Int64(divisor == -1 ? 0 : CastToInteger(call[0]) % divisor);
}

Result<Value> Max(Call& call) {
  std::int64_t result = CastToInteger(call[0]);
  for (const Value& value : call.args) result = std::max(result, CastToInteger(value));
  return Value::Int64(result);
}

Result<Value> Min(Call& call) {
  std::int64_t result = CastToInteger(call[0]);
  for (const Value& value : call.args) result = std::min(result, CastToInteger(value));
  return Value::Int64(result);
}

Result<Value> MaxFloat(Call& call) {
  double result = CastToFloat(call[0]);
  for (const Value& value : call.args) result = std::max(result, CastToFloat(value));
  return Value::Float64(result);
}

Result<Value> MinFloat(Call& call) {
  double result = CastToFloat(call[0]);
  for (const Value& value : call.args) result = std::min(result, CastToFloat(value));
  return Value::Float64(result);
}

Result<Value> Ceil(Call& call) { return Value::Float64(std::ceil(CastToFloat(call[0]))); }
Result<Value> Floor(Call& call) { return Value::Float64(std::floor(CastToFloat(call[0]))); }

// Rounds up from a fraction of 0.5, or of what the third argument says.
Result<Value> Round(Call& call) {
  const double from = call.Size() > 2 ? call[2].number() : 0.5;
  const double power = std::pow(10.0, static_cast<double>(call.Integer(1)));
  const double shifted = power * CastToFloat(call[0]);
  double whole = 0;
  const double fraction = std::modf(shifted, &whole);
  return Value::Float64((fraction >= from ? std::ceil(shifted) : std::floor(shifted)) / power);
}

// sprig adds floats as decimals, so that 0.1 and 0.2 make 0.3.
long double ToDecimal(const Value& value) {
  const std::string text = FormatFloat(CastToFloat(value), 'e', -1);
  long double decimal = 0;
  std::from_chars(text.data(), text.data() + text.size(), decimal);
  return decimal;
}

Value FromDecimal(long double decimal) {
  std::array<char, 64> text;
  const std::to_chars_result end = std::to_chars(text.data(), text.data() + text.size(), decimal,
                                                 std::chars_format::scientific, 16);
  double value = 0;
  std::from_chars(text.data(), end.ptr, value);
  return Value::Float64(value);
}

Result<Value> AddFloat(Call& call) {
  long double sum = 0;
  for (const Value& value : call.args) sum += ToDecimal(value);
  return FromDecimal(sum);
}

Result<Value> AddOneFloat(Call& call) { return FromDecimal(ToDecimal(call[0]) + 1); }

Result<Value> SubtractFloat(Call& call) {
  long double rest = ToDecimal(call[0]);
  for (const Value& value : call.args.subspan(1)) rest -= ToDecimal(value);
  return FromDecimal(rest);
}

Result<Value> MultiplyFloat(Call& call) {
  long double product = 1;
  for (const Value& value : call.args) product *= ToDecimal(value);
  return FromDecimal(product);
}

// A quotient keeps 16 digits behind the point.
long double RoundQuotient(long double quotient) {
  constexpr long double kScale = 1e16L;
  if (!(std::abs(quotient) < 1e3L)) return quotient;
  return std::round(quotient * kScale) / kScale;
}

Result<Value> DivideFloat(Call& call) {
  long double quotient = ToDecimal(call[0]);
  for (const Value& value : call.args.subspan(1)) {
    const long double divisor = ToDecimal(value);
    if (divisor == 0) return InvalidArgument("decimal division by 0");
    quotient = RoundQuotient(quotient / divisor);
  }
  return FromDecimal(quotient);
}

Result<Value> ParseInt(Call& call) {
  return Value::Int(ParseInteger(call.Text(0), 10).value_or(0));
}
Result<Value> ToInt(Call& call) { return Value::Int(CastToInteger(call[0])); }
Result<Value> ToInt64(Call& call) { return Value::Int64(CastToInteger(call[0])); }
Result<Value> ToFloat64(Call& call) { return Value::Float64(CastToFloat(call[0])); }

// The name is sprig's: it reads an octal number.
Result<Value> OctalToDecimal(Call& call) {
  return Value::Int64(ParseInteger(ToText(call[0], call.heap), 8).value_or(0));
}

List& Range(Call& call, std::int64_t start, std::int64_t stop, std::int64_t step) {
  List& list = call.heap.NewList(Element::kInt);
  const bool down = stop < start;
  if (down ? step >= 0 : step <= 0) return list;
  for (std::int64_t i = start; down ? i > stop : i < stop;) {
    if (!call.heap.Spend(1)) break;
    call.heap.Push(list, Value::Int(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return list;
}

Result<Value> Until(Call& call) {
  return Value::Of(&Range(call, 0, call.Integer(0), call.Integer(0) < 0 ? -1 : 1));
}

Result<Value> UntilStep(Call& call) {
  return Value::Of(&Range(call, call.Integer(0), call.Integer(1), call.Integer(2)));
}

// As the program seq: END, START END, or START STEP END.
Result<Value> Sequence(Call& call) {
  if (call.Size() == 0 || call.Size() > 3) return Value::Text("");
  const std::int64_t start = call.Size() == 1 ? 1 : call.Integer(0);
  const std::int64_t end = call.args.back().integer();
  const std::int64_t unit = end < start ? -1 : 1;
  const std::int64_t step = call.Size() == 3 ? call.Integer(1) : unit;
  if (unit < 0 && step > 0) return Value::Text("");
  std::int64_t stop = 0;
  if (__builtin_add_overflow(end, unit, &stop)) stop = end;
  TextBuilder out(call.heap);
  for (const Value& item : Range(call, start, stop, step).items) {
    if (out.Size() > 0) out.Append(" ");
    out.Append(std::to_string(item.integer()));
  }
  return out.Finish();
}

constexpr Function kMathFunctions[] = {
    {"add", "a*", Add},
    {"add1", "a", AddOne},
    {"add1f", "a", AddOneFloat},
    {"addf", "a*", AddFloat},
    {"atoi", "s", ParseInt},
    {"biggest", "aa*", Max},
    {"ceil", "a", Ceil},
    {"div", "aa", Divide},
    {"divf", "aa*", DivideFloat},
    {"float64", "a", ToFloat64},
    {"floor", "a", Floor},
    {"int", "a", ToInt},
    {"int64", "a", ToInt64},
    {"max", "aa*", Max},
    {"maxf", "aa*", MaxFloat},
    {"min", "aa*", Min},
    {"minf", "aa*", MinFloat},
    {"mod", "aa", Modulo},
    {"mul", "aa*", Multiply},
    {"mulf", "aa*", MultiplyFloat},
    {"round", "aif*", Round},
    {"seq", "i*", Sequence},
    {"sub", "aa", Subtract},
    {"subf", "aa*", SubtractFloat},
    {"toDecimal", "a", OctalToDecimal},
    {"until", "i", Until},
    {"untilStep", "iii", UntilStep},
};

}  // namespace

std::span<const Function> MathFunctions() { return kMathFunctions; }

}  // namespace escagent::gotemplate
