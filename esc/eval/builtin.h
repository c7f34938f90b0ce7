#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "esc/eval/expression.h"
#include "esc/eval/node.h"

namespace escagent::eval {

class Call;

// A function of the definition language. To add one: write its two functions in the builtins_*.cc
// of its group, declare them below, and add a row to the table in builtin.cc.
struct Builtin {
  std::string_view name;  // "fn::join"
  // Seen before anything is evaluated: why the argument can never be right, or nothing.
  std::optional<std::string> (*check)(const Expression& argument);
  NodePtr (*call)(Call& call);
};

// Null when this evaluator does not have the function.
const Builtin* FindBuiltin(std::string_view name);

// For the diagnostic about a function that it does not have.
std::string DescribeUnsupported(std::string_view name);

// builtins_secret.cc
std::optional<std::string> CheckSecret(const Expression& argument);
NodePtr CallSecret(Call& call);

// builtins_text.cc
std::optional<std::string> CheckJoin(const Expression& argument);
NodePtr CallJoin(Call& call);
NodePtr CallToString(Call& call);

// builtins_encoding.cc
NodePtr CallFromBase64(Call& call);
NodePtr CallFromJson(Call& call);
NodePtr CallToBase64(Call& call);
NodePtr CallToJson(Call& call);

}  // namespace escagent::eval
