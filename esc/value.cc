#include "esc/value.h"

#include <algorithm>
#include <map>

namespace escagent::esc {

Value Value::Bool(bool value) {
  Value result;
  result.kind_ = Kind::kBool;
  result.bool_ = value;
  return result;
}

Value Value::Number(Secret text) {
  Value result;
  result.kind_ = Kind::kNumber;
  result.text_ = std::move(text);
  return result;
}

Value Value::String(Secret text) {
  Value result;
  result.kind_ = Kind::kString;
  result.text_ = std::move(text);
  return result;
}

Value Value::MakeArray(Array elements) {
  Value result;
  result.kind_ = Kind::kArray;
  result.array_ = std::move(elements);
  return result;
}

Value Value::MakeObject(Object members) {
  Value result;
  result.kind_ = Kind::kObject;
  // ESC sends keys sorted, so that there is nearly always nothing to do.
  const auto out_of_order = [](const auto& a, const auto& b) { return a.first >= b.first; };
  if (std::ranges::adjacent_find(members, out_of_order) == members.end()) {
    result.object_ = std::move(members);
    return result;
  }
  std::map<std::string, Value> sorted;
  for (auto& [key, value] : members) sorted.insert_or_assign(std::move(key), std::move(value));
  result.object_.reserve(sorted.size());
  while (!sorted.empty()) {
    auto node = sorted.extract(sorted.begin());
    result.object_.emplace_back(std::move(node.key()), std::move(node.mapped()));
  }
  return result;
}

std::string_view Value::ScalarText() const {
  if (kind_ == Kind::kBool) return bool_ ? "true" : "false";
  return text_.Reveal();
}

const Value* Value::Find(std::string_view key) const {
  const auto it = std::ranges::lower_bound(
      object_, key, {}, [](const auto& member) { return std::string_view(member.first); });
  return it != object_.end() && it->first == key ? &it->second : nullptr;
}

void Value::MarkSecret() {
  secret_ = true;
  for (Value& element : array_) element.MarkSecret();
  for (auto& member : object_) member.second.MarkSecret();
}

Value Value::Clone() const {
  Value result;
  result.kind_ = kind_;
  result.bool_ = bool_;
  result.secret_ = secret_;
  result.unknown_ = unknown_;
  result.text_ = text_.Clone();
  result.array_.reserve(array_.size());
  for (const Value& element : array_) result.array_.push_back(element.Clone());
  result.object_.reserve(object_.size());
  for (const auto& [key, value] : object_) result.object_.emplace_back(key, value.Clone());
  return result;
}

bool Value::Equals(const Value& other) const {
  if (kind_ != other.kind_ || bool_ != other.bool_ || secret_ != other.secret_ ||
      unknown_ != other.unknown_ || !text_.Equals(other.text_)) {
    return false;
  }
  return std::ranges::equal(array_, other.array_,
                            [](const Value& a, const Value& b) { return a.Equals(b); }) &&
         std::ranges::equal(object_, other.object_, [](const auto& a, const auto& b) {
           return a.first == b.first && a.second.Equals(b.second);
         });
}

bool Value::ContainsUnknown() const {
  return unknown_ ||
         std::ranges::any_of(array_, [](const Value& v) { return v.ContainsUnknown(); }) ||
         std::ranges::any_of(object_, [](const auto& m) { return m.second.ContainsUnknown(); });
}

}  // namespace escagent::esc
