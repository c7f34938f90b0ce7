#include "esc/eval/builtin.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/strings.h"

namespace escagent::eval {
namespace {

std::optional<std::string> AcceptAny(const Expression&) { return std::nullopt; }

// ESC also has concat, final, open, rotate, split, toYAML and validate.
constexpr std::array<Builtin, 7> kBuiltins = {{
    {"fn::fromBase64", AcceptAny, CallFromBase64},
    {"fn::fromJSON", AcceptAny, CallFromJson},
    {"fn::join", CheckJoin, CallJoin},
    {"fn::secret", CheckSecret, CallSecret},
    {"fn::toBase64", AcceptAny, CallToBase64},
    {"fn::toJSON", AcceptAny, CallToJson},
    {"fn::toString", AcceptAny, CallToString},
}};

}  // namespace

const Builtin* FindBuiltin(std::string_view name) {
  const auto at = std::ranges::find(kBuiltins, name, &Builtin::name);
  return at == kBuiltins.end() ? nullptr : &*at;
}

std::string DescribeUnsupported(std::string_view name) {
  std::vector<std::string_view> names;
  std::string supported;
  std::string hint;
  for (const Builtin& builtin : kBuiltins) {
    names.push_back(builtin.name);
    if (EqualsIgnoreCase(builtin.name, name)) hint = DidYouMean(builtin.name, {{builtin.name}});
    supported += supported.empty() ? "" : ", ";
    supported += builtin.name;
  }
  if (hint.empty()) hint = DidYouMean(name, names);
  return "unsupported function \"" + std::string(name) + "\"" + hint + " (supported are " +
         supported + ")";
}

}  // namespace escagent::eval
