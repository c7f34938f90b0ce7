#include "agent/controller/external_secret_table.h"

#include <algorithm>
#include <utility>

#include "agent/mirror/data_hash.h"

namespace escagent::controller {
namespace {

kube::ObjectKey KeyOf(const mirror::ExternalSecret& object) {
  return {object.namespace_name, object.name};
}

kube::ObjectKey TargetOf(const mirror::ExternalSecret& object) {
  return {object.namespace_name, object.target_name()};
}

// Whether a synchronisation of the second, which came after the first, gives the same. A condition
// that somebody has taken off is to be written again.
bool SameWish(const mirror::ExternalSecret& before, const mirror::ExternalSecret& after) {
  const bool lost = before.status.Ready() != nullptr && after.status.Ready() == nullptr;
  return !lost && SameButStatus(before, after);
}

template <class Map, class Index>
void Remove(Map& map, const Index& index, const kube::ObjectKey& key) {
  const auto it = map.find(index);
  if (it == map.end()) return;
  it->second.erase(key);
  if (it->second.empty()) map.erase(it);
}

}  // namespace

void ExternalSecretTable::Index(const Key& key, const mirror::ExternalSecret& object) {
  by_target_[TargetOf(object)].insert(key);
  by_hash_[mirror::CreatedByHash(object.namespace_name, object.name)] = key;
  for (const store::StoreId& id : object.spec.StoresUsed()) by_store_[id].insert(key);
}

void ExternalSecretTable::Unindex(const Key& key, const mirror::ExternalSecret& object) {
  Remove(by_target_, TargetOf(object), key);
  by_hash_.erase(mirror::CreatedByHash(object.namespace_name, object.name));
  for (const store::StoreId& id : object.spec.StoresUsed()) Remove(by_store_, id, key);
}

ExternalSecretTable::Change ExternalSecretTable::Put(Object object) {
  const Key key = KeyOf(*object);
  MutexLock lock(mutex_);
  TrackedSecret& tracked = objects_[key];
  const Object former = std::exchange(tracked.object, std::move(object));
  const mirror::ExternalSecret& now = *tracked.object;
  if (former == nullptr) {
    Index(key, now);
    return Change::kNew;
  }
  const bool was_gone = std::exchange(tracked.gone, false);
  if (!was_gone && SameWish(*former, now)) return Change::kNone;
  Unindex(key, *former);
  Index(key, now);
  if (!was_gone && former->uid == now.uid) return Change::kChanged;
  tracked.target_version.clear();
  tracked.failures = 0;
  return Change::kNew;
}

void ExternalSecretTable::PutStatus(const Key& key, const std::string& version_before,
                                    Object object) {
  MutexLock lock(mutex_);
  const auto it = objects_.find(key);
  if (it == objects_.end() || it->second.object->resource_version != version_before) return;
  if (SameWish(*it->second.object, *object)) it->second.object = std::move(object);
}

bool ExternalSecretTable::MarkGone(const Key& key) {
  MutexLock lock(mutex_);
  const auto it = objects_.find(key);
  if (it == objects_.end()) return false;
  it->second.gone = true;
  return true;
}

void ExternalSecretTable::Erase(const Key& key) {
  MutexLock lock(mutex_);
  const auto it = objects_.find(key);
  if (it == objects_.end()) return;
  Unindex(key, *it->second.object);
  objects_.erase(it);
}

std::optional<TrackedSecret> ExternalSecretTable::Get(const Key& key) const {
  MutexLock lock(mutex_);
  const auto it = objects_.find(key);
  if (it == objects_.end()) return std::nullopt;
  return it->second;
}

void ExternalSecretTable::Want(const Key& key) {
  MutexLock lock(mutex_);
  if (const auto it = objects_.find(key); it != objects_.end()) it->second.wanted = true;
}

bool ExternalSecretTable::Suspect(const Key& key, const std::string& version) {
  MutexLock lock(mutex_);
  const auto it = objects_.find(key);
  if (it == objects_.end() || it->second.target_version == version) return false;
  it->second.suspect = version.empty() ? "-" : version;
  return true;
}

std::optional<TrackedSecret> ExternalSecretTable::Take(const Key& key) {
  MutexLock lock(mutex_);
  const auto it = objects_.find(key);
  if (it == objects_.end()) return std::nullopt;
  TrackedSecret& tracked = it->second;
  const bool wanted = std::exchange(tracked.wanted, false);
  const std::string suspect = std::exchange(tracked.suspect, {});
  // The watch told of our own write before the write had returned.
  if (!wanted && (suspect.empty() || suspect == tracked.target_version)) return std::nullopt;
  return tracked;
}

int ExternalSecretTable::NoteResult(const Key& key, bool failed,
                                    const std::string& target_version) {
  MutexLock lock(mutex_);
  const auto it = objects_.find(key);
  if (it == objects_.end()) return 0;
  it->second.failures = failed ? it->second.failures + 1 : 0;
  it->second.target_version = target_version;
  return it->second.failures;
}

std::vector<kube::ObjectKey> ExternalSecretTable::ByTarget(const Key& secret) const {
  MutexLock lock(mutex_);
  const auto it = by_target_.find(secret);
  if (it == by_target_.end()) return {};
  return {it->second.begin(), it->second.end()};
}

std::optional<kube::ObjectKey> ExternalSecretTable::ByCreatedBy(std::string_view hash) const {
  MutexLock lock(mutex_);
  const auto it = by_hash_.find(hash);
  if (it == by_hash_.end()) return std::nullopt;
  return it->second;
}

std::vector<kube::ObjectKey> ExternalSecretTable::ByStore(const store::StoreId& store) const {
  MutexLock lock(mutex_);
  const auto it = by_store_.find(store);
  if (it == by_store_.end()) return {};
  return {it->second.begin(), it->second.end()};
}

std::vector<kube::ObjectKey> ExternalSecretTable::InNamespace(
    std::string_view namespace_name) const {
  std::vector<Key> keys;
  MutexLock lock(mutex_);
  for (auto it = objects_.lower_bound(Key{std::string(namespace_name), ""});
       it != objects_.end() && it->first.namespace_name == namespace_name; ++it) {
    keys.push_back(it->first);
  }
  return keys;
}

std::vector<kube::ObjectKey> ExternalSecretTable::All() const {
  std::vector<Key> keys;
  MutexLock lock(mutex_);
  keys.reserve(objects_.size());
  for (const auto& [key, tracked] : objects_) keys.push_back(key);
  return keys;
}

ExternalSecretTable::Counts ExternalSecretTable::Count(
    const std::function<bool(const Key&)>& matches) const {
  Counts counts;
  MutexLock lock(mutex_);
  for (const auto& [key, tracked] : objects_) {
    if (tracked.gone || !matches(key)) continue;
    ++counts.total;
    const mirror::Condition* ready = tracked.object->status.Ready();
    if (ready == nullptr) continue;
    if (ready->status == "True") ++counts.ready;
    if (ready->status != "False") continue;
    ++counts.failed;
    if (counts.failures.size() < kMaxFailures) counts.failures.push_back({key, ready->message});
  }
  return counts;
}

}  // namespace escagent::controller
