#include "agent/store/label_selector.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

namespace escagent::store {
namespace {

using Operator = LabelSelector::Operator;

std::optional<Operator> ParseOperator(std::string_view text) {
  if (text == "In") return Operator::kIn;
  if (text == "NotIn") return Operator::kNotIn;
  if (text == "Exists") return Operator::kExists;
  if (text == "DoesNotExist") return Operator::kDoesNotExist;
  return std::nullopt;
}

bool Holds(const LabelSelector::Requirement& requirement, const Labels& labels) {
  const auto label = labels.find(requirement.key);
  const bool present = label != labels.end();
  const bool listed =
      present && std::ranges::find(requirement.values, label->second) != requirement.values.end();
  switch (requirement.op) {
    case Operator::kIn:
      return listed;
    case Operator::kNotIn:
      return !listed;
    case Operator::kExists:
      return present;
    case Operator::kDoesNotExist:
      return !present;
  }
  return false;
}

}  // namespace

std::string LabelSelector::ToString() const {
  std::string out;
  for (const Requirement& requirement : requirements) {
    if (!out.empty()) out += ",";
    if (requirement.op == Operator::kDoesNotExist) out += "!";
    out += requirement.key;
    if (requirement.op == Operator::kExists || requirement.op == Operator::kDoesNotExist) continue;
    out += requirement.op == Operator::kIn ? " in (" : " notin (";
    for (std::size_t i = 0; i < requirement.values.size(); ++i) {
      out += (i == 0 ? "" : ",") + requirement.values[i];
    }
    out += ")";
  }
  return out;
}

bool LabelSelector::Matches(const Labels& labels) const {
  return std::ranges::all_of(requirements, [&labels](const Requirement& requirement) {
    return Holds(requirement, labels);
  });
}

LabelSelector ReadLabelSelector(const FieldReader& fields) {
  LabelSelector selector;
  fields.AllowOnly({"matchLabels", "matchExpressions"});
  for (auto& [key, value] : fields.TextMap("matchLabels")) {
    selector.requirements.push_back({.key = key, .op = Operator::kIn, .values = {value}});
  }
  for (const FieldReader& expression : fields.MapList("matchExpressions")) {
    expression.AllowOnly({"key", "operator", "values"});
    LabelSelector::Requirement requirement;
    requirement.key = expression.Text("key");
    requirement.values = expression.TextList("values");
    if (requirement.key.empty()) expression.Problem("key is required");
    const std::optional<Operator> op = ParseOperator(expression.Text("operator"));
    if (!op) {
      expression.Problem("operator", "must be In, NotIn, Exists or DoesNotExist");
      continue;
    }
    requirement.op = *op;
    const bool needs_values = *op == Operator::kIn || *op == Operator::kNotIn;
    if (needs_values == requirement.values.empty()) {
      expression.Problem("values", needs_values ? "must not be empty with In and NotIn"
                                                : "must be empty with Exists and DoesNotExist");
    }
    selector.requirements.push_back(std::move(requirement));
  }
  return selector;
}

}  // namespace escagent::store
