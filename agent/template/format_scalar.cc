#include <algorithm>
#include <cmath>
#include <string>

#include "agent/template/format.h"
#include "agent/template/number.h"
#include "agent/template/quote.h"
#include "agent/template/runes.h"

namespace escagent::gotemplate {

void Formatter::Pad(std::string_view text, bool zero_allowed) {
  const std::size_t size = flags_.has_width ? CountRunes(text) : 0;
  const std::size_t padding = flags_.width > size && flags_.has_width ? flags_.width - size : 0;
  const bool zeros = flags_.zero && !flags_.minus && zero_allowed;
  if (!flags_.minus) out_.Append(padding, zeros ? '0' : ' ');
  out_.Append(text);
  if (flags_.minus) out_.Append(padding, ' ');
}

std::string_view Formatter::Truncate(std::string_view text) const {
  if (!flags_.has_precision) return text;
  std::size_t size = 0;
  for (std::size_t n = 0; n < flags_.precision && size < text.size(); ++n) {
    size += DecodeRune(text.substr(size)).size;
  }
  return text.substr(0, size);
}

void Formatter::FormatText(std::string_view text, const Value& value, char32_t verb) {
  switch (verb) {
    case 'v':
    case 's':
      if (verb == 'v' && flags_.sharp_v) {
        Pad(GoQuote(Truncate(text)));
      } else {
        Pad(Truncate(text));
      }
      break;
    case 'x':
    case 'X':
      FormatHexText(text, verb == 'X');
      break;
    case 'q': {
      const std::string_view shown = Truncate(text);
      Pad(flags_.sharp && CanBackquote(shown) ? "`" + std::string(shown) + "`"
                                              : GoQuote(shown, flags_.plus));
      break;
    }
    default:
      BadVerb(value, verb);
  }
}

void Formatter::FormatHexText(std::string_view text, bool upper) {
  const std::string_view digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  const std::string_view prefix = upper ? "0X" : "0x";
  if (flags_.has_precision) text = text.substr(0, flags_.precision);
  std::string hex;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool first = hex.empty();
    if (!first && flags_.space) hex += ' ';
    if (flags_.sharp && (first || flags_.space)) hex += prefix;
    hex += digits[byte >> 4];
    hex += digits[byte & 0xFU];
  }
  Pad(hex);
}

void Formatter::FormatInteger(const Value& value, char32_t verb) {
  const std::int64_t integer = value.integer();
  const bool negative = integer < 0;
  const auto bits = static_cast<std::uint64_t>(integer);
  const std::uint64_t magnitude = negative ? 0 - bits : bits;
  const auto character = static_cast<char32_t>(bits > 0x10FFFF ? kBadRune : bits);
  switch (verb) {
    case 'v':
      if (flags_.sharp_v && value.kind() == Value::Kind::kUint8) {
        flags_.sharp = true;
        FormatDigits(magnitude, negative, 16, verb);
        flags_.sharp = false;
        break;
      }
      [[fallthrough]];
    case 'd':
      FormatDigits(magnitude, negative, 10, verb);
      break;
    case 'b':
      FormatDigits(magnitude, negative, 2, verb);
      break;
    case 'o':
    case 'O':
      FormatDigits(magnitude, negative, 8, verb);
      break;
    case 'x':
    case 'X':
      FormatDigits(magnitude, negative, 16, verb);
      break;
    case 'c': {
      std::string text;
      AppendRune(character, text);
      Pad(text);
      break;
    }
    case 'q':
      Pad(GoQuoteRune(character, flags_.plus));
      break;
    case 'U':
      FormatCodePoint(bits);
      break;
    default:
      BadVerb(value, verb);
  }
}

void Formatter::FormatDigits(std::uint64_t magnitude, bool negative, int base, char32_t verb) {
  const bool has_sign = negative || flags_.plus || flags_.space;
  std::size_t digits = 0;
  if (flags_.has_precision) {
    digits = flags_.precision;
    if (digits == 0 && magnitude == 0) {
      out_.Append(flags_.has_width ? flags_.width : 0, ' ');
      return;
    }
  } else if (flags_.zero && !flags_.minus && flags_.has_width) {
    digits = flags_.width - (has_sign && flags_.width > 0 ? 1 : 0);
  }
  if (!heap_.Allows(digits)) return;
  std::string text = FormatUnsigned(magnitude, base, verb == 'X');
  if (text.size() < digits) text.insert(0, digits - text.size(), '0');
  if (flags_.sharp) {
    if (base == 2) text.insert(0, "0b");
    if (base == 8 && text[0] != '0') text.insert(0, "0");
    if (base == 16) text.insert(0, verb == 'X' ? "0X" : "0x");
  }
  if (verb == 'O') text.insert(0, "0o");
  if (has_sign) text.insert(0, negative ? "-" : flags_.plus ? "+" : " ");
  Pad(text, false);
}

// U+0078, and with # the character too.
void Formatter::FormatCodePoint(std::uint64_t value) {
  const std::size_t digits = flags_.has_precision ? std::max<std::size_t>(flags_.precision, 4) : 4;
  if (!heap_.Allows(digits)) return;
  std::string text = FormatUnsigned(value, 16, true);
  if (text.size() < digits) text.insert(0, digits - text.size(), '0');
  text.insert(0, "U+");
  if (flags_.sharp && value <= 0x10FFFF && IsPrint(static_cast<char32_t>(value))) {
    text += " '";
    AppendRune(static_cast<char32_t>(value), text);
    text += "'";
  }
  Pad(text, false);
}

void Formatter::FormatFloating(const Value& value, char32_t verb) {
  int precision = -1;
  char format = static_cast<char>(verb);
  switch (verb) {
    case 'v':
      format = 'g';
      break;
    case 'g':
    case 'G':
    case 'x':
    case 'X':
      break;
    case 'f':
    case 'e':
    case 'E':
      precision = 6;
      break;
    case 'F':
      format = 'f';
      precision = 6;
      break;
    default:
      BadVerb(value, verb);
      return;
  }
  // More digits than a float64 can have are zeros, which nobody needs.
  if (flags_.has_precision)
    precision = static_cast<int>(std::min<std::size_t>(flags_.precision, 1000));
  std::string text = FormatFloat(value.number(), format, precision);
  const bool finite = std::isfinite(value.number());
  const bool has_sign = text.starts_with('-') || text.starts_with('+');
  std::string sign = has_sign ? text.substr(0, 1) : "+";
  text.erase(0, has_sign ? 1 : 0);
  if (sign == "+" && !flags_.plus) {
    // An infinity keeps its sign.
    if (flags_.space) {
      sign = " ";
    } else if (!std::isinf(value.number())) {
      sign.clear();
    }
  }
  if (finite && flags_.zero && !flags_.minus && flags_.has_width &&
      flags_.width > text.size() + sign.size()) {
    out_.Append(sign);
    out_.Append(flags_.width - text.size() - sign.size(), '0');
    out_.Append(text);
    return;
  }
  Pad(sign + text, finite);
}

}  // namespace escagent::gotemplate
