#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/template/deep.h"
#include "agent/template/function.h"
#include "agent/template/json_text.h"
#include "agent/template/number.h"
#include "agent/template/runes.h"
#include "agent/template/yaml_scalar.h"
#include "base/yaml.h"

// ESO's toYaml and fromYaml.
namespace escagent::gotemplate {
namespace {

// A number of a text's digits, 0 when it is none.
std::uint64_t TakeNumber(std::u32string_view text, std::size_t& at) {
  std::uint64_t number = 0;
  for (; at < text.size() && IsDigit(text[at]); ++at) number = number * 10 + (text[at] - '0');
  return number;
}

// go-yaml's order of keys: as texts, but letters behind the rest, and numbers in them by value.
bool ComesBefore(std::string_view left, std::string_view right) {
  const std::u32string a = ToRunes(left);
  const std::u32string b = ToRunes(right);
  bool in_number = false;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i] == b[i]) {
      in_number = IsDigit(a[i]);
      continue;
    }
    if (IsLetter(a[i]) && IsLetter(b[i])) return a[i] < b[i];
    if (IsLetter(a[i]) || IsLetter(b[i])) return in_number == IsLetter(a[i]);
    std::size_t a_end = i;
    std::size_t b_end = i;
    const std::uint64_t a_number = TakeNumber(a, a_end);
    const std::uint64_t b_number = TakeNumber(b, b_end);
    if (a_number != b_number) return a_number < b_number;
    if (a_end != b_end) return a_end < b_end;
    return a[i] < b[i];
  }
  return a.size() < b.size();
}

// Block style, two spaces a level, lists of a mapping not indented.
class YamlWriter {
 public:
  YamlWriter(Heap& heap, TextBuilder& out) : heap_(heap), out_(out) {}

  // `indent` is that of the lines of a collection; its first goes where the writer is.
  void Write(const Value& value, std::size_t indent, std::size_t column, std::size_t depth) {
    if (!Visit(depth, heap_)) return;
    if (value.IsMap() && !value.map().items.empty()) {
      WriteMap(value.map(), indent, depth);
    } else if (value.IsList() && !value.list().items.empty()) {
      WriteList(value.list(), indent, depth);
    } else {
      out_.Append(Scalar(value, indent + 2, column));
    }
  }

 private:
  static std::string Scalar(const Value& value, std::size_t indent, std::size_t column) {
    switch (value.kind()) {
      case Value::Kind::kNil:
      case Value::Kind::kNilInterface:
        return "null";
      case Value::Kind::kBool:
        return value.boolean() ? "true" : "false";
      case Value::Kind::kFloat64:
        return Number(value.number());
      case Value::Kind::kString:
        return FormatYamlText(value.text(), StyleOfYamlText(value.text()), column, indent, true);
      case Value::Kind::kList:
        return "[]";
      case Value::Kind::kMap:
        return "{}";
      default:
        return std::to_string(value.integer());
    }
  }

  static std::string Number(double number) {
    const bool integral = std::trunc(number) == number && std::abs(number) < 0x1p63;
    return FormatFloat(number, integral ? 'f' : 'g', -1);
  }

  void NewLine(std::size_t indent) {
    out_.Append("\n");
    out_.Append(indent, ' ');
  }

  static std::string Key(std::string_view key) {
    const YamlStyle style = StyleOfYamlText(key);
    return FormatYamlText(key, style == YamlStyle::kLiteral ? YamlStyle::kDoubleQuoted : style, 0,
                          0, false);
  }

  void WriteMap(const Map& map, std::size_t indent, std::size_t depth) {
    std::vector<std::pair<std::string_view, Value>> items(map.items.begin(), map.items.end());
    std::ranges::sort(items,
                      [](const auto& a, const auto& b) { return ComesBefore(a.first, b.first); });
    bool first = true;
    for (const auto& [key, item] : items) {
      if (!first) NewLine(indent);
      first = false;
      const std::string name = Key(key);
      out_.Append(name);
      out_.Append(":");
      const bool is_map = item.IsMap() && !item.map().items.empty();
      const bool is_list = item.IsList() && !item.list().items.empty();
      if (is_map || is_list) {
        const std::size_t deeper = is_map ? indent + 2 : indent;
        NewLine(deeper);
        Write(item, deeper, deeper, depth + 1);
      } else {
        out_.Append(" ");
        Write(item, indent, indent + CountRunes(name) + 2, depth + 1);
      }
    }
  }

  void WriteList(const List& list, std::size_t indent, std::size_t depth) {
    for (const Value& item : list.items) {
      if (&item != &list.items.front()) NewLine(indent);
      out_.Append("- ");
      const bool nested = (item.IsMap() && !item.map().items.empty()) ||
                          (item.IsList() && !item.list().items.empty());
      Write(item, nested ? indent + 2 : indent, indent + 2, depth + 1);
    }
  }

  Heap& heap_;
  TextBuilder& out_;
};

Result<Value> ToYaml(Call& call) {
  TextBuilder out(call.heap);
  YamlWriter(call.heap, out).Write(call[0], 0, 0, 0);
  return out.Finish();
}

Value FromNode(const YAML::Node& node, Heap& heap, std::size_t depth);

// What the key << names is added, without touching keys that are there.
void AddMerged(const Value& merged, Map& map, Heap& heap) {
  if (merged.IsList()) {
    for (const Value& item : merged.list().items) {
      if (item.IsMap()) AddMerged(item, map, heap);
    }
  } else if (merged.IsMap()) {
    for (const auto& [key, value] : merged.map().items) {
      if (!map.items.contains(key)) heap.Put(map, key, value);
    }
  }
}

Value FromMapping(const YAML::Node& node, Heap& heap, std::size_t depth) {
  Map& map = heap.NewMap();
  Value merged;
  for (const auto& item : node) {
    const std::string key = item.first.IsScalar() ? item.first.Scalar() : "";
    const Value value = FromNode(item.second, heap, depth + 1);
    if (key == "<<" && item.first.Tag() != "!") {
      merged = value;
    } else {
      heap.Put(map, heap.Keep(std::string(key)), value);
    }
  }
  AddMerged(merged, map, heap);
  return Value::Of(&map);
}

Value FromNode(const YAML::Node& node, Heap& heap, std::size_t depth) {
  if (!Visit(depth, heap)) return {};
  if (node.IsMap()) return FromMapping(node, heap, depth);
  if (node.IsSequence()) {
    List& list = heap.NewList();
    for (const YAML::Node& item : node) heap.Push(list, FromNode(item, heap, depth + 1));
    return Value::Of(&list);
  }
  if (!node.IsScalar()) return {};
  const std::string_view text = heap.Keep(std::string(node.Scalar()));
  // Scalars in quotes have the tag "!" (base/yaml.h).
  return node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str" ? Value::Text(text)
                                                                    : ResolveYamlScalar(text);
}

// A document that is no mapping, or no YAML, is told under the key Error, as ESO does.
Result<Value> FromYaml(Call& call) {
  const Result<YAML::Node> document = ParseYaml(call.Text(0), "the YAML text");
  std::string cause = document ? "the YAML text is not a mapping" : document.error().message;
  if (document && document->IsNull()) return Value::Of(&call.heap.NewMap());
  if (document && document->IsMap()) {
    const Value value = FromNode(*document, call.heap, 0);
    if (HasJsonForm(value, call.heap)) return value;
    cause = "the YAML text has an infinity or NaN";
  }
  Map& failed = call.heap.NewMap();
  call.heap.Put(failed, "Error", call.Make(std::move(cause)));
  return Value::Of(&failed);
}

constexpr Function kYamlFunctions[] = {
    {"fromYaml", "s", FromYaml},
    {"toYaml", "a", ToYaml},
};

}  // namespace

std::span<const Function> YamlFunctions() { return kYamlFunctions; }

}  // namespace escagent::gotemplate
