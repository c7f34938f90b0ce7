#include <array>
#include <cstdio>
#include <string>

#include "agent/template/format.h"
#include "agent/template/function.h"
#include "agent/template/runes.h"
#include "base/strings.h"

// The functions of text/template itself, but for the comparisons and for slice, which sprig
// replaces.
namespace escagent::gotemplate {
namespace {

Result<Value> Not(Call& call) { return Value::Bool(!call[0].Truth()); }

Result<Value> Len(Call& call) {
  const Value& value = call[0];
  std::size_t length = 0;
  if (value.IsText()) {
    length = value.text().size();
  } else if (value.IsList()) {
    length = value.list().items.size();
  } else if (value.IsMap()) {
    length = value.map().items.size();
  } else if (value.IsNil()) {
    return InvalidArgument("len of nil pointer");
  } else {
    return InvalidArgument("len of type " + std::string(value.TypeName()));
  }
  return Value::Int(static_cast<std::int64_t>(length));
}

Result<Value> IndexMap(const Map& map, const Value& key) {
  if (key.IsNil()) return InvalidArgument("value is nil; should be of type string");
  if (!key.IsText()) {
    return InvalidArgument("value has type " + std::string(key.TypeName()) + "; should be string");
  }
  const auto found = map.items.find(key.text());
  if (found != map.items.end() && !found->second.IsNil()) return found->second;
  return map.element == Element::kString ? Value::Text("") : Value::NilInterface();
}

Result<std::size_t> CheckIndex(const Value& index, std::size_t size) {
  if (index.IsNil()) return InvalidArgument("cannot index slice/array with nil");
  if (!index.IsInteger()) {
    return InvalidArgument("cannot index slice/array with type " + std::string(index.TypeName()));
  }
  if (index.integer() < 0 || index.integer() >= static_cast<std::int64_t>(size)) {
    return InvalidArgument("index out of range: " + std::to_string(index.integer()));
  }
  return static_cast<std::size_t>(index.integer());
}

Result<Value> Index(Call& call) {
  Value item = call[0];
  if (item.IsNil()) return InvalidArgument("index of untyped nil");
  for (const Value& index : call.args.subspan(1)) {
    if (item.IsMap()) {
      ESC_ASSIGN_OR_RETURN(item, IndexMap(item.map(), index));
    } else if (item.IsList()) {
      ESC_ASSIGN_OR_RETURN(const std::size_t at, CheckIndex(index, item.list().items.size()));
      item = item.list().At(at);
    } else if (item.IsText()) {
      ESC_ASSIGN_OR_RETURN(const std::size_t at, CheckIndex(index, item.text().size()));
      item = Value::Uint8(static_cast<std::uint8_t>(item.text()[at]));
    } else if (item.IsNil()) {
      return InvalidArgument("index of nil pointer");
    } else {
      return InvalidArgument("can't index item of type " + std::string(item.TypeName()));
    }
  }
  return item;
}

Result<Value> Print(Call& call) {
  TextBuilder out(call.heap);
  Formatter(out, call.heap).PrintAll(call.args);
  return out.Finish();
}

Result<Value> PrintLine(Call& call) {
  TextBuilder out(call.heap);
  Formatter(out, call.heap).PrintLine(call.args);
  return out.Finish();
}

Result<Value> PrintFormat(Call& call) {
  TextBuilder out(call.heap);
  Formatter(out, call.heap).PrintFormat(call.Text(0), call.args.subspan(1));
  return out.Finish();
}

// What the escaping functions escape: their arguments as print joins them.
std::string Joined(Call& call) {
  if (call.Size() == 1 && call[0].IsText()) return std::string(call.Text(0));
  std::vector<Value> shown;
  for (const Value& value : call.args) {
    shown.push_back(value.IsNil() ? Value::Text("<no value>") : value);
  }
  TextBuilder out(call.heap);
  Formatter(out, call.heap).PrintAll(shown);
  return out.Take();
}

Result<Value> Html(Call& call) {
  TextBuilder out(call.heap);
  for (const char c : Joined(call)) {
    switch (c) {
      case '\0':
        out.AppendRune(kBadRune);
        break;
      case '"':
        out.Append("&#34;");
        break;
      case '\'':
        out.Append("&#39;");
        break;
      case '&':
        out.Append("&amp;");
        break;
      case '<':
        out.Append("&lt;");
        break;
      case '>':
        out.Append("&gt;");
        break;
      default:
        out.Append(1, c);
    }
  }
  return out.Finish();
}

void AppendJs(const Rune& rune, TextBuilder& out) {
  const char32_t value = rune.value;
  if (value == '\\' || value == '\'' || value == '"') {
    out.Append(1, '\\');
    out.AppendRune(value);
  } else if (value < ' ' || value == '<' || value == '>' || value == '&' || value == '=' ||
             (value >= 0x80 && !IsPrint(value))) {
    std::array<char, 16> escaped;
    std::snprintf(escaped.data(), escaped.size(), "\\u%04X", static_cast<unsigned>(value));
    out.Append(escaped.data());
  } else {
    out.AppendRune(value);
  }
}

Result<Value> Js(Call& call) {
  TextBuilder out(call.heap);
  const std::string joined = Joined(call);
  std::string_view text = joined;
  while (!text.empty()) {
    const Rune rune = DecodeRune(text);
    AppendJs(rune, out);
    text.remove_prefix(rune.size);
  }
  return out.Finish();
}

// UrlEncode leaves the same characters alone; only the space differs.
Result<Value> UrlQuery(Call& call) {
  TextBuilder out(call.heap);
  const std::string encoded = UrlEncode(Joined(call));
  std::string_view rest = encoded;
  for (std::size_t at = rest.find("%20"); at != std::string_view::npos; at = rest.find("%20")) {
    out.Append(rest.substr(0, at));
    out.Append("+");
    rest.remove_prefix(at + 3);
  }
  out.Append(rest);
  return out.Finish();
}

// No value of a template is a function.
Result<Value> CallFunction(Call& call) {
  if (call[0].IsNil()) return InvalidArgument("call of nil");
  return InvalidArgument("non-function of type " + std::string(call[0].TypeName()));
}

constexpr Function kBuiltinFunctions[] = {
    {"and", "vv*", nullptr},
    {"call", "vv*", CallFunction},
    {"html", "a*", Html},
    {"index", "vv*", Index},
    {"js", "a*", Js},
    {"len", "v", Len},
    {"not", "v", Not},
    {"or", "vv*", nullptr},
    {"print", "a*", Print},
    {"printf", "sa*", PrintFormat},
    {"println", "a*", PrintLine},
    {"urlquery", "a*", UrlQuery},
};

}  // namespace

std::span<const Function> BuiltinFunctions() { return kBuiltinFunctions; }

}  // namespace escagent::gotemplate
