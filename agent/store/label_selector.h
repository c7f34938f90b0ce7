#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/store/field_reader.h"

namespace escagent::store {

// The label that Kubernetes puts on every namespace: its name.
inline constexpr char kNamespaceNameLabel[] = "kubernetes.io/metadata.name";

using Labels = std::map<std::string, std::string, std::less<>>;

// A Kubernetes LabelSelector (meta/v1): all of its requirements must hold; one without any selects
// everything.
struct LabelSelector {
  enum class Operator { kIn, kNotIn, kExists, kDoesNotExist };
  struct Requirement {
    std::string key;
    Operator op = Operator::kIn;
    std::vector<std::string> values;
  };
  std::vector<Requirement> requirements;

  bool Matches(const Labels& labels) const;
  // As the API's parameter labelSelector: "app in (a,b),!old". Empty for one that selects
  // everything.
  std::string ToString() const;
};

// Reads matchLabels and matchExpressions.
LabelSelector ReadLabelSelector(const FieldReader& fields);

}  // namespace escagent::store
