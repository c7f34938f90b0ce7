#include "esc/eval/call.h"

#include <utility>

namespace escagent::eval {
namespace {

std::string_view KindName(esc::Value::Kind kind) {
  using Kind = esc::Value::Kind;
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return "boolean";
    case Kind::kNumber:
      return "number";
    case Kind::kString:
      return "string";
    case Kind::kArray:
      return "array";
    case Kind::kObject:
      return "object";
  }
  return "value";
}

}  // namespace

bool Call::Require(const Node& value, esc::Value::Kind kind, const Expression& at) {
  if (value.unknown || value.kind == kind) return true;
  scope_.Fail(
      at, "expected " + std::string(KindName(kind)) + ", got " + std::string(KindName(value.kind)));
  return false;
}

NodePtr Call::String(Secret text, bool secret) {
  budget().Spend(text.Size());
  return MakeString(std::move(text), secret, expression_.range);
}

NodePtr Call::Fail(std::string why) {
  scope_.Fail(expression_, std::move(why));
  return Unknown(/*secret=*/false);
}

}  // namespace escagent::eval
