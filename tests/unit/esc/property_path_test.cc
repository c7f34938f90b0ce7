#include "esc/property_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "esc/value_json.h"

namespace escagent::esc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using Accessors = std::vector<PropertyPath::Accessor>;

PropertyPath::Accessor Key(std::string key) { return key; }
PropertyPath::Accessor Index(std::size_t index) { return index; }

TEST(PropertyPathTest, ParsesAndPrints) {
  struct Case {
    std::string text;
    Accessors accessors;
    std::string printed;
  };
  const Case cases[] = {
      {"", {}, ""},
      {"app", {Key("app")}, "app"},
      {"app.db.host", {Key("app"), Key("db"), Key("host")}, "app.db.host"},
      {R"(app.db["user.name"][0])",
       {Key("app"), Key("db"), Key("user.name"), Index(0)},
       R"(app.db["user.name"][0])"},
      {R"(["a.b"].c)", {Key("a.b"), Key("c")}, R"(["a.b"].c)"},
      {R"(a["b"])", {Key("a"), Key("b")}, "a.b"},
      {R"(a["q\"u\\o"])", {Key("a"), Key("q\"u\\o")}, R"(a["q\"u\\o"])"},
      {R"(a[""])", {Key("a"), Key("")}, R"(a[""])"},
      {R"(a.["b c"].[1])", {Key("a"), Key("b c"), Index(1)}, R"(a["b c"][1])"},
      {"[2][007]", {Index(2), Index(7)}, "[2][7]"},
      {"hello-secret", {Key("hello-secret")}, "hello-secret"},
      {"aws:region/x@y", {Key("aws:region/x@y")}, "aws:region/x@y"},
      {"a.0", {Key("a"), Key("0")}, "a.0"},
      {"gr\xC3\xBC\xC3\x9F"
       "e",
       {Key("gr\xC3\xBC\xC3\x9F"
            "e")},
       "gr\xC3\xBC\xC3\x9F"
       "e"},
      {"[\"a\nb\"]", {Key("a\nb")}, "[\"a\nb\"]"},
  };
  for (const Case& c : cases) {
    const Result<PropertyPath> path = PropertyPath::Parse(c.text);
    ASSERT_TRUE(path) << c.text << ": " << path.error().message;
    EXPECT_EQ(path->accessors(), c.accessors) << c.text;
    EXPECT_EQ(path->ToString(), c.printed) << c.text;
    const Result<PropertyPath> again = PropertyPath::Parse(path->ToString());
    ASSERT_TRUE(again) << c.printed;
    EXPECT_EQ(*again, *path) << c.printed;
  }
}

TEST(PropertyPathTest, FaultsHaveTheirOffset) {
  struct Case {
    std::string text;
    std::string message;
  };
  const Case cases[] = {
      {".a", "does not begin with a dot (at offset 0)"},
      {"a.", "a name must follow the dot (at offset 2)"},
      {"a..b", "expected a name; write one with special characters as [\"name\"] (at offset 2)"},
      {"a[", "the bracket is not closed (at offset 2)"},
      {"a[]", "expected an index or a quoted name in the bracket (at offset 2)"},
      {"a[b]", "expected an index or a quoted name in the bracket (at offset 2)"},
      {"a[-1]", "expected an index or a quoted name in the bracket (at offset 2)"},
      {"a[1", "expected \"]\" (at offset 3)"},
      {"a[1x]", "expected \"]\" (at offset 3)"},
      {"a[*].b", "wildcards are not supported (at offset 2)"},
      {"a[99999999999999999999]", "the index is too large (at offset 2)"},
      {"a[\"b]", "the quote is not closed (at offset 5)"},
      {"a[\"b\"", "expected \"]\" (at offset 5)"},
      {"a[\"b\\n\"]", "are escapes (at offset 5)"},
      {"a[\"b\\", "are escapes (at offset 5)"},
      {"a[0]b", "expected a dot or a bracket (at offset 4)"},
      {"a b", "a name with such a character is written [\"name\"] (at offset 1)"},
      {"a.\"b\"", "expected a name; write one with special characters as [\"name\"] (at offset 2)"},
      {"a]", "a name with such a character is written [\"name\"] (at offset 1)"},
      {"${a}", "a name with such a character is written [\"name\"] (at offset 1)"},
      {"a\xFF", "not valid UTF-8"},
  };
  for (const Case& c : cases) {
    const Result<PropertyPath> path = PropertyPath::Parse(c.text);
    ASSERT_FALSE(path) << c.text;
    EXPECT_EQ(path.error().code, Code::kInvalidArgument);
    EXPECT_THAT(path.error().message, HasSubstr(c.message)) << c.text;
  }
}

class PropertyPathLookupTest : public ::testing::Test {
 protected:
  Value root_ = *ParseEnvironment(R"({"properties": {
      "app": {"value": {"hostname": {"value": "canary"}, "password": {"value": "canary"},
                        "list": {"value": [{"value": 1}, {"value": {"deep": {"value": true}}}]}}},
      "blob": {"secret": true, "value": {"hidden": {"value": "canary"}}},
      "late": {"unknown": true},
      "none": {"value": null},
      "empty": {"value": {}},
      "many": {"value": {"k0":{},"k1":{},"k2":{},"k3":{},"k4":{},"k5":{},"k6":{},"k7":{},"k8":{},
                         "k9":{}}},
      "a\nb": {"value": "canary"}}})",
                                  "test");

  Result<const Value*> Find(std::string_view path) {
    return PropertyPath::Parse(path)->Lookup(root_);
  }
};

TEST_F(PropertyPathLookupTest, Finds) {
  EXPECT_EQ(*Find(""), &root_);
  EXPECT_EQ(*Find("app"), root_.Find("app"));
  EXPECT_EQ((*Find("app.list[0]"))->ScalarText(), "1");
  EXPECT_TRUE((*Find("app.list[1].deep"))->AsBool());
  EXPECT_EQ((*Find("blob.hidden"))->ScalarText(), "canary");
  EXPECT_EQ((*Find("[\"a\nb\"]"))->ScalarText(), "canary");
  EXPECT_TRUE((*Find("late"))->unknown());
}

TEST_F(PropertyPathLookupTest, SaysWhatIsMissingAndWhatIsThere) {
  struct Case {
    std::string path;
    Code code;
    std::string message;
  };
  const Case cases[] = {
      {"app.pasword", Code::kNotFound,
       "find property app.pasword: app has no key \"pasword\"; did you mean \"password\"? It has "
       "the "
       "keys \"hostname\", \"list\", \"password\""},
      {"apples.x", Code::kNotFound,
       "find property apples.x: the environment has no key \"apples\"; it has the keys \"a b\", "
       "\"app\", \"blob\", \"empty\", \"late\", \"many\", \"none\""},
      {"app.hostname.port", Code::kNotFound, "app.hostname is a string, which has no keys"},
      {"app.list.first", Code::kNotFound, "app.list is an array, which has no keys"},
      {"app.list[2]", Code::kNotFound, "app.list has no element 2; it has 2"},
      {"app.list[1].deep.er", Code::kNotFound, "app.list[1].deep is a boolean, which has no keys"},
      {"app[0]", Code::kNotFound, "app is an object, which has no elements"},
      {"none.x", Code::kNotFound, "none is null, which has no keys"},
      {"empty.x", Code::kNotFound, "empty has no key \"x\"; it is empty"},
      {"many.zzzzzz", Code::kNotFound, "\"k7\" and 2 more"},
      {"blob.hiden", Code::kNotFound, "its keys are not shown as it is secret"},
      {"late.x", Code::kFailedPrecondition, "find property late.x: late is not known"},
  };
  for (const Case& c : cases) {
    const Result<const Value*> found = Find(c.path);
    ASSERT_FALSE(found) << c.path;
    EXPECT_EQ(found.error().code, c.code) << c.path;
    EXPECT_THAT(found.error().message,
                AllOf(HasSubstr(c.message), Not(HasSubstr("canary")), Not(HasSubstr("hidden"))));
  }
}

TEST(PropertyPathErrorTest, LongKeysAreCut) {
  Value::Object members;
  members.emplace_back(std::string(100000, 'k'), Value::Null());
  const Value root = Value::MakeObject(std::move(members));
  const PropertyPath path({std::string(100000, 'p')});
  EXPECT_LT(path.Lookup(root).error().message.size(), 600U);
}

}  // namespace
}  // namespace escagent::esc
