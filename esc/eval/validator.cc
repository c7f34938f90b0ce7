#include "esc/eval/validator.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>

#include "esc/eval/go_quote.h"
#include "esc/eval/schema_checker.h"
#include "esc/json_writer.h"

namespace escagent::eval {
namespace {

using Kind = esc::Value::Kind;

// Constants of a schema are no secrets.
std::string JsonOf(const std::vector<NodePtr>& nodes) {
  SecretBuilder json;
  json.Append('[');
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (i > 0) json.Append(',');
    esc::WriteJson(ToValue(*nodes[i]), {.indent = -1, .escape_html = true, .redact_secrets = true},
                   json);
  }
  json.Append(']');
  return std::string(json.Reveal());
}

std::string JsonOf(const NodePtr& node) {
  const std::string list = JsonOf(std::vector<NodePtr>{node});
  return list.substr(1, list.size() - 2);
}

bool EqualsConstant(const Node& value, const Node& constant) {
  if (value.kind != constant.kind) return false;
  switch (constant.kind) {
    case Kind::kNull:
      return true;
    case Kind::kBool:
      return value.boolean == constant.boolean;
    case Kind::kNumber:
    case Kind::kString:
      return value.text->Equals(*constant.text);
    case Kind::kArray:
      return std::ranges::equal(
          value.elements, constant.elements,
          [](const NodePtr& a, const NodePtr& b) { return EqualsConstant(*a, *b); });
    case Kind::kObject:
      return std::ranges::equal(value.members, constant.members,
                                [](const Node::Member& a, const Node::Member& b) {
                                  return a.key == b.key && EqualsConstant(*a.node, *b.node);
                                });
  }
  return false;
}

// The keyword's number; CompileSchema() found it to be one.
long double NumberOf(const std::string& text) { return std::strtold(text.c_str(), nullptr); }

class ValueValidator {
 public:
  ValueValidator(Budget& budget, Diagnostics& diagnostics)
      : budget_(budget), diagnostics_(diagnostics) {}

  bool Check(const Node& value, const Schema& accept) {
    budget_.Spend(64);
    if (accept.always || budget_.IsSpent()) return true;
    if (accept.never) return false;
    if (value.unknown) {
      return SchemaChecker(budget_, diagnostics_)
          .Check(*SchemaOf(value), accept, *value.definition);
    }
    bool ok = accept.target == nullptr || Check(value, *accept.target);
    ok &= CheckAnyOf(value, accept);
    ok &= CheckOneOf(value, accept);
    ok &= CheckConstants(value, accept);
    ok &= CheckType(value, accept);
    return ok;
  }

 private:
  bool Fail(const Node& value, std::string why) {
    const Expression& at = *value.definition->expression;
    AddError(diagnostics_, at.range, at.path, std::move(why));
    return false;
  }

  bool CheckAnyOf(const Node& value, const Schema& accept) {
    if (accept.any_of.empty()) return true;
    Diagnostics all;
    bool matched = false;
    for (const SchemaPtr& alternative : accept.any_of) {
      matched |= ValueValidator(budget_, all).Check(value, *alternative);
    }
    if (matched) return true;
    for (esc::Diagnostic& diagnostic : all) Append(diagnostics_, std::move(diagnostic));
    return Fail(value, "at least one subschema must match");
  }

  bool CheckOneOf(const Node& value, const Schema& accept) {
    if (accept.one_of.empty()) return true;
    Diagnostics all;
    bool matched = false;
    for (const SchemaPtr& alternative : accept.one_of) {
      if (!ValueValidator(budget_, all).Check(value, *alternative)) continue;
      if (matched) return Fail(value, "exactly one subschema may match");
      matched = true;
    }
    if (matched) return true;
    for (esc::Diagnostic& diagnostic : all) Append(diagnostics_, std::move(diagnostic));
    return Fail(value, "exactly one subschema must match");
  }

  bool CheckConstants(const Node& value, const Schema& accept) {
    bool ok = true;
    if (accept.constant && !EqualsConstant(value, *accept.constant)) {
      ok = Fail(value, "expected " + JsonOf(accept.constant));
    }
    const auto equals = [&](const NodePtr& c) { return EqualsConstant(value, *c); };
    if (accept.enumeration.empty() || std::ranges::any_of(accept.enumeration, equals)) return ok;
    return Fail(value, accept.enumeration.size() == 1
                           ? "expected " + JsonOf(accept.enumeration.front())
                           : "expected one of " + JsonOf(accept.enumeration));
  }

  bool CheckType(const Node& value, const Schema& accept) {
    const std::string_view type = TypeName(value.kind);
    if (!accept.type.empty() && accept.type != type) {
      return Fail(value, "expected " + accept.type + ", got " + std::string(type));
    }
    switch (value.kind) {
      case Kind::kNumber:
        return CheckNumber(value, accept);
      case Kind::kString:
        return CheckString(value, accept);
      case Kind::kArray:
        return CheckArray(value, accept);
      case Kind::kObject:
        return CheckObject(value, accept);
      case Kind::kNull:
      case Kind::kBool:
        break;
    }
    return true;
  }

  bool CheckNumber(const Node& value, const Schema& accept) {
    const long double number = NumberOf(std::string(value.Text()));
    bool ok = true;
    if (!accept.multiple_of.empty()) {
      const long double quotient = number / NumberOf(accept.multiple_of);
      if (std::floor(quotient) != quotient) {
        ok = Fail(value, "expected a multiple of " + accept.multiple_of);
      }
    }
    if (!accept.minimum.empty() && number < NumberOf(accept.minimum)) {
      ok = Fail(value, "expected a number greater than or equal to " + accept.minimum);
    }
    if (!accept.exclusive_minimum.empty() && number <= NumberOf(accept.exclusive_minimum)) {
      ok = Fail(value, "expected a number greater than " + accept.exclusive_minimum);
    }
    if (!accept.maximum.empty() && number > NumberOf(accept.maximum)) {
      // ESC forgot the space.
      ok = Fail(value, "expected a number less than or equal to" + accept.maximum);
    }
    if (!accept.exclusive_maximum.empty() && number >= NumberOf(accept.exclusive_maximum)) {
      ok = Fail(value, "expected a number less than " + accept.exclusive_maximum);
    }
    return ok;
  }

  // `what` names the least or greatest size that is allowed.
  bool CheckSize(const Node& value, std::size_t size, const std::string& least,
                 const std::string& greatest, const std::string& what, const std::string& unit) {
    bool ok = true;
    if (!least.empty() && static_cast<long double>(size) < NumberOf(least)) {
      ok = Fail(value, "expected " + what + " at least " + unit + least + Plural(unit, what));
    }
    if (!greatest.empty() && static_cast<long double>(size) > NumberOf(greatest)) {
      ok = Fail(value, "expected " + what + " at most " + unit + greatest + Plural(unit, what));
    }
    return ok;
  }

  static std::string Plural(const std::string& unit, const std::string& what) {
    if (!unit.empty()) return "";
    return what.starts_with("an array") ? " items" : " properties";
  }

  bool CheckString(const Node& value, const Schema& accept) {
    bool ok = CheckSize(value, value.Text().size(), accept.min_length, accept.max_length,
                        "a string of", "length ");
    if (accept.pattern.empty()) return ok;
    const RE2 pattern(accept.pattern, RE2::Quiet);
    if (RE2::PartialMatch(value.Text(), pattern)) return ok;
    SecretBuilder quoted;
    AppendGoQuoted(accept.pattern, quoted);
    return Fail(value, "string must match the pattern " + std::string(quoted.Reveal()));
  }

  bool CheckArray(const Node& value, const Schema& accept) {
    bool ok = CheckSize(value, value.elements.size(), accept.min_items, accept.max_items,
                        "an array with", "");
    for (std::size_t i = 0; i < value.elements.size(); ++i) {
      const SchemaPtr& item =
          i < accept.prefix_items.size() ? accept.prefix_items[i] : accept.items;
      if (item) ok &= Check(*value.elements[i], *item);
    }
    return ok;
  }

  bool CheckObject(const Node& value, const Schema& accept) {
    bool ok = CheckSize(value, value.members.size(), accept.min_properties, accept.max_properties,
                        "an object with", "");
    for (const Node::Member& member : value.members) {
      const auto at = accept.properties.find(member.key);
      const SchemaPtr& property =
          at != accept.properties.end() ? at->second : accept.additional_properties;
      if (property) ok &= Check(*member.node, *property);
    }
    std::string missing;
    const auto require = [&](const std::vector<std::string>& names) {
      for (const std::string& name : names) {
        if (value.FindMember(name) != nullptr) continue;
        missing += (missing.empty() ? "" : ", ") + name;
      }
    };
    require(accept.required);
    for (const auto& [name, names] : accept.dependent_required) {
      if (value.FindMember(name) != nullptr) require(names);
    }
    return missing.empty() ? ok : Fail(value, "missing required properties: " + missing);
  }

  Budget& budget_;
  Diagnostics& diagnostics_;
};

}  // namespace

bool Validate(const Node& value, const Schema& accept, Budget& budget, Diagnostics& diagnostics) {
  return ValueValidator(budget, diagnostics).Check(value, accept);
}

}  // namespace escagent::eval
