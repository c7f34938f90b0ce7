#include "agent/template/value.h"

namespace escagent::gotemplate {

Value Value::Bool(bool value) {
  Value result(Kind::kBool);
  result.integer_ = value ? 1 : 0;
  return result;
}

Value Value::Int(std::int64_t value) {
  Value result(Kind::kInt);
  result.integer_ = value;
  return result;
}

Value Value::Int64(std::int64_t value) {
  Value result(Kind::kInt64);
  result.integer_ = value;
  return result;
}

Value Value::Uint8(std::uint8_t value) {
  Value result(Kind::kUint8);
  result.integer_ = value;
  return result;
}

Value Value::Float64(double value) {
  Value result(Kind::kFloat64);
  result.number_ = value;
  return result;
}

Value Value::Text(std::string_view text) {
  Value result(Kind::kString);
  result.text_ = text;
  return result;
}

Value Value::Literal(std::string_view text) {
  Value result = Text(text);
  result.literal_ = true;
  return result;
}

Value Value::Of(List* list) {
  Value result(Kind::kList);
  result.list_ = list;
  return result;
}

Value Value::Of(Map* map) {
  Value result(Kind::kMap);
  result.map_ = map;
  return result;
}

bool Value::Truth() const {
  switch (kind_) {
    case Kind::kNil:
    case Kind::kNilInterface:
      return false;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kInt64:
    case Kind::kUint8:
      return integer_ != 0;
    case Kind::kFloat64:
      return number_ != 0;
    case Kind::kString:
      return !text_.empty();
    case Kind::kList:
      return !list_->items.empty();
    case Kind::kMap:
      return !map_->items.empty();
  }
  return false;
}

std::string_view Value::TypeName() const {
  switch (kind_) {
    case Kind::kNil:
      return "<nil>";
    case Kind::kNilInterface:
      return "interface {}";
    case Kind::kList:
      return gotemplate::TypeName(*list_);
    case Kind::kMap:
      return gotemplate::TypeName(*map_);
    default:
      return KindName();
  }
}

std::string_view Value::KindName() const {
  switch (kind_) {
    case Kind::kNil:
    case Kind::kNilInterface:
      return "invalid";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kInt64:
      return "int64";
    case Kind::kUint8:
      return "uint8";
    case Kind::kFloat64:
      return "float64";
    case Kind::kString:
      return "string";
    case Kind::kList:
      return "slice";
    case Kind::kMap:
      return "map";
  }
  return "invalid";
}

Value List::At(std::size_t index) const {
  const Value& item = items[index];
  return item.IsNil() ? Value::NilInterface() : item;
}

std::string_view TypeName(const List& list) {
  switch (list.element) {
    case Element::kString:
      return "[]string";
    case Element::kInt:
      return "[]int";
    case Element::kList:
      return "[][]interface {}";
    default:
      return "[]interface {}";
  }
}

std::string_view TypeName(const Map& map) {
  return map.element == Element::kString ? "map[string]string" : "map[string]interface {}";
}

}  // namespace escagent::gotemplate
