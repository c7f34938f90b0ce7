#include "fuse/secret_tree.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <iterator>
#include <utility>

namespace escagent::fuse {
namespace {

// The current generation and the one before it, so that a path walk which a rotation overtakes
// still arrives.
constexpr std::size_t kAlwaysRetained = 2;

NodeAttributes CommonAttributes(const Generation& generation, const InodeParts& parts) {
  NodeAttributes attributes;
  attributes.inode = MakeInode(parts);
  attributes.uid = generation.Uid();
  attributes.gid = generation.Gid();
  attributes.time = generation.CreatedAt();
  return attributes;
}

NodeAttributes FolderAttributes(const Generation& generation, const InodeParts& parts,
                                const GenerationNode& node) {
  NodeAttributes attributes = CommonAttributes(generation, parts);
  attributes.mode = S_IFDIR | node.mode;
  attributes.size = 4096;
  attributes.links = 2 + node.folder_count;
  return attributes;
}

NodeAttributes FileAttributes(const Generation& generation, const InodeParts& parts,
                              const GenerationNode& node) {
  NodeAttributes attributes = CommonAttributes(generation, parts);
  attributes.mode = S_IFREG | node.mode;
  attributes.size = node.content->Size();
  return attributes;
}

NodeAttributes RootAttributes(const Generation& current) {
  NodeAttributes attributes = CommonAttributes(current, SplitInode(kRootInode));
  attributes.mode = S_IFDIR | current.FolderMode();
  attributes.size = 4096;
  attributes.links = 3;  // ".", ".." of the generation's folder, and itself
  attributes.cacheable = true;
  return attributes;
}

// A symlink never changes: its target is a function of its inode.
NodeAttributes LinkAttributes(const Generation& generation, const InodeParts& parts,
                              std::size_t target_size) {
  NodeAttributes attributes = CommonAttributes(generation, parts);
  attributes.mode = S_IFLNK | 0777;
  attributes.size = target_size;
  attributes.cacheable = true;
  return attributes;
}

// The number in "..1732460000", 0 when `name` is not the name of a generation's folder.
std::uint64_t ParseFolderName(std::string_view name) {
  std::uint64_t number = 0;
  if (!name.starts_with("..")) return 0;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + 2, end, number);
  return error == std::errc() && stop == end ? number : 0;
}

}  // namespace

const Generation* SecretTree::State::Find(std::uint64_t number) const {
  if (prepared_has_folder && prepared->Number() == number) return prepared.get();
  for (auto it = retained.rbegin(); it != retained.rend(); ++it) {
    if ((*it)->Number() == number) return it->get();
  }
  return nullptr;
}

const Generation& SecretTree::State::Shown(const InodeParts& parts) const {
  const Generation* const own = Find(parts.generation);
  if (own == nullptr) return *settled;
  const bool follows = !parts.pinned && own->Number() < settled->Number() &&
                       (own->Number() < expired_before || !IsFolderOpen(*own));
  return follows ? *settled : *own;
}

bool SecretTree::State::IsFolderOpen(const Generation& generation) const {
  return generation.HasOpenFolders() || std::ranges::find(held, generation.Number()) != held.end();
}

bool SecretTree::State::MayBeOpen(const Generation& generation, std::uint32_t index) const {
  return generation.HasOwnOpenFiles(index) ||
         (generation.Number() <= inherited_until && generation.Number() >= expired_before);
}

bool SecretTree::State::IsRetired(const Generation& generation) const {
  if (generation.Number() >= Current().Number()) return false;
  // The helper must meet the inodes that watchers watch and subPaths are bound to.
  return !in_transition || &generation != std::prev(retained.end(), 2)->get();
}

const GenerationNode* SecretTree::State::FindVisibleKey(std::string_view name) const {
  const GenerationNode* const key = Current().FindChild(Current().Root(), name);
  if (key != nullptr && !std::ranges::binary_search(missing_keys, key->index)) return key;
  if (leftover_keys.empty()) return nullptr;
  for (const auto& generation : retained) {
    const GenerationNode* const old = generation->FindChild(generation->Root(), name);
    if (old != nullptr && std::ranges::binary_search(leftover_keys, old->index)) return old;
  }
  return nullptr;
}

const std::string* SecretTree::State::FindKey(std::uint32_t index) const {
  for (auto it = retained.rbegin(); it != retained.rend(); ++it) {
    if (const std::string* key = (*it)->FindKey(index)) return key;
  }
  return nullptr;
}

std::shared_ptr<const SecretTree::State> SecretTree::Snapshot() const {
  MutexLock lock(mutex_);
  return state_;
}

void SecretTree::SwapState(std::shared_ptr<State> state) {
  DropUnused(*state);
  state_ = std::move(state);
}

// Runs under the mutex, as OpenFile does: a generation cannot be dropped between being found and
// being marked as open.
void SecretTree::DropUnused(State& state) const {
  const std::size_t keep_from =
      state.retained.size() - std::min(state.retained.size(), kAlwaysRetained);
  const auto first_kept = state.retained.begin() + static_cast<std::ptrdiff_t>(keep_from);
  const auto unused = std::remove_if(
      state.retained.begin(), first_kept, [&state](const std::shared_ptr<const Generation>& g) {
        const bool inherited = g->Number() <= state.inherited_until &&
                               g->Number() + kInheritedRotations >= state.Current().Number();
        return !inherited && !g->HasOpens() && g->Number() < state.settled->Number() &&
               g->Number() < state.expired_before;
      });
  state.retained.erase(unused, first_kept);
}

Reply<NodeAttributes> SecretTree::Lookup(std::uint64_t folder, std::string_view name) const {
  if (name.size() > NAME_MAX) return std::unexpected(ENAMETOOLONG);
  const std::shared_ptr<const State> state = Snapshot();
  const Generation& current = state->Current();
  if (folder == kRootInode) {
    if (name == kDataLink) {
      return LinkAttributes(current, {.generation = current.Number(), .index = kDataLinkIndex},
                            current.FolderName().size());
    }
    if (name == kNewDataLink) {
      if (state->link_number == 0) return std::unexpected(ENOENT);
      // Pinned, so that it is not what ..data leads to: renaming to the same inode does nothing.
      return GetAttributes(
          MakeInode({.generation = state->link_number, .index = kDataLinkIndex, .pinned = true}));
    }
    if (const std::uint64_t number = ParseFolderName(name); number != 0) {
      if (state->Find(number) != nullptr) {
        return GetAttributes(MakeInode({.generation = number, .index = kFolderIndex}));
      }
      // A walk that several rotations overtook: ESTALE makes the kernel start it again.
      return std::unexpected(number >= state->first_number && number < current.Number() ? ESTALE
                                                                                        : ENOENT);
    }
    const GenerationNode* const key = state->FindVisibleKey(name);
    if (key == nullptr) return std::unexpected(ENOENT);
    return LinkAttributes(current, {.generation = 0, .index = key->index},
                          kKeyTarget.size() + name.size());
  }

  const InodeParts parts = SplitInode(folder);
  const Generation* const generation = state->Find(parts.generation);
  if (generation == nullptr) return std::unexpected(ESTALE);
  const GenerationNode* const parent = generation->Find(parts.index);
  if (parent == nullptr || !parent->is_folder) return std::unexpected(ENOTDIR);
  const GenerationNode* const node = generation->FindChild(*parent, name);
  if (node == nullptr) return std::unexpected(ENOENT);
  const bool is_current = generation == &current;
  const InodeParts child{.generation = generation->Number(),
                         .index = node->index,
                         .pinned = !node->is_folder && state->IsRetired(*generation)};
  NodeAttributes attributes = node->is_folder ? FolderAttributes(*generation, child, *node)
                                              : FileAttributes(*generation, child, *node);
  attributes.cacheable = is_current;
  return attributes;
}

Reply<NodeAttributes> SecretTree::GetAttributes(std::uint64_t inode) const {
  const std::shared_ptr<const State> state = Snapshot();
  const Generation& current = state->Current();
  if (inode == kRootInode) return RootAttributes(current);

  const InodeParts parts = SplitInode(inode);
  if (parts.generation == 0) {
    const std::string* const key = state->FindKey(parts.index);
    if (key == nullptr) return std::unexpected(ESTALE);
    return LinkAttributes(current, parts, kKeyTarget.size() + key->size());
  }
  const Generation* const own = state->Find(parts.generation);
  if (parts.index == kDataLinkIndex) {
    return LinkAttributes(own != nullptr ? *own : current, parts,
                          2 + std::to_string(parts.generation).size());
  }
  const bool is_current = own == &current;
  const GenerationNode* const own_node = own == nullptr ? nullptr : own->Find(parts.index);
  if (own_node != nullptr && own_node->is_folder) {
    NodeAttributes attributes = FolderAttributes(*own, parts, *own_node);
    attributes.cacheable = is_current;
    return attributes;
  }
  // Whoever has the file open reads at most the size the kernel knows: it must stay that of the
  // open bytes.
  const bool own_size = own_node != nullptr && state->MayBeOpen(*own, parts.index);
  const Generation& shown = own_size ? *own : state->Shown(parts);
  const GenerationNode* const node = shown.Find(parts.index);
  if (node == nullptr || node->is_folder) {
    return std::unexpected(parts.index < kFirstNameIndex ? ESTALE : ENOENT);
  }
  NodeAttributes attributes = FileAttributes(shown, parts, *node);
  attributes.cacheable = is_current;
  return attributes;
}

Reply<NodeAttributes> SecretTree::GetAttributes(std::uint64_t inode, std::uint64_t handle) const {
  const std::shared_ptr<const State> state = Snapshot();
  const InodeParts parts = SplitInode(inode);
  const Generation* const opened = state->Find(handle & kMaxGeneration);
  const GenerationNode* const node = opened == nullptr ? nullptr : opened->Find(parts.index);
  if (node == nullptr || node->is_folder) return GetAttributes(inode);
  NodeAttributes attributes = FileAttributes(*opened, parts, *node);
  attributes.cacheable = parts.generation == state->Current().Number();
  return attributes;
}

Reply<std::string> SecretTree::ReadLink(std::uint64_t inode) const {
  const InodeParts parts = SplitInode(inode);
  if (parts.generation != 0) {
    if (parts.index != kDataLinkIndex) return std::unexpected(EINVAL);
    return ".." + std::to_string(parts.generation);
  }
  const std::shared_ptr<const State> state = Snapshot();
  const std::string* const key = state->FindKey(parts.index);
  if (key == nullptr) return std::unexpected(ESTALE);
  return std::string(kKeyTarget) + *key;
}

Reply<OpenedFile> SecretTree::OpenFile(std::uint64_t inode) {
  const InodeParts parts = SplitInode(inode);
  MutexLock lock(mutex_);
  const Generation& shown = state_->Shown(parts);
  const GenerationNode* const node = shown.Find(parts.index);
  if (node == nullptr) return std::unexpected(ENOENT);
  if (node->is_folder) return std::unexpected(parts.generation == shown.Number() ? EISDIR : ENOENT);
  const bool own = parts.generation == shown.Number();
  shown.AddOpenFile(parts.index, own);
  return OpenedFile{.handle = handle_part_ | shown.Number(), .own_bytes = own};
}

void SecretTree::CloseFile(std::uint64_t inode, std::uint64_t handle) {
  const InodeParts parts = SplitInode(inode);
  MutexLock lock(mutex_);
  const std::uint64_t number = OwnNumber(handle);
  const Generation* const generation = number == 0 ? nullptr : state_->Find(number);
  if (generation == nullptr) return;
  generation->RemoveOpenFile(parts.index, parts.generation == number);
  DropIfUnused(*generation);
}

Reply<std::shared_ptr<const Secret>> SecretTree::Content(std::uint64_t inode,
                                                         std::uint64_t handle) const {
  const std::shared_ptr<const State> state = Snapshot();
  const Generation* const generation = state->Find(handle & kMaxGeneration);
  const GenerationNode* const node =
      generation == nullptr ? nullptr : generation->Find(SplitInode(inode).index);
  if (node == nullptr || node->is_folder) return std::unexpected(ESTALE);
  return node->content;
}

Reply<std::shared_ptr<const Secret>> SecretTree::Content(std::uint64_t inode) const {
  const std::shared_ptr<const State> state = Snapshot();
  const InodeParts parts = SplitInode(inode);
  const GenerationNode* const node = state->Shown(parts).Find(parts.index);
  if (node == nullptr || node->is_folder) return std::unexpected(ENOENT);
  return node->content;
}

Reply<ShownFile> SecretTree::Describe(std::uint64_t inode, std::uint64_t handle) const {
  const std::shared_ptr<const State> state = Snapshot();
  const InodeParts parts = SplitInode(inode);
  const Generation* const generation =
      handle == 0 ? &state->Shown(parts) : state->Find(handle & kMaxGeneration);
  const GenerationNode* const node =
      generation == nullptr ? nullptr : generation->Find(parts.index);
  if (node == nullptr || node->is_folder) return std::unexpected(ENOENT);
  return ShownFile{.path = std::string(generation->PathOf(parts.index)),
                   .revision = generation->Revision(),
                   .withheld = generation->Withheld()};
}

Reply<std::uint64_t> SecretTree::OpenFolder(std::uint64_t inode) {
  const InodeParts parts = SplitInode(inode);
  MutexLock lock(mutex_);
  const Generation* const generation =
      inode == kRootInode ? &state_->Current() : state_->Find(parts.generation);
  if (generation == nullptr) return std::unexpected(ESTALE);
  const GenerationNode* const node = generation->Find(parts.index);
  if (node == nullptr || !node->is_folder) return std::unexpected(ENOTDIR);
  generation->AddOpenFolder();
  return handle_part_ | generation->Number();
}

void SecretTree::CloseFolder(std::uint64_t handle) {
  MutexLock lock(mutex_);
  const std::uint64_t number = OwnNumber(handle);
  const Generation* const generation = number == 0 ? nullptr : state_->Find(number);
  if (generation == nullptr) return;
  generation->RemoveOpenFolder();
  DropIfUnused(*generation);
}

void SecretTree::DropIfUnused(const Generation& generation) {
  if (generation.HasOpens() || generation.Number() >= state_->settled->Number()) return;
  SwapState(std::make_shared<State>(*state_));
}

Reply<std::vector<FolderEntry>> SecretTree::List(std::uint64_t inode, std::uint64_t handle,
                                                 std::size_t offset, std::size_t limit) const {
  const std::shared_ptr<const State> state = Snapshot();
  const Generation* const generation = state->Find(handle & kMaxGeneration);
  if (generation == nullptr) return std::unexpected(ESTALE);
  const GenerationNode* const folder = generation->Find(SplitInode(inode).index);
  if (folder == nullptr || !folder->is_folder) return std::unexpected(ENOTDIR);

  const bool is_root = inode == kRootInode;
  const std::uint64_t number = generation->Number();
  std::vector<FolderEntry> fixed = {{inode, ".", S_IFDIR}, {inode, "..", S_IFDIR}};
  if (is_root) {
    fixed.push_back({MakeInode({number, kDataLinkIndex}), std::string(kDataLink), S_IFLNK});
    fixed.push_back({MakeInode({number, kFolderIndex}), generation->FolderName(), S_IFDIR});
  }
  std::vector<FolderEntry> entries;
  const std::size_t total = fixed.size() + folder->children.size();
  for (std::size_t i = offset; i < total && entries.size() < limit; ++i) {
    if (i < fixed.size()) {
      entries.push_back(std::move(fixed[i]));
      continue;
    }
    const GenerationNode::Child& child = folder->children[i - fixed.size()];
    const GenerationNode& node = generation->Nodes()[child.slot];
    if (is_root) {
      entries.push_back({MakeInode({0, node.index}), child.name, S_IFLNK});
    } else {
      entries.push_back({MakeInode({number, node.index}), child.name,
                         static_cast<mode_t>(node.is_folder ? S_IFDIR : S_IFREG)});
    }
  }
  return entries;
}

std::uint64_t SecretTree::OwnNumber(std::uint64_t handle) const {
  return (handle & ~kMaxGeneration) == handle_part_ ? handle & kMaxGeneration : 0;
}

std::shared_ptr<const Generation> SecretTree::Current() const {
  return Snapshot()->retained.back();
}

std::vector<std::shared_ptr<const Generation>> SecretTree::Retained() const {
  return Snapshot()->retained;
}

std::uint64_t SecretTree::SettledNumber() const { return Snapshot()->settled->Number(); }

}  // namespace escagent::fuse
