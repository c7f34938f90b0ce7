// The part of SecretTree that changes what is shown.

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <random>
#include <string>
#include <utility>

#include "fuse/secret_tree.h"

namespace escagent::fuse {
namespace {

Rotation MakeRotation(std::shared_ptr<const Generation> previous,
                      std::shared_ptr<const Generation> current) {
  Rotation rotation{
      .previous = std::move(previous), .current = std::move(current), .removed_keys = {}};
  const Generation& next = *rotation.current;
  for (const GenerationNode::Child& child : rotation.previous->Root().children) {
    if (next.FindChild(next.Root(), child.name) == nullptr) {
      rotation.removed_keys.push_back(child.name);
    }
  }
  return rotation;
}

using Indexes = std::vector<std::uint32_t>;  // sorted

Indexes Keys(const Generation& generation) {
  Indexes keys;
  for (const GenerationNode::Child& child : generation.Root().children) {
    keys.push_back(generation.Nodes()[child.slot].index);
  }
  std::ranges::sort(keys);
  return keys;
}

Indexes Minus(const Indexes& all, const Indexes& without) {
  Indexes rest;
  std::ranges::set_difference(all, without, std::back_inserter(rest));
  return rest;
}

bool IsAscending(const std::vector<std::shared_ptr<const Generation>>& generations) {
  return std::ranges::adjacent_find(generations, [](const auto& a, const auto& b) {
           return a->Number() >= b->Number();
         }) == generations.end();
}

}  // namespace

Result<std::unique_ptr<SecretTree>> SecretTree::Create(const VolumeSpec& spec,
                                                       std::uint64_t first_number,
                                                       Generation::Time now) {
  std::unique_ptr<SecretTree> tree(new SecretTree);
  ESC_ASSIGN_OR_RETURN(std::shared_ptr<const Generation> first,
                       Generation::Create(spec, first_number, now, tree->names_));
  tree->last_number_ = first_number;
  auto state = std::make_shared<State>();
  state->first_number = first_number;
  state->settled = first;
  state->retained.push_back(std::move(first));
  MutexLock lock(tree->mutex_);
  tree->SwapState(std::move(state));
  return tree;
}

Result<std::unique_ptr<SecretTree>> SecretTree::Restore(TreeState saved) {
  const auto& generations = saved.generations;
  const auto settled = std::ranges::find_if(generations, [&saved](const auto& generation) {
    return generation->Number() == saved.settled_number;
  });
  if (settled == generations.end() || !IsAscending(generations) || saved.first_number == 0 ||
      generations.front()->Number() < saved.first_number ||
      saved.link_number > generations.back()->Number()) {
    return InvalidArgument(
        "restore volume: its generations do not fit together; publish the volume anew");
  }
  std::unique_ptr<SecretTree> tree(new SecretTree);
  tree->names_ = NameTable(saved.names);
  tree->last_number_ = generations.back()->Number();
  std::random_device random;
  tree->handle_part_ = std::uniform_int_distribution<std::uint64_t>(1, 0xffffff)(random) << 40;
  auto state = std::make_shared<State>();
  state->first_number = saved.first_number;
  state->settled = *settled;
  state->expired_before = saved.expired_before;
  state->inherited_until = tree->last_number_;
  state->link_number = saved.link_number;
  // A helper may still be at work.
  state->in_transition = saved.settled_number < tree->last_number_;
  state->retained = std::move(saved.generations);
  MutexLock lock(tree->mutex_);
  tree->SwapState(std::move(state));
  return tree;
}

TreeState SecretTree::Save() const {
  const std::shared_ptr<const State> state = Snapshot();
  TreeState saved{.first_number = state->first_number,
                  .generations = state->retained,
                  .settled_number = state->settled->Number(),
                  .expired_before = state->expired_before,
                  .link_number = state->link_number,
                  .names = names_.Paths()};
  if (state->prepared != nullptr) saved.generations.push_back(state->prepared);
  return saved;
}

std::optional<Rotation> SecretTree::LastRotation() const {
  const std::shared_ptr<const State> state = Snapshot();
  const std::size_t count = state->retained.size();
  if (count < 2) return std::nullopt;
  return MakeRotation(state->retained[count - 2], state->retained.back());
}

Result<std::optional<Rotation>> SecretTree::Publish(const VolumeSpec& spec, Generation::Time now) {
  Result<std::optional<Rotation>> rotation = Prepare(spec, now);
  if (rotation) Commit();
  return rotation;
}

Result<std::optional<Rotation>> SecretTree::Prepare(const VolumeSpec& spec, Generation::Time now) {
  Abandon();
  const std::shared_ptr<const Generation> previous = Current();
  // The kernel tells a changed file by its time, so no two generations may share one.
  const Generation::Time time =
      std::max(now, previous->CreatedAt() + Generation::Time::duration(1));
  ESC_ASSIGN_OR_RETURN(std::shared_ptr<const Generation> next,
                       Generation::Create(spec, last_number_ + 1, time, names_));
  if (next->ShowsSameAs(*previous)) return std::nullopt;
  ++last_number_;

  Rotation rotation = MakeRotation(previous, next);
  MutexLock lock(mutex_);
  auto state = std::make_shared<State>(*state_);
  state->prepared = std::move(next);
  SwapState(std::move(state));
  return rotation;
}

void SecretTree::PromotePrepared(State& state) {
  state.retained.push_back(std::move(state.prepared));
  state.prepared = nullptr;
  state.prepared_has_folder = false;
}

void SecretTree::Commit() {
  MutexLock lock(mutex_);
  if (state_->prepared == nullptr) return;
  auto state = std::make_shared<State>(*state_);
  PromotePrepared(*state);
  state->EndTransition();
  SwapState(std::move(state));
}

void SecretTree::Abandon() {
  MutexLock lock(mutex_);
  if (state_->prepared == nullptr) return;
  auto state = std::make_shared<State>(*state_);
  state->prepared = nullptr;
  state->prepared_has_folder = false;
  SwapState(std::move(state));
}

void SecretTree::FinishRotation() {
  MutexLock lock(mutex_);
  if (!state_->in_transition) return;
  auto state = std::make_shared<State>(*state_);
  state->EndTransition();
  SwapState(std::move(state));
}

void SecretTree::State::EndTransition() {
  in_transition = false;
  missing_keys.clear();
  leftover_keys.clear();
}

Indexes SecretTree::State::VisibleKeys() const {
  Indexes visible = Minus(Keys(Current()), missing_keys);
  visible.insert(visible.end(), leftover_keys.begin(), leftover_keys.end());
  std::ranges::sort(visible);
  return visible;
}

Reply<NodeAttributes> SecretTree::MakeFolder(std::uint64_t parent, std::string_view name) {
  std::uint64_t number = 0;
  {
    MutexLock lock(mutex_);
    const Generation* const prepared = state_->prepared.get();
    if (parent == kRootInode && prepared != nullptr && name == prepared->FolderName()) {
      auto state = std::make_shared<State>(*state_);
      state->prepared_has_folder = true;
      number = prepared->Number();
      SwapState(std::move(state));
    } else if (parent == kRootInode && name == state_->Current().FolderName()) {
      number = state_->Current().Number();
    } else {
      return std::unexpected(EROFS);
    }
  }
  return GetAttributes(MakeInode({.generation = number, .index = kFolderIndex}));
}

Reply<NodeAttributes> SecretTree::MakeLink(std::uint64_t parent, std::string_view name,
                                           std::string_view target) {
  if (parent != kRootInode) return std::unexpected(EROFS);
  {
    MutexLock lock(mutex_);
    auto state = std::make_shared<State>(*state_);
    const Generation& current = state->Current();
    if (name == kNewDataLink) {
      const Generation* const prepared = state->prepared.get();
      if (prepared != nullptr && target == prepared->FolderName()) {
        state->link_number = prepared->Number();
      } else if (target == current.FolderName()) {
        state->link_number = current.Number();
      } else {
        return std::unexpected(EROFS);
      }
    } else {
      const GenerationNode* const key = current.FindChild(current.Root(), name);
      if (key == nullptr || !target.starts_with(kKeyTarget) ||
          target.substr(kKeyTarget.size()) != name) {
        return std::unexpected(EROFS);
      }
      std::erase(state->missing_keys, key->index);
    }
    SwapState(std::move(state));
  }
  return Lookup(kRootInode, name);
}

Reply<void> SecretTree::Rename(std::uint64_t from, std::string_view old_name, std::uint64_t to,
                               std::string_view new_name) {
  if (from != kRootInode || to != kRootInode || old_name != kNewDataLink || new_name != kDataLink) {
    return std::unexpected(EROFS);
  }
  MutexLock lock(mutex_);
  auto state = std::make_shared<State>(*state_);
  if (state->prepared != nullptr && state->link_number == state->prepared->Number()) {
    const Indexes before = state->VisibleKeys();
    PromotePrepared(*state);
    const Indexes after = Keys(state->Current());
    state->in_transition = true;
    state->missing_keys = Minus(after, before);
    state->leftover_keys = Minus(before, after);
  } else if (state->link_number != state->Current().Number() &&
             (state->link_number != 0 || state->prepared != nullptr)) {
    // A link that somebody left who rotated to another generation. Without any, it is one to the
    // current generation that the kernel knows of and whoever was asked to make it is gone.
    return std::unexpected(EROFS);
  }
  state->link_number = 0;
  SwapState(std::move(state));
  return {};
}

Reply<void> SecretTree::Unlink(std::uint64_t parent, std::string_view name) {
  if (parent != kRootInode) return std::unexpected(EROFS);
  MutexLock lock(mutex_);
  auto state = std::make_shared<State>(*state_);
  if (name == kNewDataLink) {
    state->link_number = 0;
    SwapState(std::move(state));
    return {};
  }
  const Generation& current = state->Current();
  if (current.FindChild(current.Root(), name) != nullptr) return std::unexpected(EROFS);
  bool known = false;
  for (const auto& generation : state->retained) {
    const GenerationNode* const key = generation->FindChild(generation->Root(), name);
    if (key == nullptr) continue;
    std::erase(state->leftover_keys, key->index);
    known = true;
  }
  if (!known) return std::unexpected(EROFS);
  SwapState(std::move(state));
  return {};
}

Reply<NodeAttributes> SecretTree::Touch(std::uint64_t inode) const {
  const InodeParts parts = SplitInode(inode);
  const std::shared_ptr<const State> state = Snapshot();
  const Generation* const generation = state->Find(parts.generation);
  const GenerationNode* const node =
      generation == nullptr ? nullptr : generation->Find(parts.index);
  if (node == nullptr || node->is_folder || parts.generation >= state->Current().Number()) {
    return std::unexpected(EROFS);
  }
  return GetAttributes(inode);
}

std::vector<std::shared_ptr<const Generation>> SecretTree::Settle(std::uint64_t number) {
  std::vector<std::shared_ptr<const Generation>> following;
  MutexLock lock(mutex_);
  auto state = std::make_shared<State>(*state_);
  for (const auto& generation : state->retained) {
    if (generation->Number() > state->settled->Number() && generation->Number() <= number) {
      state->settled = generation;
    }
  }
  for (const auto& generation : state->retained) {
    if (generation->Number() >= state_->settled->Number() &&
        generation->Number() < state->settled->Number()) {
      following.push_back(generation);
    }
  }
  if (number >= state->Current().Number()) state->EndTransition();
  SwapState(std::move(state));
  return following;
}

void SecretTree::HoldFolders(std::vector<std::uint64_t> generations) {
  MutexLock lock(mutex_);
  auto state = std::make_shared<State>(*state_);
  state->held = std::move(generations);
  SwapState(std::move(state));
}

void SecretTree::ReleaseFolders(std::uint64_t generation) {
  MutexLock lock(mutex_);
  if (std::ranges::find(state_->held, generation) == state_->held.end()) return;
  auto state = std::make_shared<State>(*state_);
  std::erase(state->held, generation);
  SwapState(std::move(state));
}

void SecretTree::Expire(std::uint64_t number) {
  MutexLock lock(mutex_);
  auto state = std::make_shared<State>(*state_);
  state->expired_before = std::max(state->expired_before, number);
  SwapState(std::move(state));
}

}  // namespace escagent::fuse
