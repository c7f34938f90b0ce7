#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "agent/template/function.h"
#include "agent/template/quote.h"
#include "agent/template/runes.h"

// sprig's functions on whole texts. Positions and lengths are bytes, as there.
namespace escagent::gotemplate {
namespace {

using Map32 = char32_t (*)(char32_t);

Value MapRunes(Call& call, std::string_view text, Map32 map) {
  TextBuilder out(call.heap);
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    out.AppendRune(map(rune.value));
    text.remove_prefix(rune.size);
  }
  return out.Finish();
}

// As string_view::find, but in time linear in both, whatever they are.
std::size_t Find(std::string_view text, std::string_view wanted) {
  if (wanted.empty()) return 0;
  const void* found = memmem(text.data(), text.size(), wanted.data(), wanted.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

std::string_view TrimLeft(std::string_view text, auto&& is_trimmed) {
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    if (!is_trimmed(rune.value)) break;
    text.remove_prefix(rune.size);
  }
  return text;
}

// Where the last character starts.
std::size_t LastRune(std::string_view text) {
  std::size_t at = text.size() - 1;
  while (at > 0 && text.size() - at < 4 && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80) {
    --at;
  }
  return DecodeRune(text.substr(at)).size == text.size() - at ? at : text.size() - 1;
}

std::string_view TrimRight(std::string_view text, auto&& is_trimmed) {
  while (!text.empty()) {
    const std::size_t last = LastRune(text);
    if (!is_trimmed(DecodeRune(text.substr(last)).value)) break;
    text = text.substr(0, last);
  }
  return text;
}

Result<Value> Trim(Call& call) {
  return Value::Text(TrimRight(TrimLeft(call.Text(0), IsSpace), IsSpace));
}

Result<Value> TrimAll(Call& call) {
  std::u32string cut = ToRunes(call.Text(0));
  std::ranges::sort(cut);
  const auto is_cut = [&cut](char32_t rune) { return std::ranges::binary_search(cut, rune); };
  return Value::Text(TrimRight(TrimLeft(call.Text(1), is_cut), is_cut));
}

Result<Value> TrimPrefix(Call& call) {
  std::string_view text = call.Text(1);
  if (text.starts_with(call.Text(0))) text.remove_prefix(call.Text(0).size());
  return Value::Text(text);
}

Result<Value> TrimSuffix(Call& call) {
  std::string_view text = call.Text(1);
  if (text.ends_with(call.Text(0))) text.remove_suffix(call.Text(0).size());
  return Value::Text(text);
}

Result<Value> Upper(Call& call) { return MapRunes(call, call.Text(0), ToUpper); }
Result<Value> Lower(Call& call) { return MapRunes(call, call.Text(0), ToLower); }

Result<Value> NoSpace(Call& call) {
  TextBuilder out(call.heap);
  std::string_view text = call.Text(0);
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    if (!IsSpace(rune.value)) out.AppendRune(rune.value);
    text.remove_prefix(rune.size);
  }
  return out.Finish();
}

Result<Value> Repeat(Call& call) {
  if (call.Integer(0) < 0) return InvalidArgument("strings: negative Repeat count");
  const std::string_view text = call.Text(1);
  TextBuilder out(call.heap);
  if (text.empty()) return out.Finish();
  const std::size_t limit = call.heap.limits().max_memory / text.size() + 1;
  const auto count = static_cast<std::size_t>(call.Integer(0));
  if (count >= limit) {
    call.heap.Allows(call.heap.limits().max_memory + 1);
    return out.Finish();
  }
  for (std::size_t i = 0; i < count; ++i) out.Append(text);
  return out.Finish();
}

Result<Value> Substring(Call& call) {
  const std::string_view text = call.Text(2);
  const auto size = static_cast<std::int64_t>(text.size());
  const std::int64_t start = std::max<std::int64_t>(call.Integer(0), 0);
  std::int64_t end = call.Integer(1);
  if (call.Integer(0) >= 0 && (end < 0 || end > size)) end = size;
  if (start > end || end > size) return InvalidArgument("slice bounds out of range");
  return Value::Text(
      text.substr(static_cast<std::size_t>(start), static_cast<std::size_t>(end - start)));
}

Result<Value> Truncate(Call& call) {
  const std::string_view text = call.Text(1);
  const auto size = static_cast<std::int64_t>(text.size());
  const std::int64_t count = call.Integer(0);
  if (count < 0 && size + count > 0) {
    return Value::Text(text.substr(static_cast<std::size_t>(size + count)));
  }
  if (count >= 0 && size > count)
    return Value::Text(text.substr(0, static_cast<std::size_t>(count)));
  return Value::Text(text);
}

Result<Value> Contains(Call& call) {
  return Value::Bool(Find(call.Text(1), call.Text(0)) != std::string_view::npos);
}
Result<Value> HasPrefix(Call& call) { return Value::Bool(call.Text(1).starts_with(call.Text(0))); }
Result<Value> HasSuffix(Call& call) { return Value::Bool(call.Text(1).ends_with(call.Text(0))); }

Value JoinQuoted(Call& call, std::string (*quote)(std::string_view)) {
  TextBuilder out(call.heap);
  bool first = true;
  for (const Value& value : call.args) {
    if (value.IsNil()) continue;
    if (!first) out.Append(" ");
    first = false;
    out.Append(quote(ToText(value, call.heap)));
  }
  return out.Finish();
}

Result<Value> Quote(Call& call) {
  return JoinQuoted(call, [](std::string_view text) { return GoQuote(text); });
}

Result<Value> SingleQuote(Call& call) {
  return JoinQuoted(call, [](std::string_view text) { return "'" + std::string(text) + "'"; });
}

Result<Value> Cat(Call& call) {
  return JoinQuoted(call, [](std::string_view text) { return std::string(text); });
}

void AppendIndented(std::int64_t spaces, std::string_view text, TextBuilder& out) {
  const auto width = static_cast<std::size_t>(spaces);
  out.Append(width, ' ');
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    out.Append(text.substr(0, end + 1));
    out.Append(width, ' ');
    text.remove_prefix(end + 1);
  }
  out.Append(text);
}

Result<Value> Indented(Call& call, std::string_view before) {
  if (call.Integer(0) < 0) return InvalidArgument("strings: negative Repeat count");
  TextBuilder out(call.heap);
  out.Append(before);
  AppendIndented(call.Integer(0), call.Text(1), out);
  return out.Finish();
}

Result<Value> Indent(Call& call) { return Indented(call, ""); }
Result<Value> NewlineIndent(Call& call) { return Indented(call, "\n"); }

// An empty `old` stands before each character and at the end.
Result<Value> Replace(Call& call) {
  const std::string_view old = call.Text(0);
  std::string_view text = call.Text(2);
  TextBuilder out(call.heap);
  while (old.empty() && !text.empty()) {
    const std::size_t size = DecodeRune(text).size;
    out.Append(call.Text(1));
    out.Append(text.substr(0, size));
    text.remove_prefix(size);
  }
  if (old.empty()) {
    out.Append(call.Text(1));
    return out.Finish();
  }
  for (std::size_t at = Find(text, old); at != std::string_view::npos; at = Find(text, old)) {
    out.Append(text.substr(0, at));
    out.Append(call.Text(1));
    text.remove_prefix(at + old.size());
  }
  out.Append(text);
  return out.Finish();
}

Result<Value> Plural(Call& call) { return call.Integer(2) == 1 ? call[0] : call[1]; }

Result<Value> ToString(Call& call) {
  if (call[0].IsText()) return Value::Text(call.Text(0));
  return call.Make(ToText(call[0], call.heap));
}

// Go's strings.SplitN: `limit` parts at most, all of them when it is negative.
std::vector<std::string_view> SplitText(std::string_view text, std::string_view separator,
                                        std::int64_t limit) {
  std::vector<std::string_view> parts;
  if (limit == 0) return parts;
  while (limit < 0 || static_cast<std::int64_t>(parts.size()) + 1 < limit) {
    const std::size_t at = separator.empty() ? DecodeRune(text).size : Find(text, separator);
    if (at == std::string_view::npos || (separator.empty() && at >= text.size())) break;
    parts.push_back(text.substr(0, at));
    text.remove_prefix(at + separator.size());
  }
  if (!separator.empty() || !text.empty()) parts.push_back(text);
  return parts;
}

Result<Value> SplitList(Call& call) {
  List& list = call.heap.NewList(Element::kString);
  for (const std::string_view part : SplitText(call.Text(1), call.Text(0), -1)) {
    call.heap.Push(list, Value::Text(part));
  }
  return Value::Of(&list);
}

Value SplitMap(Call& call, std::string_view text, std::int64_t limit) {
  Map& map = call.heap.NewMap(Element::kString);
  std::size_t number = 0;
  for (const std::string_view part : SplitText(text, call.Text(0), limit)) {
    const std::string_view key = call.heap.Keep("_" + std::to_string(number++));
    call.heap.Put(map, key, Value::Text(part));
  }
  return Value::Of(&map);
}

Result<Value> SplitText(Call& call) { return SplitMap(call, call.Text(1), -1); }
Result<Value> SplitLimited(Call& call) { return SplitMap(call, call.Text(2), call.Integer(1)); }

// A list of texts of any list, or of one value; nils are left out.
List& Strings(Call& call, const Value& value) {
  List& list = call.heap.NewList(Element::kString);
  const auto add = [&](const Value& item) {
    if (item.IsText()) {
      call.heap.Push(list, item);
    } else if (!item.IsNil()) {
      call.heap.Push(list, call.Make(ToText(item, call.heap)));
    }
  };
  if (value.IsList()) {
    for (const Value& item : value.list().items) add(item);
  } else {
    add(value);
  }
  return list;
}

Result<Value> ToStrings(Call& call) { return Value::Of(&Strings(call, call[0])); }

Result<Value> Join(Call& call) {
  TextBuilder out(call.heap);
  bool first = true;
  for (const Value& item : Strings(call, call[1]).items) {
    if (!first) out.Append(call.Text(0));
    first = false;
    out.Append(item.text());
  }
  return out.Finish();
}

Result<Value> SortAlpha(Call& call) {
  List& list = Strings(call, call[0]);
  std::ranges::sort(list.items, {}, &Value::text);
  return Value::Of(&list);
}

constexpr Function kStringFunctions[] = {
    {"cat", "a*", Cat},
    {"contains", "ss", Contains},
    {"hasPrefix", "ss", HasPrefix},
    {"hasSuffix", "ss", HasSuffix},
    {"indent", "is", Indent},
    {"join", "sa", Join},
    {"lower", "s", Lower},
    {"nindent", "is", NewlineIndent},
    {"nospace", "s", NoSpace},
    {"plural", "ssi", Plural},
    {"quote", "a*", Quote},
    {"repeat", "is", Repeat},
    {"replace", "sss", Replace},
    {"sortAlpha", "a", SortAlpha},
    {"split", "ss", SplitText},
    {"splitList", "ss", SplitList},
    {"splitn", "sis", SplitLimited},
    {"squote", "a*", SingleQuote},
    {"substr", "iis", Substring},
    {"toString", "a", ToString},
    {"toStrings", "a", ToStrings},
    {"trim", "s", Trim},
    {"trimAll", "ss", TrimAll},
    {"trimPrefix", "ss", TrimPrefix},
    {"trimSuffix", "ss", TrimSuffix},
    {"trimall", "ss", TrimAll},
    {"trunc", "is", Truncate},
    {"upper", "s", Upper},
};

}  // namespace

std::span<const Function> StringFunctions() { return kStringFunctions; }

}  // namespace escagent::gotemplate
