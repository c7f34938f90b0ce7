#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "agent/template/heap.h"
#include "agent/template/value.h"

namespace escagent::gotemplate {

// Go's fmt: how values print, and the verbs of printf. Misuse prints as there, "%!d(string=x)":
// into the output, which is as secret as the value. %p is a misuse, as an address is no data.
class Formatter {
 public:
  Formatter(TextBuilder& out, Heap& heap) : out_(out), heap_(heap) {}

  // As %v of a value.
  void Print(const Value& value);
  // fmt.Sprint: a space between two neighbours of which none is a text.
  void PrintAll(std::span<const Value> values);
  // fmt.Sprintln: a space between all, and a line's end.
  void PrintLine(std::span<const Value> values);
  // fmt.Sprintf.
  void PrintFormat(std::string_view format, std::span<const Value> values);

 private:
  struct Flags {
    bool has_width = false;
    bool has_precision = false;
    bool minus = false;
    bool plus = false;
    bool sharp = false;
    bool space = false;
    bool zero = false;
    bool plus_v = false;   // %+v
    bool sharp_v = false;  // %#v: Go syntax
    std::size_t width = 0;
    std::size_t precision = 0;
  };

  // One directive of a format after the other.
  struct Position {
    std::string_view format;
    std::span<const Value> values;
    std::size_t at = 0;
    std::size_t next_value = 0;
    bool after_index = false;
    bool good_index = true;
    bool reordered = false;
  };

  void ReadFlags(Position& position);
  void ReadIndex(Position& position);
  void ReadWidth(Position& position);
  void ReadPrecision(Position& position);
  void PrintDirective(Position& position);
  void PrintExtra(const Position& position);

  void PrintArgument(const Value& value, char32_t verb);
  void PrintNested(const Value& value, char32_t verb, std::size_t depth);
  void PrintList(const List& list, char32_t verb, std::size_t depth);
  void PrintMap(const Map& map, char32_t verb, std::size_t depth);
  void PrintScalar(const Value& value, char32_t verb);
  void BadVerb(const Value& value, char32_t verb);

  void FormatText(std::string_view text, const Value& value, char32_t verb);
  void FormatHexText(std::string_view text, bool upper);
  void FormatInteger(const Value& value, char32_t verb);
  void FormatDigits(std::uint64_t magnitude, bool negative, int base, char32_t verb);
  void FormatCodePoint(std::uint64_t value);
  void FormatFloating(const Value& value, char32_t verb);
  void Pad(std::string_view text, bool zero_allowed = true);
  std::string_view Truncate(std::string_view text) const;

  TextBuilder& out_;
  Heap& heap_;
  Flags flags_;
};

}  // namespace escagent::gotemplate
