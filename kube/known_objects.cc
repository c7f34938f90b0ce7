#include "kube/known_objects.h"

#include <functional>
#include <utility>

namespace escagent::kube {
namespace {

// With the slash even when there is no namespace. Neither part can have one.
std::string IndexOf(const ObjectKey& key) { return key.namespace_name + "/" + key.name; }

ObjectKey KeyOf(const std::string& index) {
  const std::size_t slash = index.find('/');
  return {index.substr(0, slash), index.substr(slash + 1)};
}

}  // namespace

KnownObjects::Change KnownObjects::Update(const Object& object) {
  const std::hash<std::string> hash;
  const std::size_t uid = hash(object.Uid());
  const std::size_t version = hash(object.ResourceVersion());
  const auto [it, is_new] = entries_.try_emplace(IndexOf(object.Key()));
  const Entry before = std::exchange(it->second, {uid, version, listing_});
  if (is_new) return Change::kNew;
  if (before.uid != uid) return Change::kReplaced;
  return before.version == version ? Change::kSame : Change::kChanged;
}

bool KnownObjects::Remove(const Object& object) {
  const auto it = entries_.find(IndexOf(object.Key()));
  if (it == entries_.end()) return false;
  if (it->second.uid != std::hash<std::string>()(object.Uid())) return false;
  entries_.erase(it);
  return true;
}

std::vector<ObjectKey> KnownObjects::TakeVanished() {
  std::vector<ObjectKey> vanished;
  std::erase_if(entries_, [&](const auto& item) {
    if (item.second.listing == listing_) return false;
    vanished.push_back(KeyOf(item.first));
    return true;
  });
  return vanished;
}

}  // namespace escagent::kube
