// Random volumes and random histories against a model that is a map from path to content.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "fuse/secret_tree.h"
#include "tests/unit/fuse/spec_builder.h"
#include "tests/unit/fuse/tree_walker.h"

namespace escagent::fuse {
namespace {

constexpr std::uint64_t kFirst = 1000;
constexpr int kHistories = 60;
constexpr int kSteps = 60;

using Model = std::map<std::string, std::string>;

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  std::size_t Below(std::size_t n) { return random_() % n; }

  // Names from a small set, so that keys come back and files turn into folders.
  Model MakeModel() {
    static const std::vector<std::string> kNames = {"a", "b", "key", "long-name-of-a-key", "~"};
    Model model;
    for (std::size_t i = Below(8); i > 0; --i) {
      std::string path = kNames[Below(kNames.size())];
      for (std::size_t depth = Below(3); depth > 0; --depth) {
        path += "/" + kNames[Below(kNames.size())];
      }
      if (!ClashesWith(model, path)) model[path] = std::string(Below(40), 'x') + std::to_string(i);
    }
    return model;
  }

 private:
  static bool ClashesWith(const Model& model, const std::string& path) {
    for (const auto& [other, content] : model) {
      if (other.starts_with(path + "/") || path.starts_with(other + "/")) return true;
    }
    return false;
  }

  std::mt19937 random_;
};

VolumeSpec ToSpec(const Model& model) { return SpecOf({model.begin(), model.end()}); }

// Every file below `inode`, read through listings; also checks that listing and lookup agree.
void Collect(const SecretTree& tree, const TreeWalker& walker, std::uint64_t inode,
             const std::string& prefix, Model& out, std::set<std::uint64_t>& inodes) {
  EXPECT_TRUE(inodes.insert(inode).second) << "two entries have one inode";
  for (const auto& [name, type] : walker.List(inode)) {
    if (name == "." || name == "..") continue;
    const auto child = tree.Lookup(inode, name);
    ASSERT_TRUE(child) << prefix << name;
    EXPECT_EQ(child->mode & S_IFMT, type);
    EXPECT_EQ(tree.GetAttributes(child->inode)->mode, child->mode);
    if (type == S_IFDIR) {
      Collect(tree, walker, child->inode, prefix + name + "/", out, inodes);
    } else {
      EXPECT_TRUE(inodes.insert(child->inode).second);
      const auto bytes = walker.ReadInode(child->inode);
      ASSERT_TRUE(bytes);
      EXPECT_EQ(child->size, bytes->size());
      out[prefix + name] = *bytes;
    }
  }
}

struct OpenInHistory {
  std::uint64_t inode = 0;
  std::uint64_t handle = 0;
  std::string bytes;
};

class History {
 public:
  explicit History(unsigned seed)
      : generator_(seed),
        model_(generator_.MakeModel()),
        tree_(*SecretTree::Create(ToSpec(model_), kFirst, Generation::Time{})),
        walker_(*tree_) {}

  void Run() {
    for (int step = 0; step < kSteps; ++step) {
      switch (generator_.Below(4)) {
        case 0:
          Rotate();
          break;
        case 1:
          OpenOne();
          break;
        case 2:
          CloseOne();
          break;
        default:
          break;
      }
      CheckCurrent();
      CheckHeld();
      if (::testing::Test::HasFailure()) return;
    }
    while (!open_.empty()) CloseOne();
    EXPECT_LE(tree_->Retained().size(), 2u);
  }

 private:
  void Rotate() {
    Model next = generator_.MakeModel();
    EXPECT_EQ(walker_.Rotate(ToSpec(next)), next != model_);
    model_ = std::move(next);
  }

  void OpenOne() {
    if (model_.empty()) return;
    auto it = model_.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(generator_.Below(model_.size())));
    const std::uint64_t inode = walker_.Walk(it->first)->inode;
    held_[inode] = it->first;
    open_.push_back({inode, tree_->OpenFile(inode)->handle, it->second});
  }

  void CloseOne() {
    if (open_.empty()) return;
    const std::size_t which = generator_.Below(open_.size());
    tree_->CloseFile(open_[which].inode, open_[which].handle);
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(which));
  }

  void CheckCurrent() {
    Model shown;
    std::set<std::uint64_t> inodes;
    Collect(*tree_, walker_, walker_.Walk("..data")->inode, "", shown, inodes);
    EXPECT_EQ(shown, model_);
    std::set<std::string> keys;
    for (const auto& [path, content] : model_) {
      keys.insert(path.substr(0, path.find('/')));
      EXPECT_EQ(*walker_.Read(path), content);
    }
    EXPECT_EQ(walker_.List(kRootInode).size(), keys.size() + 4);
    EXPECT_LE(tree_->Retained().size(), 2 + open_.size());
  }

  // Open files keep their bytes; inodes held without being open show the current ones.
  void CheckHeld() {
    for (const OpenInHistory& file : open_) {
      const auto content = tree_->Content(file.inode, file.handle);
      ASSERT_TRUE(content);
      EXPECT_EQ((*content)->Reveal(), file.bytes);
    }
    for (const auto& [inode, path] : held_) {
      const auto bytes = walker_.ReadInode(inode);
      if (const auto it = model_.find(path); it != model_.end()) {
        ASSERT_TRUE(bytes) << path;
        EXPECT_EQ(*bytes, it->second);
      } else {
        ASSERT_FALSE(bytes) << path;
        EXPECT_EQ(bytes.error(), ENOENT);
      }
    }
  }

  Generator generator_;
  Model model_;
  const std::unique_ptr<SecretTree> tree_;
  const TreeWalker walker_;
  std::vector<OpenInHistory> open_;
  std::map<std::uint64_t, std::string> held_;
};

TEST(SecretTreeModelTest, AgreesWithAMapThroughRandomHistories) {
  for (unsigned seed = 1; seed <= kHistories; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History(seed).Run();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace escagent::fuse
