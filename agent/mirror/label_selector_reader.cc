#include "agent/mirror/label_selector_reader.h"

#include <array>
#include <utility>

namespace escagent::mirror {

store::LabelSelector ReadLabelSelector(const SpecReader& fields) {
  using Operator = store::LabelSelector::Operator;
  constexpr std::array<std::pair<std::string_view, Operator>, 4> kOperators = {
      {{"In", Operator::kIn},
       {"NotIn", Operator::kNotIn},
       {"Exists", Operator::kExists},
       {"DoesNotExist", Operator::kDoesNotExist}}};
  store::LabelSelector selector;
  for (auto& [key, value] : fields.TextMap("matchLabels")) {
    selector.requirements.push_back({key, Operator::kIn, {value}});
  }
  for (const SpecReader& expression : fields.MapList("matchExpressions")) {
    store::LabelSelector::Requirement requirement;
    requirement.key = expression.Text("key");
    if (requirement.key.empty()) expression.Problem("key", "is required");
    if (!expression.Has("operator")) expression.Problem("operator", "is required");
    requirement.op = expression.Choice("operator", Operator::kIn, kOperators);
    requirement.values = expression.TextList("values");
    const bool set = requirement.op == Operator::kIn || requirement.op == Operator::kNotIn;
    if (set && requirement.values.empty()) expression.Problem("values", "must not be empty");
    selector.requirements.push_back(std::move(requirement));
  }
  return selector;
}

}  // namespace escagent::mirror
