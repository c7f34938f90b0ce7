// What a helper that rotates by renames may do, and what everybody sees meanwhile.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "fuse/secret_tree.h"
#include "fuse/tree_codec.h"
#include "tests/unit/fuse/spec_builder.h"
#include "tests/unit/fuse/tree_walker.h"

namespace escagent::fuse {
namespace {

constexpr Generation::Time kTime{std::chrono::seconds{1000}};
constexpr std::uint64_t kOld = 1700000000;
constexpr std::uint64_t kNew = kOld + 1;
const std::string kOldFolder = "..1700000000";
const std::string kNewFolder = "..1700000001";

std::unique_ptr<SecretTree> NewTree() {
  return *SecretTree::Create(SpecOf({{"app/gone", "1"}, {"key", "1"}}), kOld, kTime);
}

void Prepare(SecretTree& tree) {
  const auto rotation = tree.Prepare(SpecOf({{"key", "2"}, {"new", "2"}}), kTime);
  ASSERT_TRUE(rotation && *rotation);
}

std::unique_ptr<SecretTree> Successor(const SecretTree& tree) {
  const UniqueFd state = *EncodeTree({.tree = tree.Save(), .init = {}});
  return *SecretTree::Restore(DecodeTree(state)->tree);
}

template <class T>
int ErrnoOf(const Reply<T>& reply) {
  return reply ? 0 : reply.error();
}

using Step = std::function<int(SecretTree&)>;

Step MakeFolder(const std::string& name, std::uint64_t parent = kRootInode) {
  return [=](SecretTree& tree) { return ErrnoOf(tree.MakeFolder(parent, name)); };
}
Step MakeLink(const std::string& name, const std::string& target,
              std::uint64_t parent = kRootInode) {
  return [=](SecretTree& tree) { return ErrnoOf(tree.MakeLink(parent, name, target)); };
}
Step Rename(const std::string& from, const std::string& to, std::uint64_t from_folder = kRootInode,
            std::uint64_t to_folder = kRootInode) {
  return [=](SecretTree& tree) { return ErrnoOf(tree.Rename(from_folder, from, to_folder, to)); };
}
Step Unlink(const std::string& name, std::uint64_t parent = kRootInode) {
  return [=](SecretTree& tree) { return ErrnoOf(tree.Unlink(parent, name)); };
}
Step Touch(std::uint64_t inode) {
  return [=](SecretTree& tree) { return ErrnoOf(tree.Touch(inode)); };
}

// The steps in their order.
const std::vector<Step>& Steps() {
  static const std::vector<Step> steps = {MakeFolder(kNewFolder),
                                          MakeLink("..data_tmp", kNewFolder),
                                          Rename("..data_tmp", "..data"),
                                          MakeLink("new", "..data/new"),
                                          Unlink("app"),
                                          Touch(MakeInode({kOld, kFirstNameIndex + 2}))};
  return steps;
}

// A tree with the first `count` of them done.
std::unique_ptr<SecretTree> TreeAfter(std::size_t count) {
  auto tree = NewTree();
  Prepare(*tree);
  for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(Steps()[i](*tree), 0) << i;
  return tree;
}

struct Named {
  std::string name;
  Step step;
};

// Everything that somebody may try, with a name.
std::vector<Named> Attempts() {
  const std::uint64_t folder = MakeInode({kOld, kFolderIndex});
  std::vector<Named> all;
  for (const char* name : {"..1700000000", "..1700000001", "..1700000002", "..x", "..data",
                           "..data_tmp", "new", "key", "x", ""}) {
    const std::string text = name;
    all.push_back({"mkdir " + text, MakeFolder(text)});
    all.push_back({"mkdir below " + text, MakeFolder(text, folder)});
    all.push_back({"unlink " + text, Unlink(text)});
    all.push_back({"unlink below " + text, Unlink(text, folder)});
    all.push_back({"rename tmp " + text, Rename("..data_tmp", text)});
    all.push_back({"rename data " + text, Rename(text, "..data")});
    for (const char* target : {"..1700000000", "..1700000001", "..1700000002", "..data/new",
                               "..data/key", "..data/app", "..data/", "/etc/passwd", ""}) {
      all.push_back({"link " + text + " " + target, MakeLink(text, target)});
      all.push_back({"link below " + text, MakeLink(text, target, folder)});
    }
  }
  all.push_back({"rename from below", Rename("..data_tmp", "..data", folder, kRootInode)});
  all.push_back({"rename to below", Rename("..data_tmp", "..data", kRootInode, folder)});
  all.push_back({"unlink app", Unlink("app")});
  all.push_back({"link app", MakeLink("app", "..data/app")});
  all.push_back({"touch old", Touch(MakeInode({kOld, kFirstNameIndex + 2}))});
  all.push_back({"touch old below", Touch(MakeInode({kOld, kFirstNameIndex + 1}))});
  all.push_back({"touch old folder", Touch(folder)});
  all.push_back({"touch folder below", Touch(MakeInode({kOld, kFirstNameIndex}))});
  all.push_back({"touch new", Touch(MakeInode({kNew, kFirstNameIndex + 2}))});
  all.push_back({"touch unknown", Touch(MakeInode({kOld - 1, kFirstNameIndex + 2}))});
  all.push_back({"touch root", Touch(kRootInode)});
  all.push_back({"touch link", Touch(MakeInode({0, kFirstNameIndex + 2}))});
  return all;
}

// Those of them that are taken, each tried on a tree of its own; all others are EROFS.
std::set<std::string> Taken(const std::function<std::unique_ptr<SecretTree>()>& make_tree) {
  std::set<std::string> taken;
  for (const Named& attempt : Attempts()) {
    const auto tree = make_tree();
    const int error = attempt.step(*tree);
    if (error == 0) taken.insert(attempt.name);
    EXPECT_TRUE(error == 0 || error == EROFS) << attempt.name << ": " << error;
  }
  return taken;
}

using Names = std::set<std::string>;

Names operator+(Names a, const Names& b) {
  a.insert(b.begin(), b.end());
  return a;
}

// Of a helper that comes late, or again.
const Names kHarmless = {"unlink ..data_tmp"};
const Names kOfOld = {"mkdir ..1700000000", "link ..data_tmp ..1700000000"};
const Names kOfNew = {"mkdir ..1700000001", "link ..data_tmp ..1700000001"};
const Names kRename = {"rename tmp ..data", "rename data ..data_tmp"};
const Names kOldKey = {"link key ..data/key", "link app"};
const Names kAfter = {"link new ..data/new", "link key ..data/key", "unlink app", "touch old",
                      "touch old below"};

TEST(TreeRenameTest, TakesNothingButItsSteps) {
  // Nothing prepared: only a helper of the rotation before, which is done.
  EXPECT_EQ(Taken(NewTree), kHarmless + kOfOld + kRename + kOldKey);
  EXPECT_EQ(Taken([] { return TreeAfter(0); }), kHarmless + kOfOld + kOfNew + kOldKey);
  EXPECT_EQ(Taken([] { return TreeAfter(1); }), kHarmless + kOfOld + kOfNew + kOldKey);
  EXPECT_EQ(Taken([] { return TreeAfter(2); }), kHarmless + kOfOld + kOfNew + kOldKey + kRename);
  for (std::size_t done = 3; done <= Steps().size(); ++done) {
    SCOPED_TRACE(done);
    EXPECT_EQ(Taken([&] { return TreeAfter(done); }), kHarmless + kOfNew + kRename + kAfter);
    EXPECT_EQ(Taken([&] {
                auto tree = TreeAfter(done);
                tree->FinishRotation();
                return tree;
              }),
              kHarmless + kOfNew + kRename + kAfter);
  }
}

TEST(TreeRenameTest, ASuccessorTakesThemAllAndNothingElse) {
  for (std::size_t done = 0; done <= Steps().size(); ++done) {
    SCOPED_TRACE(done);
    const auto saved_when_prepared = [&] {
      const auto old = TreeAfter(0);
      auto successor = Successor(*old);
      for (std::size_t i = 0; i < done; ++i) EXPECT_EQ(Steps()[i](*old), 0);
      return successor;
    };
    EXPECT_EQ(Taken(saved_when_prepared), kHarmless + kOfNew + kRename + kAfter);
    // The helper goes on where it was, or begins anew.
    for (const std::size_t from : {done, std::size_t{0}}) {
      const auto successor = saved_when_prepared();
      EXPECT_EQ(successor->CurrentNumber(), kNew);
      for (std::size_t i = from; i < Steps().size(); ++i) EXPECT_EQ(Steps()[i](*successor), 0) << i;
      successor->FinishRotation();
      EXPECT_EQ(*TreeWalker(*successor).Read("key"), "2");
      EXPECT_EQ(*TreeWalker(*successor).Read("new"), "2");
      EXPECT_EQ(successor->Lookup(kRootInode, "app").error(), ENOENT);
      EXPECT_EQ(successor->Lookup(kRootInode, "..data_tmp").error(), ENOENT);
    }
  }
}

TEST(TreeRenameTest, TheRootChangesStepByStep) {
  const auto errno_of = [](const SecretTree& tree, const std::string& name) {
    return ErrnoOf(tree.Lookup(kRootInode, name));
  };
  struct Shown {
    int new_folder, link, new_key, old_key;
    std::string data;
  };
  const std::vector<Shown> expected = {
      {ENOENT, ENOENT, ENOENT, 0, kOldFolder}, {0, ENOENT, ENOENT, 0, kOldFolder},
      {0, 0, ENOENT, 0, kOldFolder},           {0, ENOENT, ENOENT, 0, kNewFolder},
      {0, ENOENT, 0, 0, kNewFolder},           {0, ENOENT, 0, ENOENT, kNewFolder},
      {0, ENOENT, 0, ENOENT, kNewFolder}};
  for (std::size_t done = 0; done < expected.size(); ++done) {
    SCOPED_TRACE(done);
    const auto tree = TreeAfter(done);
    EXPECT_EQ(errno_of(*tree, kNewFolder), expected[done].new_folder);
    EXPECT_EQ(errno_of(*tree, "..data_tmp"), expected[done].link);
    EXPECT_EQ(errno_of(*tree, "new"), expected[done].new_key);
    EXPECT_EQ(errno_of(*tree, "app"), expected[done].old_key);
    EXPECT_EQ(errno_of(*tree, "key"), 0);
    EXPECT_EQ(*tree->ReadLink(tree->Lookup(kRootInode, "..data")->inode), expected[done].data);
    EXPECT_EQ(*TreeWalker(*tree).Read("key"), done < 3 ? "1" : "2");

    // Given up here: the agent does the rest.
    tree->Commit();
    tree->FinishRotation();
    tree->FinishRotation();
    EXPECT_EQ(*TreeWalker(*tree).Read("key"), "2");
    EXPECT_EQ(*TreeWalker(*tree).Read("new"), "2");
    EXPECT_EQ(errno_of(*tree, "app"), ENOENT);
  }
}

TEST(TreeRenameTest, ThePreparedFolderCanBeReadOnceItIsMade) {
  const auto tree = TreeAfter(1);
  const TreeWalker walker(*tree);
  EXPECT_EQ(*walker.Read(kNewFolder + "/new"), "2");
  const NodeAttributes file = *walker.Walk(kNewFolder + "/key");
  EXPECT_FALSE(SplitInode(file.inode).pinned);
  EXPECT_FALSE(file.cacheable);
  EXPECT_EQ(walker.List(MakeInode({kNew, kFolderIndex})).size(), 4u);
  const std::uint64_t handle = tree->OpenFile(file.inode)->handle;
  tree->Commit();
  EXPECT_EQ((*tree->Content(file.inode, handle))->Reveal(), "2");
  tree->CloseFile(file.inode, handle);
  EXPECT_FALSE(tree->Current()->HasOpens());
}

TEST(TreeRenameTest, AnAbandonedFolderIsGone) {
  const auto tree = TreeAfter(2);
  tree->Abandon();
  EXPECT_EQ(tree->Lookup(kRootInode, kNewFolder).error(), ENOENT);
  EXPECT_EQ(ErrnoOf(tree->Rename(kRootInode, "..data_tmp", kRootInode, "..data")), EROFS);
  EXPECT_EQ(tree->CurrentNumber(), kOld);
}

TEST(TreeRenameTest, TheNewLinkIsAnotherInodeThanDataWithTheSameTarget) {
  const auto tree = TreeAfter(2);
  const NodeAttributes link = *tree->Lookup(kRootInode, "..data_tmp");
  tree->Commit();
  const NodeAttributes data = *tree->Lookup(kRootInode, "..data");
  EXPECT_NE(link.inode, data.inode);
  EXPECT_EQ(*tree->ReadLink(link.inode), *tree->ReadLink(data.inode));
  EXPECT_EQ(tree->GetAttributes(link.inode)->inode, link.inode);
}

// Watchers watch them, and subPaths are bound to them.
TEST(TreeRenameTest, TheHelperMeetsTheFilesThatReadersMet) {
  const auto tree = TreeAfter(0);
  const TreeWalker walker(*tree);
  const std::uint64_t file = walker.Walk("key")->inode;
  const std::uint64_t folder = MakeInode({kOld, kFolderIndex});
  for (const Step& step : Steps()) {
    EXPECT_EQ(step(*tree), 0);
    EXPECT_EQ(tree->Lookup(folder, "key")->inode, file);
    EXPECT_EQ(*walker.ReadInode(file), "1");
  }
  EXPECT_EQ(Successor(*tree)->Lookup(folder, "key")->inode, file);
  tree->FinishRotation();
  EXPECT_TRUE(SplitInode(tree->Lookup(folder, "key")->inode).pinned);
  tree->Settle(kNew);
  EXPECT_EQ(*walker.ReadInode(file), "2");
}

TEST(TreeRenameTest, SettlingEndsARotationThatIsNotFinished) {
  const auto tree = TreeAfter(3);
  tree->Settle(kNew);
  EXPECT_EQ(*TreeWalker(*tree).Read("new"), "2");
  EXPECT_EQ(tree->Lookup(kRootInode, "app").error(), ENOENT);
}

TEST(TreeRenameTest, KeysThatComeAndGoThroughRotationsThatAreNotFinished) {
  const auto tree = TreeAfter(3);
  const TreeWalker walker(*tree);
  // "new" goes again before it came, "app" comes back before it went, "key" goes.
  ASSERT_TRUE(*tree->Prepare(SpecOf({{"app/gone", "3"}}), kTime));
  const std::string folder = "..1700000002";
  for (const Step& step :
       {MakeFolder(folder), MakeLink("..data_tmp", folder), Rename("..data_tmp", "..data")}) {
    ASSERT_EQ(step(*tree), 0);
  }
  EXPECT_EQ(*walker.Read("app/gone"), "3");
  EXPECT_EQ(tree->Lookup(kRootInode, "new").error(), ENOENT);
  EXPECT_TRUE(tree->Lookup(kRootInode, "key"));
  EXPECT_EQ(walker.Read("key").error(), ENOENT);
  EXPECT_EQ(Unlink("key")(*tree), 0);
  EXPECT_EQ(tree->Lookup(kRootInode, "key").error(), ENOENT);
}

TEST(TreeRenameTest, ALinkOfAnEarlierRotationIsKnownToASuccessor) {
  const auto tree = TreeAfter(2);
  tree->Commit();
  tree->FinishRotation();
  tree->Settle(kNew);
  ASSERT_TRUE(*tree->Prepare(SpecOf({{"key", "3"}}), kTime));
  const auto successor = Successor(*tree);
  EXPECT_EQ(successor->CurrentNumber(), kNew + 1);
  EXPECT_EQ(*successor->ReadLink(successor->Lookup(kRootInode, "..data_tmp")->inode), kNewFolder);
  EXPECT_EQ(Rename("..data_tmp", "..data")(*successor), EROFS);
  EXPECT_EQ(Unlink("..data_tmp")(*successor), 0);
  EXPECT_EQ(MakeLink("..data_tmp", "..1700000002")(*successor), 0);
  EXPECT_EQ(Rename("..data_tmp", "..data")(*successor), 0);

  TreeState damaged = tree->Save();
  damaged.link_number = kNew + 2;
  EXPECT_FALSE(SecretTree::Restore(damaged));
}

TEST(TreeRenameTest, WhoAsksThroughAnOpenFileIsToldOfItsBytes) {
  const auto tree = NewTree();
  const TreeWalker walker(*tree);
  const std::uint64_t file = walker.Walk("key")->inode;
  const std::uint64_t handle = tree->OpenFile(file)->handle;
  EXPECT_TRUE(tree->GetAttributes(file, handle)->cacheable);
  ASSERT_TRUE(walker.Rotate(SpecOf({{"key", "longer"}})));
  // A successor does not know of it, and takes it for closed in the end.
  const auto successor = Successor(*tree);
  EXPECT_EQ(successor->GetAttributes(file)->size, 6u);
  EXPECT_EQ(successor->GetAttributes(file, handle)->size, 1u);
  EXPECT_EQ(successor->GetAttributes(file, handle)->time, kTime);
  EXPECT_FALSE(successor->GetAttributes(file, handle)->cacheable);
  EXPECT_EQ(successor->GetAttributes(file, 12345)->size, 6u);
}

}  // namespace
}  // namespace escagent::fuse
