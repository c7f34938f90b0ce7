#include "agent/store/label_selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/store/store_fixture.h"

namespace escagent::store {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct MatchCase {
  const char* selector;
  bool web;    // matches {app: web}
  bool other;  // matches {tier: back}
};

TEST(LabelSelector, Matches) {
  const MatchCase cases[] = {
      {"{}", true, true},
      {"{matchLabels: {app: web}}", true, false},
      {"{matchLabels: {app: db}}", false, false},
      {"{matchExpressions: [{key: app, operator: In, values: [db, web]}]}", true, false},
      {"{matchExpressions: [{key: app, operator: NotIn, values: [web]}]}", false, true},
      {"{matchExpressions: [{key: app, operator: NotIn, values: [db]}]}", true, true},
      {"{matchExpressions: [{key: app, operator: Exists}]}", true, false},
      {"{matchExpressions: [{key: app, operator: DoesNotExist}]}", false, true},
      {"{matchLabels: {app: web}, matchExpressions: [{key: tier, operator: Exists}]}", false,
       false},
  };
  for (const MatchCase& c : cases) {
    std::vector<std::string> problems;
    const LabelSelector selector =
        ReadLabelSelector(FieldReader(Yaml(c.selector), "selector", problems));
    EXPECT_THAT(problems, IsEmpty()) << c.selector;
    EXPECT_EQ(selector.Matches({{"app", "web"}}), c.web) << c.selector;
    EXPECT_EQ(selector.Matches({{"tier", "back"}}), c.other) << c.selector;
  }
}

struct ProblemCase {
  const char* selector;
  const char* problem;
};

TEST(LabelSelector, Problems) {
  const ProblemCase cases[] = {
      {"{matchExpressions: [{operator: Exists}]}", "key is required"},
      {"{matchExpressions: [{key: a, operator: in, values: [b]}]}", "In, NotIn, Exists or"},
      {"{matchExpressions: [{key: a, operator: In}]}", "must not be empty"},
      {"{matchExpressions: [{key: a, operator: Exists, values: [b]}]}", "must be empty"},
      {"{matchLabel: {a: b}}", "did you mean matchLabels?"},
      {"{matchExpressions: {key: a}}", "must be a list"},
  };
  for (const ProblemCase& c : cases) {
    std::vector<std::string> problems;
    ReadLabelSelector(FieldReader(Yaml(c.selector), "selector", problems));
    EXPECT_THAT(problems, Contains(HasSubstr(c.problem))) << c.selector;
  }
}

}  // namespace
}  // namespace escagent::store
