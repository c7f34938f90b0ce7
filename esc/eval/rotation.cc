#include <utility>

#include "esc/eval/evaluator.h"
#include "esc/json_writer.h"

namespace escagent::eval {
namespace {

using esc::Value;

Value Wrap(const char* function, Value argument) {
  Value::Object call;
  call.emplace_back(function, std::move(argument));
  return Value::MakeObject(std::move(call));
}

Value Escaped(const Value& text) {
  SecretBuilder escaped;
  for (const char c : text.ScalarText()) {
    if (c == '$') escaped.Append('$');
    escaped.Append(c);
  }
  return Value::String(escaped.Finish());
}

}  // namespace

Value ToDefinition(const Value& value) {
  if (value.secret()) {
    if (value.kind() == Value::Kind::kString) {
      return Wrap("fn::secret", Value::String(Secret(value.ScalarText())));
    }
    SecretBuilder json;
    esc::WriteJson(value, {}, json);
    return Wrap("fn::fromJSON", Wrap("fn::secret", Value::String(json.Finish())));
  }
  if (value.kind() == Value::Kind::kString) return Escaped(value);
  if (value.kind() == Value::Kind::kArray) {
    Value::Array elements;
    for (const Value& element : value.elements()) elements.push_back(ToDefinition(element));
    return Value::MakeArray(std::move(elements));
  }
  if (value.kind() == Value::Kind::kObject) {
    Value::Object members;
    for (const auto& [key, member] : value.members()) {
      members.emplace_back(key, ToDefinition(member));
    }
    return Value::MakeObject(std::move(members));
  }
  return value.Clone();
}

}  // namespace escagent::eval
