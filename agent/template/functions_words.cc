#include <algorithm>
#include <string>
#include <string_view>

#include "agent/template/function.h"
#include "agent/template/runes.h"
#include "agent/template/word_case.h"

// sprig's functions on the words of a text.
namespace escagent::gotemplate {
namespace {

// The first character of each word changed by `map`; a word starts behind a character of which
// `separates` is true.
Value MapFirst(Call& call, std::string_view text, bool (*separates)(char32_t),
               char32_t (*map)(char32_t)) {
  TextBuilder out(call.heap);
  bool first = true;
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    const bool separator = separates(rune.value);
    out.AppendRune(first && !separator ? map(rune.value) : rune.value);
    first = separator;
    text.remove_prefix(rune.size);
  }
  return out.Finish();
}

// Go's deprecated strings.Title.
bool SeparatesTitle(char32_t rune) {
  if (rune < 0x80) return !IsLetter(rune) && !IsDigit(rune) && rune != '_';
  return IsSpace(rune);
}

Result<Value> Title(Call& call) { return MapFirst(call, call.Text(0), SeparatesTitle, ToUpper); }
Result<Value> Untitle(Call& call) { return MapFirst(call, call.Text(0), IsSpace, ToLower); }

Result<Value> Initials(Call& call) {
  TextBuilder out(call.heap);
  bool first = true;
  for (const char c : call.Text(0)) {
    const auto byte = static_cast<unsigned char>(c);
    if (!IsSpace(byte) && first) out.AppendRune(byte);
    first = IsSpace(byte);
  }
  return out.Finish();
}

Result<Value> SwapCase(Call& call) {
  TextBuilder out(call.heap);
  std::string_view text = call.Text(0);
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    out.AppendRune(IsUpper(rune.value) ? ToLower(rune.value) : ToUpper(rune.value));
    text.remove_prefix(rune.size);
  }
  return out.Finish();
}

Result<Value> SnakeCase(Call& call) { return call.Make(SeparateWords(call.Text(0), '_')); }
Result<Value> KebabCase(Call& call) { return call.Make(SeparateWords(call.Text(0), '-')); }
Result<Value> CamelCase(Call& call) { return call.Make(JoinWords(call.Text(0))); }

// Lines of `width` bytes at most, broken at spaces; longer words are cut when `cuts`.
Value WrapText(Call& call, std::string_view text, std::int64_t width, std::string_view line_end,
               bool cuts) {
  const auto size = static_cast<std::size_t>(std::max<std::int64_t>(width, 1));
  TextBuilder out(call.heap);
  while (text.size() > size) {
    if (text[0] == ' ') {
      text.remove_prefix(1);
      continue;
    }
    std::size_t end = text.substr(0, size + 1).rfind(' ');
    std::size_t next = end + 1;
    if (end == std::string_view::npos && cuts) {
      end = next = size;
    } else if (end == std::string_view::npos) {
      end = text.find(' ', size);
      if (end == std::string_view::npos) break;
      next = end + 1;
    }
    out.Append(text.substr(0, end));
    out.Append(line_end);
    text.remove_prefix(next);
  }
  out.Append(text);
  return out.Finish();
}

Result<Value> Wrap(Call& call) {
  return WrapText(call, call.Text(1), call.Integer(0), "\n", false);
}

Result<Value> WrapWith(Call& call) {
  const std::string_view line_end = call.Text(1).empty() ? "\n" : call.Text(1);
  return WrapText(call, call.Text(2), call.Integer(0), line_end, true);
}

// `width` bytes at most, of which three are dots where something was left out.
Value Abbreviated(Call& call, std::string_view text, std::int64_t offset, std::int64_t width) {
  const auto size = static_cast<std::int64_t>(text.size());
  if (size <= width) return Value::Text(text);
  offset = std::min(offset, size);
  if (size - offset < width - 3) offset = size - (width - 3);
  const auto kept = static_cast<std::size_t>(width - 3);
  TextBuilder out(call.heap);
  if (offset <= 4) {
    out.Append(text.substr(0, kept));
    out.Append("...");
  } else if (width < 7) {
    return Value::Text("");
  } else if (offset + width - 3 < size) {
    out.Append("...");
    out.Append(text.substr(static_cast<std::size_t>(offset), kept - 3));
    out.Append("...");
  } else {
    out.Append("...");
    out.Append(text.substr(text.size() - kept));
  }
  return out.Finish();
}

Result<Value> Abbreviate(Call& call) {
  if (call.Integer(0) < 4) return call[1];
  return Abbreviated(call, call.Text(1), 0, call.Integer(0));
}

Result<Value> AbbreviateBoth(Call& call) {
  const std::int64_t left = call.Integer(0);
  const std::int64_t width = call.Integer(1);
  if (width < 4 || (left > 0 && width < 7)) return call[2];
  return Abbreviated(call, call.Text(2), left, width);
}

constexpr Function kWordFunctions[] = {
    {"abbrev", "is", Abbreviate},  {"abbrevboth", "iis", AbbreviateBoth},
    {"camelcase", "s", CamelCase}, {"initials", "s", Initials},
    {"kebabcase", "s", KebabCase}, {"snakecase", "s", SnakeCase},
    {"swapcase", "s", SwapCase},   {"title", "s", Title},
    {"untitle", "s", Untitle},     {"wrap", "is", Wrap},
    {"wrapWith", "iss", WrapWith},
};

}  // namespace

std::span<const Function> WordFunctions() { return kWordFunctions; }

}  // namespace escagent::gotemplate
