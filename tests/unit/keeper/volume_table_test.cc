#include "fuse/keeper/volume_table.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

namespace escagent::keeper {
namespace {

std::vector<std::string> Ids(VolumeTable& table) {
  std::vector<std::string> ids;
  for (std::uint64_t i = 0; const Volume* const v = table.Next(i);) ids.emplace_back(v->id);
  return ids;
}

TEST(VolumeTable, FindsWhatWasAddedUntilItIsRemoved) {
  const auto table = std::make_unique<VolumeTable>();
  Volume* const a = table->Add("a", "pod-a", "secrets");
  Volume* const b = table->Add("b", "pod-b", "secrets");
  Volume* const c = table->Add("c", "pod-c", "secrets");
  ASSERT_TRUE(a != nullptr && b != nullptr && c != nullptr);
  EXPECT_EQ(table->Find("b"), b);
  EXPECT_EQ(table->FindTarget("pod-c", "secrets"), c);
  EXPECT_EQ(table->FindTarget("pod-c", "other"), nullptr);
  table->Remove(b);
  EXPECT_EQ(table->Find("b"), nullptr);
  EXPECT_EQ(Ids(*table), (std::vector<std::string>{"a", "c"}));
  ASSERT_NE(table->Add("d", "pod-d", "secrets"), nullptr);
  EXPECT_EQ(Ids(*table), (std::vector<std::string>{"a", "d", "c"}));
  EXPECT_EQ(table->Count(), 3U);
}

TEST(VolumeTable, IsBounded) {
  const auto table = std::make_unique<VolumeTable>();
  for (unsigned i = 0; i < kMaxVolumes; ++i) {
    ASSERT_NE(table->Add(std::to_string(i).c_str(), "p", "v"), nullptr);
  }
  EXPECT_EQ(table->Add("more", "p", "v"), nullptr);
  table->Remove(table->Find("77"));
  EXPECT_NE(table->Add("more", "p", "v"), nullptr);
}

TEST(VolumeTable, KeysComeBackInOrderOnce) {
  const auto table = std::make_unique<VolumeTable>();
  Volume* const v = table->Add("a", "p", "v");
  const std::string longest(255, 'x');
  ASSERT_EQ(table->AddKey(*v, false, "one"), 0);
  ASSERT_EQ(table->AddKey(*v, true, longest.c_str()), 0);
  EXPECT_EQ(table->PendingKeys(), 2U);
  KeyChange* const keys = table->TakeKeys(*v);
  ASSERT_NE(keys, nullptr);
  EXPECT_STREQ(keys->name, "one");
  EXPECT_FALSE(keys->remove);
  ASSERT_NE(keys->next, nullptr);
  EXPECT_EQ(std::string(keys->next->name), longest);
  EXPECT_TRUE(keys->next->remove);
  EXPECT_EQ(keys->next->next, nullptr);
  FreeKeys(keys);
  EXPECT_EQ(table->PendingKeys(), 0U);
  EXPECT_EQ(table->TakeKeys(*v), nullptr);
  ASSERT_EQ(table->AddKey(*v, false, "two"), 0);
  table->Remove(v);
  EXPECT_EQ(table->PendingKeys(), 0U);
}

}  // namespace
}  // namespace escagent::keeper
