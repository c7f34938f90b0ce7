#include "kube/known_objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace escagent::kube {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Change = KnownObjects::Change;

Object Make(const std::string& space, const std::string& name, const std::string& uid,
            const std::string& version) {
  nlohmann::json json;
  json["metadata"] = {{"name", name}, {"uid", uid}, {"resourceVersion", version}};
  if (!space.empty()) json["metadata"]["namespace"] = space;
  return Object(std::move(json));
}

TEST(KnownObjects, TellsWhatAnUpdateChanges) {
  KnownObjects known;
  EXPECT_EQ(known.Update(Make("a", "x", "u1", "1")), Change::kNew);
  EXPECT_EQ(known.Update(Make("a", "x", "u1", "1")), Change::kSame);
  EXPECT_EQ(known.Update(Make("a", "x", "u1", "2")), Change::kChanged);
  EXPECT_EQ(known.Update(Make("a", "x", "u2", "3")), Change::kReplaced);
  EXPECT_EQ(known.Update(Make("b", "x", "u3", "3")), Change::kNew);
  EXPECT_EQ(known.Size(), 2U);
}

TEST(KnownObjects, RemovesOnlyTheObjectItself) {
  KnownObjects known;
  known.Update(Make("a", "x", "u2", "1"));
  EXPECT_FALSE(known.Remove(Make("a", "x", "u1", "2"))) << "one that was replaced before";
  EXPECT_FALSE(known.Remove(Make("a", "y", "u2", "2")));
  EXPECT_TRUE(known.Remove(Make("a", "x", "u2", "2")));
  EXPECT_FALSE(known.Remove(Make("a", "x", "u2", "2")));
  EXPECT_EQ(known.Size(), 0U);
}

TEST(KnownObjects, FindsWhatAListingDoesNotHave) {
  KnownObjects known;
  known.BeginListing();
  known.Update(Make("a", "x", "1", "1"));
  known.Update(Make("a", "y", "2", "1"));
  known.Update(Make("", "node", "3", "1"));
  EXPECT_THAT(known.TakeVanished(), IsEmpty());
  known.BeginListing();
  known.Update(Make("a", "y", "2", "1"));
  EXPECT_THAT(known.TakeVanished(),
              UnorderedElementsAre(ObjectKey{"a", "x"}, ObjectKey{"", "node"}));
  EXPECT_THAT(known.TakeVanished(), IsEmpty());
  EXPECT_EQ(known.Size(), 1U);
}

}  // namespace
}  // namespace escagent::kube
