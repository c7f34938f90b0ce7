// The part of SecretTree that changes what is shown.

#include <algorithm>
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
      generations.front()->Number() < saved.first_number) {
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

void SecretTree::Commit() {
  MutexLock lock(mutex_);
  if (state_->prepared == nullptr) return;
  auto state = std::make_shared<State>(*state_);
  state->retained.push_back(std::move(state->prepared));
  state->prepared = nullptr;
  SwapState(std::move(state));
}

void SecretTree::Abandon() {
  MutexLock lock(mutex_);
  if (state_->prepared == nullptr) return;
  auto state = std::make_shared<State>(*state_);
  state->prepared = nullptr;
  SwapState(std::move(state));
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
  SwapState(std::move(state));
  return following;
}

void SecretTree::Expire(std::uint64_t number) {
  MutexLock lock(mutex_);
  auto state = std::make_shared<State>(*state_);
  state->expired_before = std::max(state->expired_before, number);
  SwapState(std::move(state));
}

}  // namespace escagent::fuse
