#include "esc/eval/builtin.h"

#include <array>
#include <utility>

namespace escagent::eval {
namespace {

void ParseAny(Expression& call, Expression argument, Diagnostics&) {
  call.elements.push_back(std::move(argument));
}

SchemaPtr Strings() { return TypeSchema("string"); }
SchemaPtr ArrayOfAny() { return ArraySchema(AlwaysSchema()); }
SchemaPtr ArrayOfStrings() { return ArraySchema(TypeSchema("string")); }

constexpr std::array<Builtin, 16> kBuiltins = {{
    {"fn::concat", ParseConcat, CallConcat, ArrayOfAny},
    {"fn::final", ParseAny, CallFinal, AlwaysSchema},
    {"fn::fromBase64", ParseAny, CallFromBase64, Strings},
    {"fn::fromJSON", ParseAny, CallFromJson, AlwaysSchema},
    {"fn::join", ParseJoin, CallJoin, Strings},
    {"fn::open", ParseOpen, CallOpen, AlwaysSchema},
    {"fn::open::", ParseShortOpen, CallOpen, AlwaysSchema},
    {"fn::rotate", ParseRotate, CallRotate, AlwaysSchema},
    {"fn::rotate::", ParseShortRotate, CallRotate, AlwaysSchema},
    {"fn::secret", ParseSecret, CallSecret, Strings},
    {"fn::split", ParseSplit, CallSplit, ArrayOfStrings},
    {"fn::toBase64", ParseAny, CallToBase64, Strings},
    {"fn::toJSON", ParseAny, CallToJson, Strings},
    {"fn::toString", ParseAny, CallToString, Strings},
    {"fn::toYAML", ParseAny, CallToYaml, Strings},
    {"fn::validate", ParseValidate, CallValidate, AlwaysSchema},
}};

}  // namespace

const Builtin* FindBuiltin(std::string_view name) {
  for (const Builtin& builtin : kBuiltins) {
    if (builtin.name.ends_with("::") ? name.starts_with(builtin.name) : name == builtin.name) {
      return &builtin;
    }
  }
  return nullptr;
}

}  // namespace escagent::eval
