#include "tests/fakes/apiserver/selector.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/strings.h"

namespace escagent::apiserver {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Splits at commas outside of parentheses.
std::vector<std::string_view> SplitRules(std::string_view text) {
  std::vector<std::string_view> rules;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      rules.push_back(Trim(text.substr(begin, i - begin)));
      begin = i + 1;
    } else if (text[i] == '(') {
      ++depth;
    } else if (text[i] == ')') {
      --depth;
    }
  }
  return rules;
}

bool IsLabelKey(std::string_view key) {
  return !key.empty() && std::ranges::all_of(key, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' ||
           c == '/';
  });
}

std::unexpected<ApiError> BadLabels(std::string_view text) {
  return Fail(BadRequest("unable to parse requirement: invalid label selector \"" +
                         std::string(text) + "\""));
}

}  // namespace

Outcome<Selector::LabelRule> Selector::ParseLabel(std::string_view text) {
  LabelRule rule;
  if (text.starts_with('!')) {
    rule.op = Operator::kAbsent;
    rule.key = Trim(text.substr(1));
  } else if (const std::size_t open = text.find('('); open != std::string_view::npos) {
    const std::string_view head = Trim(text.substr(0, open));
    const std::size_t space = head.rfind(' ');
    if (space == std::string_view::npos || !text.ends_with(')')) return BadLabels(text);
    const std::string_view op = head.substr(space + 1);
    if (op != "in" && op != "notin") return BadLabels(text);
    rule.op = op == "in" ? Operator::kIn : Operator::kNotIn;
    rule.key = Trim(head.substr(0, space));
    for (const auto value : Split(text.substr(open + 1, text.size() - open - 2), ',')) {
      rule.values.emplace_back(Trim(value));
    }
  } else if (const std::size_t equals = text.find('='); equals != std::string_view::npos) {
    const bool differs = equals > 0 && text[equals - 1] == '!';
    const std::size_t value = equals + (text.substr(equals).starts_with("==") ? 2 : 1);
    rule.op = differs ? Operator::kNotIn : Operator::kIn;
    rule.key = Trim(text.substr(0, differs ? equals - 1 : equals));
    rule.values.emplace_back(Trim(text.substr(value)));
  } else {
    rule.key = text;
  }
  if (!IsLabelKey(rule.key)) return BadLabels(text);
  return rule;
}

Outcome<std::vector<Selector::LabelRule>> Selector::ParseLabels(std::string_view text) {
  std::vector<LabelRule> rules;
  if (Trim(text).empty()) return rules;
  for (const std::string_view part : SplitRules(text)) {
    API_ASSIGN_OR_RETURN(LabelRule rule, ParseLabel(part));
    rules.push_back(std::move(rule));
  }
  return rules;
}

Outcome<Selector> Selector::Parse(const Resource& resource, std::string name_space,
                                  std::string_view labels, std::string_view fields) {
  Selector selector;
  selector.namespace_ = std::move(name_space);
  API_ASSIGN_OR_RETURN(selector.labels_, ParseLabels(labels));
  if (fields.empty()) return selector;
  for (const std::string_view part : Split(fields, ',')) {
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) {
      return Fail(BadRequest("invalid selector: '" + std::string(fields) + "'; can't understand '" +
                             std::string(part) + "'"));
    }
    FieldRule rule;
    rule.equal = equals == 0 || part[equals - 1] != '!';
    rule.path = part.substr(0, rule.equal ? equals : equals - 1);
    rule.value = part.substr(equals + (part.substr(equals).starts_with("==") ? 2 : 1));
    const bool known = rule.path == "metadata.name" ||
                       (rule.path == "metadata.namespace" && resource.namespaced) ||
                       std::ranges::find(resource.selectable_fields, rule.path) !=
                           resource.selectable_fields.end();
    if (!known) return Fail(BadRequest("field label not supported: " + rule.path));
    selector.fields_.push_back(std::move(rule));
  }
  return selector;
}

bool Selector::MatchesLabel(const LabelRule& rule, const Object& object) {
  const auto found = object.labels().find(rule.key);
  const bool exists = found != object.labels().end();
  switch (rule.op) {
    case Operator::kExists:
      return exists;
    case Operator::kAbsent:
      return !exists;
    case Operator::kIn:
      return exists && std::ranges::find(rule.values, found->second) != rule.values.end();
    case Operator::kNotIn:
      return !exists || std::ranges::find(rule.values, found->second) == rule.values.end();
  }
  return false;
}

bool Selector::Matches(const Object& object) const {
  if (!namespace_.empty() && namespace_ != object.name_space()) return false;
  for (const FieldRule& rule : fields_) {
    if ((object.Field(rule.path) == rule.value) != rule.equal) return false;
  }
  return std::ranges::all_of(labels_,
                             [&](const LabelRule& rule) { return MatchesLabel(rule, object); });
}

std::string Selector::OnlyName() const {
  for (const FieldRule& rule : fields_) {
    if (rule.path == "metadata.name" && rule.equal) return rule.value;
  }
  return "";
}

}  // namespace escagent::apiserver
