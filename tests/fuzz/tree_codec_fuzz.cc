// What a predecessor saved of a volume: reading any bytes must neither crash nor hang, and what was
// read can be shown, and written again reads back equal.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fuse/secret_tree.h"
#include "fuse/tree_codec.h"

using escagent::Result;
using escagent::fuse::SavedVolume;
using escagent::fuse::SecretTree;

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

void Show(SecretTree& tree) {
  const auto link = tree.Lookup(escagent::fuse::kRootInode, "..data");
  Require(link && tree.ReadLink(link->inode));
  const auto handle = tree.OpenFolder(escagent::fuse::kRootInode);
  Require(handle.has_value());
  const auto entries = tree.List(escagent::fuse::kRootInode, *handle, 0, 1000);
  Require(entries.has_value());
  for (const auto& entry : *entries) Require(tree.GetAttributes(entry.inode).has_value());
  tree.CloseFolder(*handle);
  // A helper may be at work.
  const std::string folder = tree.Current()->FolderName();
  Require(tree.MakeLink(escagent::fuse::kRootInode, "..data_tmp", folder).has_value());
  Require(
      tree.Rename(escagent::fuse::kRootInode, "..data_tmp", escagent::fuse::kRootInode, "..data")
          .has_value());
  tree.FinishRotation();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Result<SavedVolume> saved =
      escagent::fuse::DecodeTreeBytes({reinterpret_cast<const char*>(data), size});
  if (!saved) return 0;
  const auto tree = SecretTree::Restore(saved->tree);
  if (!tree) return 0;
  Show(**tree);

  const auto memfd = escagent::fuse::EncodeTree(*saved);
  Require(memfd.has_value());
  const Result<SavedVolume> again = escagent::fuse::DecodeTree(*memfd);
  Require(again && again->metadata == saved->metadata &&
          again->tree.link_number == saved->tree.link_number &&
          again->tree.names == saved->tree.names &&
          again->tree.generations.size() == saved->tree.generations.size());
  for (std::size_t i = 0; i < saved->tree.generations.size(); ++i) {
    Require(again->tree.generations[i]->ShowsSameAs(*saved->tree.generations[i]));
  }
  return 0;
}
