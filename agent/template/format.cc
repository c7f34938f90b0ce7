#include "agent/template/format.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "agent/template/runes.h"

namespace escagent::gotemplate {
namespace {

// Go's limit for widths and precisions.
constexpr std::size_t kMaxWidth = 1'000'000;

bool IsDigitAt(std::string_view text, std::size_t at) {
  return at < text.size() && text[at] >= '0' && text[at] <= '9';
}

// A number without a sign; nothing when there is none or it is too large.
std::optional<std::size_t> TakeNumber(std::string_view text, std::size_t& at) {
  if (!IsDigitAt(text, at)) return std::nullopt;
  std::size_t number = 0;
  for (; IsDigitAt(text, at); ++at) {
    if (number > kMaxWidth) return std::nullopt;
    number = number * 10 + static_cast<std::size_t>(text[at] - '0');
  }
  return number;
}

// The next argument as a width or precision.
std::optional<std::int64_t> TakeArgument(std::span<const Value> values, std::size_t& next) {
  if (next >= values.size()) return std::nullopt;
  const Value& value = values[next++];
  constexpr auto kLimit = static_cast<std::int64_t>(kMaxWidth);
  if (!value.IsInteger() || value.integer() > kLimit || value.integer() < -kLimit) {
    return std::nullopt;
  }
  return value.integer();
}

}  // namespace

void Formatter::Print(const Value& value) {
  flags_ = {};
  PrintArgument(value, 'v');
}

void Formatter::PrintAll(std::span<const Value> values) {
  bool text_before = true;
  for (const Value& value : values) {
    if (!value.IsText() && !text_before) out_.Append(1, ' ');
    Print(value);
    text_before = value.IsText();
  }
}

void Formatter::PrintLine(std::span<const Value> values) {
  for (const Value& value : values) {
    if (&value != &values.front()) out_.Append(1, ' ');
    Print(value);
  }
  out_.Append(1, '\n');
}

void Formatter::PrintFormat(std::string_view format, std::span<const Value> values) {
  Position position{.format = format, .values = values};
  while (position.at < format.size()) {
    const std::size_t percent = std::min(format.find('%', position.at), format.size());
    out_.Append(format.substr(position.at, percent - position.at));
    position.at = percent;
    if (percent == format.size()) break;
    ++position.at;
    if (!heap_.Spend(1)) return;
    PrintDirective(position);
  }
  if (!position.reordered && position.next_value < values.size()) PrintExtra(position);
}

void Formatter::ReadFlags(Position& position) {
  for (; position.at < position.format.size(); ++position.at) {
    switch (position.format[position.at]) {
      case '#':
        flags_.sharp = true;
        break;
      case '0':
        flags_.zero = true;
        break;
      case '+':
        flags_.plus = true;
        break;
      case '-':
        flags_.minus = true;
        break;
      case ' ':
        flags_.space = true;
        break;
      default:
        return;
    }
  }
}

// [2]: which value comes next.
void Formatter::ReadIndex(Position& position) {
  position.after_index = false;
  if (position.at >= position.format.size() || position.format[position.at] != '[') return;
  position.reordered = true;
  const std::size_t close = position.format.find(']', position.at);
  if (close == std::string_view::npos) {
    position.good_index = false;
    ++position.at;
    return;
  }
  std::size_t at = position.at + 1;
  const std::optional<std::size_t> number = TakeNumber(position.format, at);
  const bool well_formed = number && at == close;
  position.at = close + 1;
  position.after_index = well_formed;
  if (well_formed && *number >= 1 && *number <= position.values.size()) {
    position.next_value = *number - 1;
  } else {
    position.good_index = false;
  }
}

void Formatter::ReadWidth(Position& position) {
  if (position.at < position.format.size() && position.format[position.at] == '*') {
    ++position.at;
    const std::optional<std::int64_t> width = TakeArgument(position.values, position.next_value);
    flags_.has_width = width.has_value();
    if (!width) {
      out_.Append("%!(BADWIDTH)");
      return;
    }
    if (*width < 0) {
      flags_.minus = true;
      flags_.zero = false;
    }
    flags_.width = static_cast<std::size_t>(*width < 0 ? -*width : *width);
    position.after_index = false;
    return;
  }
  const std::optional<std::size_t> width = TakeNumber(position.format, position.at);
  flags_.has_width = width.has_value();
  flags_.width = width.value_or(0);
  if (position.after_index && width) position.good_index = false;
}

void Formatter::ReadPrecision(Position& position) {
  if (position.at + 1 >= position.format.size() || position.format[position.at] != '.') return;
  ++position.at;
  if (position.after_index) position.good_index = false;
  ReadIndex(position);
  flags_.has_precision = true;
  if (position.at < position.format.size() && position.format[position.at] == '*') {
    ++position.at;
    const std::optional<std::int64_t> precision =
        TakeArgument(position.values, position.next_value);
    flags_.has_precision = precision && *precision >= 0;
    flags_.precision = flags_.has_precision ? static_cast<std::size_t>(*precision) : 0;
    if (!flags_.has_precision) out_.Append("%!(BADPREC)");
    position.after_index = false;
    return;
  }
  flags_.precision = TakeNumber(position.format, position.at).value_or(0);
}

// The percent sign is behind.
void Formatter::PrintDirective(Position& position) {
  flags_ = {};
  position.good_index = true;
  ReadFlags(position);
  ReadIndex(position);
  ReadWidth(position);
  ReadPrecision(position);
  if (!position.after_index) ReadIndex(position);
  if (position.at >= position.format.size()) {
    out_.Append("%!(NOVERB)");
    return;
  }
  const Rune verb = DecodeRune(position.format.substr(position.at));
  position.at += verb.size;
  if (verb.value == '%') {
    out_.Append(1, '%');
  } else if (!position.good_index || position.next_value >= position.values.size()) {
    out_.Append("%!");
    out_.AppendRune(verb.value);
    out_.Append(position.good_index ? "(MISSING)" : "(BADINDEX)");
  } else {
    if (verb.value == 'v') {
      flags_.sharp_v = std::exchange(flags_.sharp, false);
      flags_.plus_v = std::exchange(flags_.plus, false);
    }
    PrintArgument(position.values[position.next_value++], verb.value);
  }
}

void Formatter::PrintExtra(const Position& position) {
  flags_ = {};
  out_.Append("%!(EXTRA ");
  for (std::size_t i = position.next_value; i < position.values.size(); ++i) {
    if (i > position.next_value) out_.Append(", ");
    const Value& value = position.values[i];
    if (value.IsNil()) {
      out_.Append("<nil>");
    } else {
      out_.Append(value.TypeName());
      out_.Append(1, '=');
      PrintArgument(value, 'v');
    }
  }
  out_.Append(1, ')');
}

void Formatter::PrintArgument(const Value& value, char32_t verb) {
  if (value.IsNil()) {
    if (verb == 'T' || verb == 'v') {
      Pad("<nil>");
    } else {
      BadVerb(value, verb);
    }
  } else if (verb == 'T') {
    Pad(Truncate(value.TypeName()));
  } else {
    PrintNested(value, verb, 0);
  }
}

void Formatter::PrintNested(const Value& value, char32_t verb, std::size_t depth) {
  if (depth > heap_.limits().max_depth) {
    heap_.Exhaust("prints a value that is nested too deep, or contains itself");
    return;
  }
  if (!heap_.Spend(1)) return;
  if (value.IsList()) {
    PrintList(value.list(), verb, depth);
  } else if (value.IsMap()) {
    PrintMap(value.map(), verb, depth);
  } else if (value.IsNil()) {
    out_.Append(flags_.sharp_v ? "interface {}(nil)" : "<nil>");
  } else {
    PrintScalar(value, verb);
  }
}

void Formatter::PrintList(const List& list, char32_t verb, std::size_t depth) {
  if (flags_.sharp_v) out_.Append(TypeName(list));
  out_.Append(1, flags_.sharp_v ? '{' : '[');
  bool first = true;
  for (const Value& item : list.items) {
    if (!std::exchange(first, false)) out_.Append(flags_.sharp_v ? ", " : " ");
    PrintNested(item, verb, depth + 1);
  }
  out_.Append(1, flags_.sharp_v ? '}' : ']');
}

void Formatter::PrintMap(const Map& map, char32_t verb, std::size_t depth) {
  out_.Append(flags_.sharp_v ? TypeName(map) : "map");
  out_.Append(1, flags_.sharp_v ? '{' : '[');
  bool first = true;
  for (const auto& [key, item] : map.items) {
    if (!std::exchange(first, false)) out_.Append(flags_.sharp_v ? ", " : " ");
    PrintNested(Value::Text(key), verb, depth + 1);
    out_.Append(1, ':');
    PrintNested(item, verb, depth + 1);
  }
  out_.Append(1, flags_.sharp_v ? '}' : ']');
}

void Formatter::PrintScalar(const Value& value, char32_t verb) {
  switch (value.kind()) {
    case Value::Kind::kBool:
      if (verb == 't' || verb == 'v') {
        Pad(value.boolean() ? "true" : "false");
      } else {
        BadVerb(value, verb);
      }
      break;
    case Value::Kind::kString:
      FormatText(value.text(), value, verb);
      break;
    case Value::Kind::kFloat64:
      FormatFloating(value, verb);
      break;
    default:
      FormatInteger(value, verb);
  }
}

void Formatter::BadVerb(const Value& value, char32_t verb) {
  out_.Append("%!");
  out_.AppendRune(verb);
  out_.Append(1, '(');
  if (value.IsNil()) {
    out_.Append("<nil>");
  } else {
    out_.Append(value.TypeName());
    out_.Append(1, '=');
    PrintNested(value, 'v', 0);
  }
  out_.Append(1, ')');
}

}  // namespace escagent::gotemplate
