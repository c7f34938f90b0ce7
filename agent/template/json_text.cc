#include "agent/template/json_text.h"

#include <cmath>
#include <string>

#include "agent/template/deep.h"
#include "agent/template/number.h"
#include "agent/template/runes.h"
#include "base/json.h"
#include "base/strings.h"

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
  void WriteText(std::string_view text) {
    if (IsValidUtf8(text)) {
      out_.Append(QuoteJson(text, style_.escape_html));
    } else {
      out_.Append(QuoteJson(ToUtf8(ToRunes(text)), style_.escape_html));
    }
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
