#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "fuse/secret_tree.h"
#include "fuse/tree_codec.h"
#include "tests/unit/fuse/spec_builder.h"
#include "tests/unit/fuse/tree_walker.h"

namespace escagent::fuse {
namespace {

constexpr Generation::Time kTime{std::chrono::seconds{1000}};
constexpr std::uint64_t kFirst = 1700000000;

std::unique_ptr<SecretTree> NewTree(const std::string& value) {
  return *SecretTree::Create(SpecOf({{"app/user", "root"}, {"key", value}}), kFirst, kTime);
}

void Rotate(SecretTree& tree, const std::string& value) {
  ASSERT_TRUE(TreeWalker(tree).Rotate(SpecOf({{"app/user", "root"}, {"key", value}})));
}

// What another process makes of it: open files are counted in the generations themselves.
std::unique_ptr<SecretTree> Successor(const SecretTree& tree) {
  const UniqueFd state =
      *EncodeTree({.tree = tree.Save(), .cache = CacheProfile::kPage, .init = {}});
  return *SecretTree::Restore(DecodeTree(state)->tree);
}

std::string Read(const SecretTree& tree, std::uint64_t inode, std::uint64_t handle) {
  const auto content = tree.Content(inode, handle);
  return content ? std::string((*content)->Reveal()) : "errno " + std::to_string(content.error());
}

TEST(TreeRestoreTest, AnswersForWhatThePredecessorGaveOut) {
  const auto old = NewTree("one");
  const std::uint64_t key = TreeWalker(*old).Walk("key")->inode;
  const std::uint64_t link = old->Lookup(kRootInode, "key")->inode;
  const std::uint64_t file = old->OpenFile(key)->handle;
  const std::uint64_t folder = *old->OpenFolder(kRootInode);
  Rotate(*old, "two");
  const std::uint64_t second_file = old->OpenFile(TreeWalker(*old).Walk("key")->inode)->handle;

  const auto restored = Successor(*old);
  EXPECT_EQ(*TreeWalker(*restored).Read("key"), "two");
  EXPECT_EQ(Read(*restored, key, file), "one");
  EXPECT_EQ(Read(*restored, TreeWalker(*restored).Walk("key")->inode, second_file), "two");
  EXPECT_EQ(*restored->ReadLink(link), "..data/key");
  EXPECT_TRUE(restored->List(kRootInode, folder, 0, 10));
  EXPECT_EQ(restored->GetAttributes(link)->inode, link);
}

TEST(TreeRestoreTest, WhatItDoesNotKnowIsNotCountedWhenClosed) {
  const auto old = NewTree("one");
  const std::uint64_t key = TreeWalker(*old).Walk("key")->inode;
  const std::uint64_t inherited = old->OpenFile(key)->handle;
  const std::uint64_t inherited_folder = *old->OpenFolder(kRootInode);

  const auto restored = Successor(*old);
  const std::uint64_t own = restored->OpenFile(key)->handle;
  EXPECT_NE(own, inherited);
  restored->CloseFile(key, inherited);
  restored->CloseFile(key, inherited);
  restored->CloseFolder(inherited_folder);
  const auto rotations = static_cast<int>(SecretTree::kInheritedRotations) + 3;
  for (int i = 0; i < rotations; ++i) Rotate(*restored, "later " + std::to_string(i));
  EXPECT_EQ(Read(*restored, key, own), "one");
  restored->CloseFile(key, own);
  EXPECT_EQ(restored->Retained().size(), 2u);
}

TEST(TreeRestoreTest, RetainsTheInheritedForABoundedNumberOfRotations) {
  const auto old = NewTree("one");
  const std::uint64_t key = TreeWalker(*old).Walk("key")->inode;
  const std::uint64_t inherited = old->OpenFile(key)->handle;
  const auto restored = Successor(*old);
  for (std::uint64_t i = 0; i < SecretTree::kInheritedRotations; ++i) {
    Rotate(*restored, "later " + std::to_string(i));
    EXPECT_EQ(Read(*restored, key, inherited), "one");
  }
  Rotate(*restored, "last");
  EXPECT_EQ(Read(*restored, key, inherited), "errno " + std::to_string(ESTALE));
  EXPECT_EQ(restored->Retained().size(), 2u);
}

TEST(TreeRestoreTest, AnInheritedFileKeepsItsSizeUntilItExpires) {
  const auto old = NewTree("one");
  const std::uint64_t key = TreeWalker(*old).Walk("key")->inode;
  const auto restored = Successor(*old);
  const auto rotation = restored->Publish(SpecOf({{"key", "longer"}}), kTime);
  ASSERT_TRUE(rotation && *rotation);
  restored->Settle((*rotation)->current->Number());
  EXPECT_EQ(restored->GetAttributes(key)->size, 3u);
  restored->Expire((*rotation)->current->Number());
  EXPECT_EQ(restored->GetAttributes(key)->size, 6u);
}

TEST(TreeRestoreTest, ShowsWhatWasPreparedAndSaved) {
  const auto old = NewTree("one");
  ASSERT_TRUE(old->Prepare(SpecOf({{"new", "value"}}), kTime));
  EXPECT_EQ(*TreeWalker(*old).Read("key"), "one");
  EXPECT_EQ(TreeWalker(*old).Walk("new").error(), ENOENT);
  const auto restored = Successor(*old);
  EXPECT_EQ(*TreeWalker(*restored).Read("new"), "value");
  EXPECT_EQ(restored->SettledNumber(), kFirst);
  const auto rotation = restored->LastRotation();
  ASSERT_TRUE(rotation);
  EXPECT_EQ(rotation->previous->Number(), kFirst);
  EXPECT_EQ(rotation->removed_keys, (std::vector<std::string>{"app", "key"}));

  old->Commit();
  EXPECT_EQ(*TreeWalker(*old).Read("new"), "value");
}

TEST(TreeRestoreTest, NumbersArePreparedOnce) {
  const auto tree = NewTree("one");
  const auto first = tree->Prepare(SpecOf({{"key", "two"}}), kTime);
  const std::uint64_t dropped = (*first)->current->Number();
  tree->Abandon();
  tree->Commit();
  EXPECT_EQ(*TreeWalker(*tree).Read("key"), "one");
  const auto second = tree->Prepare(SpecOf({{"key", "three"}}), kTime);
  EXPECT_GT((*second)->current->Number(), dropped);
}

TEST(TreeRestoreTest, RefusesAStateThatDoesNotFitTogether) {
  const auto tree = NewTree("one");
  Rotate(*tree, "two");
  TreeState unknown_settled = tree->Save();
  unknown_settled.settled_number += 5;
  EXPECT_FALSE(SecretTree::Restore(unknown_settled));
  TreeState descending = tree->Save();
  std::swap(descending.generations[0], descending.generations[1]);
  EXPECT_FALSE(SecretTree::Restore(descending));
  EXPECT_FALSE(SecretTree::Restore({}));
}

}  // namespace
}  // namespace escagent::fuse
