#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "fuse/secret_tree.h"

namespace escagent::fuse {

// Walks a SecretTree as the kernel does: part by part, following symlinks from the folder they are
// in.
class TreeWalker {
 public:
  explicit TreeWalker(SecretTree& tree) : tree_(tree) {}

  // The attributes of what `path` leads to.
  Reply<NodeAttributes> Walk(std::string_view path) const {
    Reply<NodeAttributes> at = tree_.GetAttributes(kRootInode);
    for (const std::string_view part : Split(path, '/')) {
      if (!at) return at;
      const std::uint64_t folder = at->inode;
      at = tree_.Lookup(folder, part);
      if (at && S_ISLNK(at->mode)) {
        const Reply<std::string> target = tree_.ReadLink(at->inode);
        if (!target) return std::unexpected(target.error());
        // All our symlinks are in the root.
        at = Walk(*target);
      }
    }
    return at;
  }

  // What open, read and close of an inode give.
  Reply<std::string> ReadInode(std::uint64_t inode) const {
    const Reply<OpenedFile> file = tree_.OpenFile(inode);
    if (!file) return std::unexpected(file.error());
    const auto content = tree_.Content(inode, file->handle);
    tree_.CloseFile(inode, file->handle);
    if (!content) return std::unexpected(content.error());
    return std::string((*content)->Reveal());
  }

  Reply<std::string> Read(std::string_view path) const {
    const Reply<NodeAttributes> at = Walk(path);
    if (!at) return std::unexpected(at.error());
    return ReadInode(at->inode);
  }

  // The names in a folder with their types, read in parts of `step`.
  std::map<std::string, mode_t> List(std::uint64_t inode, std::size_t step = 3) const {
    std::map<std::string, mode_t> names;
    const Reply<std::uint64_t> handle = tree_.OpenFolder(inode);
    if (!handle) return names;
    for (std::size_t offset = 0;; offset += step) {
      const auto entries = tree_.List(inode, *handle, offset, step);
      if (!entries || entries->empty()) break;
      for (const FolderEntry& entry : *entries) names.emplace(entry.name, entry.type);
    }
    tree_.CloseFolder(*handle);
    return names;
  }

  // A rotation with all that follows it.
  bool Rotate(const VolumeSpec& spec) const {
    const auto rotation = tree_.Publish(spec, tree_.Current()->CreatedAt());
    if (!rotation || !*rotation) return false;
    tree_.Settle((*rotation)->current->Number());
    tree_.Expire((*rotation)->current->Number());
    return true;
  }

 private:
  SecretTree& tree_;
};

}  // namespace escagent::fuse
