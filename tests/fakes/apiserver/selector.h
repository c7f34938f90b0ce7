#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/fakes/apiserver/api_status.h"
#include "tests/fakes/apiserver/object.h"

namespace escagent::apiserver {

// What LIST, WATCH and DELETE of a collection are limited to: a namespace, labels, fields.
class Selector {
 public:
  Selector() = default;

  // `name_space` empty: all. Label selectors in the syntax of labels.Parse ("a=b, c!=d, e in (f,g),
  // h notin (i), j, !k"); field selectors may use metadata.name, metadata.namespace and what the
  // kind allows. BAD_REQUEST as the API server tells it.
  static Outcome<Selector> Parse(const Resource& resource, std::string name_space,
                                 std::string_view labels, std::string_view fields);

  bool Matches(const Object& object) const;
  // The only name that can match; empty when any.
  std::string OnlyName() const;
  bool IsAll() const { return labels_.empty() && fields_.empty(); }
  const std::string& name_space() const { return namespace_; }

 private:
  enum class Operator { kIn, kNotIn, kExists, kAbsent };
  struct LabelRule {
    std::string key;
    Operator op = Operator::kExists;
    std::vector<std::string> values;
  };
  struct FieldRule {
    std::string path;
    std::string value;
    bool equal = true;
  };

  static Outcome<std::vector<LabelRule>> ParseLabels(std::string_view text);
  static Outcome<LabelRule> ParseLabel(std::string_view text);
  static bool MatchesLabel(const LabelRule& rule, const Object& object);

  std::string namespace_;
  std::vector<LabelRule> labels_;
  std::vector<FieldRule> fields_;
};

}  // namespace escagent::apiserver
