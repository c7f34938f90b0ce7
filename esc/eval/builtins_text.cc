#include <utility>

#include "esc/eval/builtin.h"
#include "esc/eval/call.h"

namespace escagent::eval {
namespace {

// The expression of an element where the array was written out, for its position.
const Expression& ElementSyntax(const Expression& array, std::size_t index) {
  return array.kind == Expression::Kind::kArray ? array.elements[index] : array;
}

}  // namespace

std::optional<std::string> CheckJoin(const Expression& argument) {
  if (argument.kind == Expression::Kind::kArray && argument.elements.size() == 2) {
    return std::nullopt;
  }
  return "the argument to fn::join must be a two-valued list: [delimiter, [strings]]";
}

NodePtr CallJoin(Call& call) {
  const NodePtr delimiter = call.Element(0);
  const NodePtr strings = call.Element(1);
  const Expression& strings_syntax = call.syntax().elements[1];
  bool valid = call.RequireString(*delimiter, call.syntax().elements[0]);
  valid &= call.RequireArray(*strings, strings_syntax);
  for (std::size_t i = 0; i < strings->elements.size(); ++i) {
    valid &= call.RequireString(*strings->elements[i], ElementSyntax(strings_syntax, i));
  }
  const bool secret = delimiter->contains_secret || strings->contains_secret;
  if (!valid || delimiter->contains_unknown || strings->contains_unknown) {
    return call.Unknown(secret);
  }
  SecretBuilder text;
  for (std::size_t i = 0; i < strings->elements.size(); ++i) {
    if (i > 0) text.Append(delimiter->Text());
    text.Append(strings->elements[i]->Text());
    if (text.Size() > kMaxValueSize) return call.Fail("the string is longer than 16 MiB");
  }
  return call.String(text.Finish(), secret);
}

NodePtr CallToString(Call& call) {
  const NodePtr value = call.Argument();
  if (value->contains_unknown) return call.Unknown(value->contains_secret);
  auto text = ToText(*value, kMaxValueSize);
  if (!text) return call.Fail("the string is longer than 16 MiB");
  return call.String(*std::move(text), value->contains_secret);
}

}  // namespace escagent::eval
