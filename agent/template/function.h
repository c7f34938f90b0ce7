#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "agent/template/heap.h"
#include "agent/template/value.h"
#include "base/result.h"

namespace escagent::gotemplate {

// The arguments of one call, already checked against the function's parameters, and where its
// result lives.
struct Call {
  std::span<const Value> args;
  Heap& heap;

  std::size_t Size() const { return args.size(); }
  const Value& operator[](std::size_t index) const { return args[index]; }
  std::string_view Text(std::size_t index) const { return args[index].text(); }
  std::int64_t Integer(std::size_t index) const { return args[index].integer(); }
  // Read as by Go: a nil dict is an empty one.
  const Map& Dict(std::size_t index) const;

  Value Make(std::string text) { return heap.Text(std::move(text)); }
  Value MakeStrings(const std::vector<std::string>& texts);
};

// A function of the template language. A body reports what is wrong as INVALID_ARGUMENT; the
// message is put behind "error calling NAME: " and never holds an argument, unless it IsLiteral().
struct Function {
  std::string_view name;
  // One letter a parameter, by its Go type: a interface{}, v reflect.Value, s string, i int,
  // f float64, b bool, m map[string]interface{}. A * at the end repeats the last, also no times.
  std::string_view parameters;
  Result<Value> (*body)(Call& call);
};

// Null when there is none of that name.
const Function* FindFunction(std::string_view name);

// Why a function that sprig has is refused here by name; empty for all others.
std::string_view WhyRefused(std::string_view name);

// The Go type of a parameter's letter.
std::string_view ParameterType(char letter);

// sprig's and fmt's ways to make a text of any value.
std::string ToText(const Value& value, Heap& heap);

// One table for each file of functions.
std::span<const Function> BuiltinFunctions();
std::span<const Function> ComparisonFunctions();
std::span<const Function> StringFunctions();
std::span<const Function> WordFunctions();
std::span<const Function> RegexFunctions();
std::span<const Function> DefaultFunctions();
std::span<const Function> ListFunctions();
std::span<const Function> DictFunctions();
std::span<const Function> MathFunctions();
std::span<const Function> EncodingFunctions();
std::span<const Function> JsonFunctions();
std::span<const Function> YamlFunctions();
std::span<const Function> PathFunctions();
std::span<const Function> PemFunctions();

}  // namespace escagent::gotemplate
