#pragma once

#include <string_view>

#include "esc/eval/expression.h"
#include "esc/eval/node.h"
#include "esc/eval/schema.h"

namespace escagent::eval {

class Call;

// A function of the definition language. To add one: write its two functions in the builtins_*.cc
// of its group, declare them below, and add a row to the table in builtin.cc.
struct Builtin {
  std::string_view name;  // "fn::join"; a prefix where it ends in "::"
  // Makes the elements of a call of its argument as it was written, and reports what can never be
  // right about it. What is missing is an expression of the kind kMissing.
  void (*parse)(Expression& call, Expression argument, Diagnostics& diagnostics);
  NodePtr (*call)(Call& call);
  // What its result looks like before anything is known of the arguments.
  SchemaPtr (*result)();
};

// Null when there is no such function.
const Builtin* FindBuiltin(std::string_view name);

// builtins_encoding.cc
NodePtr CallFromBase64(Call& call);
NodePtr CallFromJson(Call& call);
NodePtr CallToBase64(Call& call);
NodePtr CallToJson(Call& call);
NodePtr CallToYaml(Call& call);

// builtins_list.cc
void ParseConcat(Expression& call, Expression argument, Diagnostics& diagnostics);
NodePtr CallConcat(Call& call);
void ParseJoin(Expression& call, Expression argument, Diagnostics& diagnostics);
NodePtr CallJoin(Call& call);
void ParseSplit(Expression& call, Expression argument, Diagnostics& diagnostics);
NodePtr CallSplit(Call& call);

// builtins_provider.cc
void ParseOpen(Expression& call, Expression argument, Diagnostics& diagnostics);
void ParseShortOpen(Expression& call, Expression argument, Diagnostics& diagnostics);
NodePtr CallOpen(Call& call);
void ParseRotate(Expression& call, Expression argument, Diagnostics& diagnostics);
void ParseShortRotate(Expression& call, Expression argument, Diagnostics& diagnostics);
NodePtr CallRotate(Call& call);

// builtins_value.cc
NodePtr CallFinal(Call& call);
void ParseSecret(Expression& call, Expression argument, Diagnostics& diagnostics);
NodePtr CallSecret(Call& call);
NodePtr CallToString(Call& call);
void ParseValidate(Expression& call, Expression argument, Diagnostics& diagnostics);
NodePtr CallValidate(Call& call);

}  // namespace escagent::eval
