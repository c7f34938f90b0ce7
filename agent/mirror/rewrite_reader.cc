#include "agent/mirror/rewrite_reader.h"

#include <re2/re2.h>

#include <array>
#include <optional>
#include <utility>

#include "agent/mirror/spec_choices.h"

namespace escagent::mirror {
namespace {

RegexpRewrite ReadRegexp(const SpecReader& fields) {
  RegexpRewrite rule{.source = fields.Text("source"), .target = fields.Text("target")};
  const re2::RE2 regexp(rule.source, re2::RE2::Quiet);
  if (!regexp.ok()) fields.Problem("source", "is not a regular expression: " + regexp.error());
  return rule;
}

MergeRewrite ReadMerge(const SpecReader& fields) {
  constexpr std::array<std::pair<std::string_view, bool>, 2> kPriorityPolicies = {
      {{"Strict", false}, {"IgnoreNotFound", true}}};
  constexpr std::array<std::pair<std::string_view, bool>, 2> kConflictPolicies = {
      {{"Error", false}, {"Ignore", true}}};
  MergeRewrite rule;
  rule.strategy = fields.Choice("strategy", MergeRewrite::Strategy::kExtract, kMergeStrategies);
  rule.into = fields.Text("into");
  rule.priority = fields.TextList("priority");
  rule.ignore_missing_priority = fields.Choice("priorityPolicy", false, kPriorityPolicies);
  rule.ignore_conflicts = fields.Choice("conflictPolicy", false, kConflictPolicies);
  if (rule.strategy == MergeRewrite::Strategy::kJson && rule.into.empty()) {
    fields.Problem("into", "is required with strategy JSON");
  }
  return rule;
}

std::optional<RewriteRule> ReadRule(const SpecReader& fields) {
  const int count =
      int{fields.Has("regexp")} + int{fields.Has("transform")} + int{fields.Has("merge")};
  if (count != 1) {
    fields.Problem("must have exactly one of regexp, transform, merge");
    return std::nullopt;
  }
  if (fields.Has("regexp")) return ReadRegexp(fields.Map("regexp"));
  if (fields.Has("merge")) return ReadMerge(fields.Map("merge"));
  return TransformRewrite{.key_template = fields.Map("transform").Text("template")};
}

}  // namespace

std::vector<RewriteRule> ReadRewriteRules(const SpecReader& fields) {
  std::vector<RewriteRule> rules;
  for (const SpecReader& element : fields.MapList("rewrite")) {
    if (std::optional<RewriteRule> rule = ReadRule(element)) rules.push_back(*std::move(rule));
  }
  return rules;
}

}  // namespace escagent::mirror
