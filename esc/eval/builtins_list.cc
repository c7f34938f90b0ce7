#include <utility>

#include "esc/eval/builtin.h"
#include "esc/eval/call.h"

namespace escagent::eval {
namespace {

// The two elements of a list that was written out; else reports `why`, and both are missing.
void ParsePair(Expression& call, Expression argument, const char* why, Diagnostics& diagnostics) {
  if (argument.kind == Expression::Kind::kArray && argument.elements.size() == 2) {
    call.elements = std::move(argument.elements);
    return;
  }
  AddError(diagnostics, argument.range, argument.path, why);
  for (int i = 0; i < 2; ++i) call.elements.emplace_back().kind = Expression::Kind::kMissing;
}

NodePtr MakeArray(Call& call, std::vector<NodePtr> elements, bool secret) {
  call.budget().Spend(sizeof(Node) + elements.size() * sizeof(NodePtr));
  Node array;
  array.kind = esc::Value::Kind::kArray;
  array.elements = std::move(elements);
  array.secret = secret;
  array.definition = &call.cell();
  array.schema = call.cell().schema;
  return Seal(std::move(array));
}

}  // namespace

void ParseConcat(Expression& call, Expression argument, Diagnostics& diagnostics) {
  if (argument.kind != Expression::Kind::kArray) {
    AddError(diagnostics, argument.range, argument.path,
             "the argument to fn::concat must be an array of arrays");
  }
  call.elements.push_back(std::move(argument));
}

NodePtr CallConcat(Call& call) {
  const auto [arrays, fit] = call.Argument(0, ArraySchema(ArraySchema(AlwaysSchema())));
  if (!fit) return call.Unknown();
  if (arrays->contains_unknown) return call.Unknown(arrays->contains_secret);
  std::vector<NodePtr> elements;
  for (const NodePtr& array : arrays->elements) {
    elements.insert(elements.end(), array->elements.begin(), array->elements.end());
  }
  return MakeArray(call, std::move(elements), arrays->contains_secret);
}

void ParseJoin(Expression& call, Expression argument, Diagnostics& diagnostics) {
  ParsePair(call, std::move(argument), "the argument to fn::join must be a two-valued list",
            diagnostics);
}

NodePtr CallJoin(Call& call) {
  const auto [delimiter, delimiter_fits] = call.Argument(0, TypeSchema("string"));
  const auto [strings, strings_fit] = call.Argument(1, ArraySchema(TypeSchema("string")));
  if (!delimiter_fits || !strings_fit) return call.Unknown();
  const bool secret = delimiter->contains_secret || strings->contains_secret;
  if (delimiter->contains_unknown || strings->contains_unknown) return call.Unknown(secret);
  SecretBuilder text;
  for (std::size_t i = 0; i < strings->elements.size(); ++i) {
    if (i > 0) text.Append(delimiter->Text());
    text.Append(strings->elements[i]->Text());
    if (text.Size() > kMaxValueSize) return call.Fail("the string is longer than 16 MiB");
  }
  return call.String(text.Finish(), secret);
}

void ParseSplit(Expression& call, Expression argument, Diagnostics& diagnostics) {
  ParsePair(call, std::move(argument), "the argument to fn::split must be a two-valued list",
            diagnostics);
}

NodePtr CallSplit(Call& call) {
  const auto [delimiter, delimiter_fits] = call.Argument(0, TypeSchema("string"));
  const auto [string, string_fits] = call.Argument(1, TypeSchema("string"));
  if (!delimiter_fits || !string_fits) return call.Unknown();
  const bool secret = delimiter->contains_secret || string->contains_secret;
  if (delimiter->unknown || string->unknown) return call.Unknown(secret);
  std::vector<NodePtr> parts;
  std::string_view rest = string->Text();
  const std::string_view separator = delimiter->Text();
  const auto add = [&](std::string_view part) {
    call.budget().Spend(sizeof(Node) + part.size());
    Node node;
    node.kind = esc::Value::Kind::kString;
    node.text = std::make_shared<const Secret>(part);
    node.definition = &call.cell();
    node.schema = TypeSchema("string");
    parts.push_back(Seal(std::move(node)));
  };
  while (!call.budget().IsSpent()) {
    // Without a separator, each character is a part.
    std::size_t length = rest.find(separator);
    if (separator.empty()) {
      if (rest.empty()) return MakeArray(call, std::move(parts), secret);
      length = 1;
      while (length < rest.size() && (static_cast<unsigned char>(rest[length]) & 0xC0U) == 0x80U) {
        ++length;
      }
    }
    add(rest.substr(0, length));
    if (length == std::string_view::npos) return MakeArray(call, std::move(parts), secret);
    rest.remove_prefix(length + separator.size());
  }
  return call.Unknown(secret);
}

}  // namespace escagent::eval
