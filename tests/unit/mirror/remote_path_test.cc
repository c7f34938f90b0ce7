#include "agent/mirror/remote_path.h"

#include <gtest/gtest.h>

#include <string>

#include "esc/json_writer.h"
#include "tests/unit/mirror/test_objects.h"

namespace escagent::mirror {
namespace {

std::string Found(const esc::Value& root, std::string_view path) {
  const Result<RemoteValue> found = LookupRemote(root, path);
  if (!found) return std::string(CodeName(found.error().code));
  SecretBuilder json;
  esc::WriteJson(found->value(), {}, json);
  return std::string(json.Reveal());
}

TEST(LookupRemote, EvaluatesPropertyPathsAndWildcards) {
  const esc::Value root = ValueOf(R"({
      "app": {"name": "web", "a.b": 1, "[*]": "odd"},
      "users": [{"name": "ann", "keys": [{"id": 1}, {"id": 2}]}, {"name": "bob", "keys": []}],
      "nested": {"x": {"v": 1}, "y": {"v": 2}},
      "lists": [[1, 2], [3]], "none": []})");
  struct Case {
    const char* path;
    const char* json;
  };
  constexpr Case kCases[] = {
      {"app.name", R"("web")"},
      {R"(app["a.b"])", "1"},
      {R"(app["[*]"])", R"("odd")"},
      {"users[1].name", R"("bob")"},
      {"users[*].name", R"(["ann","bob"])"},
      {"users[*].keys[*].id", "[1,2]"},
      {"users[*].keys[0].id", "NOT_FOUND"},
      {"nested[*].v", "[1,2]"},
      {"lists[*]", "[[1,2],[3]]"},
      {"lists[*][0]", "[1,3]"},
      {"lists[*][*]", "[1,2,3]"},
      {"none[*].anything", "[]"},
      {"[*][*].v", "NOT_FOUND"},
      {"app.name[*]", "NOT_FOUND"},
      {"users[*].email", "NOT_FOUND"},
      {"absent", "NOT_FOUND"},
      {"absent[*]", "NOT_FOUND"},
      {"users[*]..name", "INVALID_ARGUMENT"},
      {"users[*].", "INVALID_ARGUMENT"},
      {"users.[*].name", "INVALID_ARGUMENT"},
      {"users[*", "INVALID_ARGUMENT"},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(Found(root, c.path), c.json) << c.path;
    const bool valid = std::string_view(c.json) != "INVALID_ARGUMENT";
    EXPECT_EQ(CheckRemotePath(c.path).has_value(), valid) << c.path;
  }
}

TEST(LookupRemote, TheEmptyPathIsTheWhole) {
  EXPECT_EQ(Found(ValueOf(R"({"a": 1})"), ""), R"({"a":1})");
}

}  // namespace
}  // namespace escagent::mirror
