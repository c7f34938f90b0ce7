#include "esc/value.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace escagent::esc {
namespace {

Value Text(std::string_view text) { return Value::String(Secret(text)); }

// {"list": [1, "two"], "name": "world", "nothing": null, "on": true}
Value Sample() {
  Value::Array list;
  list.push_back(Value::Number(Secret(std::string_view("1"))));
  list.push_back(Text("two"));
  Value::Object members;
  members.emplace_back("on", Value::Bool(true));
  members.emplace_back("name", Text("world"));
  members.emplace_back("list", Value::MakeArray(std::move(list)));
  members.emplace_back("nothing", Value::Null());
  return Value::MakeObject(std::move(members));
}

TEST(ValueTest, ScalarsKeepTheirText) {
  EXPECT_EQ(Value::Null().ScalarText(), "");
  EXPECT_EQ(Value::Bool(true).ScalarText(), "true");
  EXPECT_EQ(Value::Bool(false).ScalarText(), "false");
  EXPECT_EQ(Value::Number(Secret(std::string_view("1.10"))).ScalarText(), "1.10");
  EXPECT_EQ(Text("a\0b").ScalarText(), std::string_view("a\0b"));
}

TEST(ValueTest, ObjectsAreSortedAndTheLastOfEqualKeysStays) {
  Value::Object members;
  members.emplace_back("b", Text("1"));
  members.emplace_back("a", Text("2"));
  members.emplace_back("b", Text("3"));
  members.emplace_back("a", Text("4"));
  members.emplace_back("b", Text("5"));
  const Value value = Value::MakeObject(std::move(members));
  ASSERT_EQ(value.members().size(), 2U);
  EXPECT_EQ(value.members()[0].first, "a");
  EXPECT_EQ(value.members()[0].second.ScalarText(), "4");
  EXPECT_EQ(value.members()[1].first, "b");
  EXPECT_EQ(value.members()[1].second.ScalarText(), "5");
}

TEST(ValueTest, FindsMembersOfObjectsOnly) {
  const Value value = Sample();
  ASSERT_NE(value.Find("name"), nullptr);
  EXPECT_EQ(value.Find("name")->ScalarText(), "world");
  EXPECT_EQ(value.Find("nam"), nullptr);
  EXPECT_EQ(value.Find("zzz"), nullptr);
  EXPECT_EQ(Text("name").Find("name"), nullptr);
  EXPECT_EQ(value.Find("list")->Find("0"), nullptr);
}

TEST(ValueTest, CloneIsEqualAndIndependent) {
  Value original = Sample();
  Value clone = original.Clone();
  EXPECT_TRUE(clone.Equals(original));
  clone.MarkSecret();
  EXPECT_FALSE(clone.Equals(original));
  EXPECT_FALSE(original.secret());
}

TEST(ValueTest, EqualsLooksAtEverything) {
  std::vector<Value> different;
  different.push_back(Value::Null());
  different.push_back(Value::Bool(false));
  different.push_back(Value::Bool(true));
  different.push_back(Text(""));
  different.push_back(Text("1"));
  different.push_back(Value::Number(Secret(std::string_view("1"))));
  different.push_back(Value::Number(Secret(std::string_view("1.0"))));
  different.push_back(Value::MakeArray({}));
  different.push_back(Value::MakeObject({}));
  different.push_back(Sample());
  Value secret = Text("1");
  secret.set_secret(true);
  different.push_back(std::move(secret));
  Value unknown;
  unknown.set_unknown(true);
  different.push_back(std::move(unknown));
  for (std::size_t i = 0; i < different.size(); ++i) {
    for (std::size_t j = 0; j < different.size(); ++j) {
      EXPECT_EQ(different[i].Equals(different[j]), i == j) << i << " and " << j;
    }
  }
}

TEST(ValueTest, MarkSecretReachesEverythingBelow) {
  Value value = Sample();
  value.MarkSecret();
  EXPECT_TRUE(value.secret());
  EXPECT_TRUE(value.Find("name")->secret());
  EXPECT_TRUE(value.Find("list")->secret());
  EXPECT_TRUE(value.Find("list")->elements()[1].secret());
}

TEST(ValueTest, ContainsUnknownLooksBelow) {
  EXPECT_FALSE(Sample().ContainsUnknown());
  Value unknown;
  unknown.set_unknown(true);
  EXPECT_TRUE(unknown.ContainsUnknown());
  Value::Array list;
  list.push_back(std::move(unknown));
  Value::Object members;
  members.emplace_back("list", Value::MakeArray(std::move(list)));
  EXPECT_TRUE(Value::MakeObject(std::move(members)).ContainsUnknown());
}

}  // namespace
}  // namespace escagent::esc
