#include "agent/template/json_text.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "agent/template/deep.h"
#include "agent/template/number.h"
#include "agent/template/runes.h"
#include "base/json.h"

namespace escagent::gotemplate {
namespace {

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, Heap& heap, TextBuilder& out)
      : style_(style), heap_(heap), out_(out) {}

  void Write(const Value& value, std::size_t depth) {
    if (!Visit(depth, heap_)) return;
    switch (value.kind()) {
      case Value::Kind::kNil:
      case Value::Kind::kNilInterface:
        out_.Append("null");
        break;
      case Value::Kind::kBool:
        out_.Append(value.boolean() ? "true" : "false");
        break;
      case Value::Kind::kFloat64:
        out_.Append(JsonNumber(value.number()));
        break;
      case Value::Kind::kString:
        WriteText(value.text());
        break;
      case Value::Kind::kList:
        WriteList(value.list(), depth);
        break;
      case Value::Kind::kMap:
        WriteMap(value.map(), depth);
        break;
      default:
        out_.Append(std::to_string(value.integer()));
    }
  }

 private:
  // Go escapes what is not UTF-8, and these two line separators always.
  void WriteText(std::string_view text) {
    out_.Append("\"");
    std::size_t plain = 0;
    for (std::size_t at = 0; at < text.size();) {
      const Rune rune = DecodeRune(text.substr(at));
      const bool separator = rune.value == 0x2028 || rune.value == 0x2029;
      if (rune.IsBad() || separator) {
        WritePlain(text.substr(plain, at - plain));
        out_.Append(rune.IsBad() ? "\\ufffd" : rune.value == 0x2028 ? "\\u2028" : "\\u2029");
        plain = at + rune.size;
      }
      at += rune.size;
    }
    WritePlain(text.substr(plain));
    out_.Append("\"");
  }

  void WritePlain(std::string_view text) {
    const std::string quoted = QuoteJson(text, style_.escape_html);
    out_.Append(std::string_view(quoted).substr(1, quoted.size() - 2));
  }

  void NewLine(std::size_t depth) {
    if (!style_.indented) return;
    out_.Append("\n");
    out_.Append(2 * depth, ' ');
  }

  void WriteList(const List& list, std::size_t depth) {
    out_.Append("[");
    for (const Value& item : list.items) {
      if (&item != &list.items.front()) out_.Append(",");
      NewLine(depth + 1);
      Write(item, depth + 1);
    }
    if (!list.items.empty()) NewLine(depth);
    out_.Append("]");
  }

  void WriteMap(const Map& map, std::size_t depth) {
    out_.Append("{");
    bool first = true;
    for (const auto& [key, item] : map.items) {
      if (!first) out_.Append(",");
      first = false;
      NewLine(depth + 1);
      WriteText(key);
      out_.Append(style_.indented ? ": " : ":");
      Write(item, depth + 1);
    }
    if (!first) NewLine(depth);
    out_.Append("}");
  }

  const JsonStyle style_;
  Heap& heap_;
  TextBuilder& out_;
};

}  // namespace

// ParseJson bounds the depth.
Value FromJson(const nlohmann::json& document, Heap& heap) {
  if (document.is_boolean()) return Value::Bool(document.get<bool>());
  if (document.is_number()) return Value::Float64(document.get<double>());
  if (document.is_string()) return heap.Text(std::string(document.get_ref<const std::string&>()));
  if (document.is_array()) {
    List& list = heap.NewList();
    for (const nlohmann::json& item : document) heap.Push(list, FromJson(item, heap));
    return Value::Of(&list);
  }
  if (document.is_object()) {
    Map& map = heap.NewMap();
    for (auto item = document.begin(); item != document.end(); ++item) {
      heap.Put(map, heap.Keep(std::string(item.key())), FromJson(*item, heap));
    }
    return Value::Of(&map);
  }
  return {};
}

void AppendJson(const Value& value, const JsonStyle& style, Heap& heap, TextBuilder& out) {
  JsonWriter(style, heap, out).Write(value, 0);
}

bool HasJsonForm(const Value& value, Heap& heap, std::size_t depth) {
  if (!Visit(depth, heap)) return true;
  const auto has_form = [&](const Value& item) { return HasJsonForm(item, heap, depth + 1); };
  if (value.IsList()) return std::ranges::all_of(value.list().items, has_form);
  if (value.IsMap()) {
    return std::ranges::all_of(value.map().items,
                               [&](const auto& item) { return has_form(item.second); });
  }
  return value.kind() != Value::Kind::kFloat64 || std::isfinite(value.number());
}

std::string JsonNumber(double number) {
  const double size = std::abs(number);
  if (size == 0 || (size >= 1e-6 && size < 1e21)) return FormatFloat(number, 'f', -1);
  std::string text = FormatFloat(number, 'e', -1);
  // 1e-07 becomes 1e-7.
  if (text.size() >= 4 && text[text.size() - 4] == 'e' && text[text.size() - 3] == '-' &&
      text[text.size() - 2] == '0') {
    text.erase(text.size() - 2, 1);
  }
  return text;
}

}  // namespace escagent::gotemplate
