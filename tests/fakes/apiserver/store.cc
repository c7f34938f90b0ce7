#include "tests/fakes/apiserver/store.h"

#include <algorithm>
#include <utility>

namespace escagent::apiserver {
namespace {

constexpr std::size_t kMaxKept = 64;
// A client that is further behind is cut off, as the real watch cache does.
constexpr std::size_t kMaxPending = 100000;

}  // namespace

std::string Store::KeyOf(const Object& object) { return object.name_space() + "/" + object.name(); }

std::uint64_t Store::Revision() const {
  MutexLock lock(mutex_);
  return revision_;
}

ObjectPtr Store::Get(const std::string& table, const std::string& name_space,
                     const std::string& name) const {
  const std::string key = name_space + "/" + name;
  MutexLock lock(mutex_);
  const auto found = tables_.find(table);
  if (found == tables_.end()) return nullptr;
  const auto object = found->second.objects.find(key);
  return object == found->second.objects.end() ? nullptr : object->second;
}

Store::Snapshot Store::List(const std::string& table, const Selector& selector) const {
  MutexLock lock(mutex_);
  return ListLocked(table, selector);
}

Store::Snapshot Store::ListLocked(const std::string& table, const Selector& selector) const {
  Snapshot snapshot;
  snapshot.revision = revision_;
  const auto found = tables_.find(table);
  if (found == tables_.end()) return snapshot;
  const auto& objects = found->second.objects;
  const std::string prefix = selector.name_space() + "/";
  const bool all = selector.name_space().empty();
  for (auto at = all ? objects.begin() : objects.lower_bound(prefix); at != objects.end(); ++at) {
    if (!all && !at->first.starts_with(prefix)) break;
    if (selector.Matches(*at->second)) snapshot.objects.push_back(at->second);
  }
  return snapshot;
}

void Store::Keep(const std::string& key, std::shared_ptr<const Snapshot> snapshot) {
  MutexLock lock(mutex_);
  kept_.emplace_back(key, std::move(snapshot));
  if (kept_.size() > kMaxKept) kept_.pop_front();
}

std::shared_ptr<const Store::Snapshot> Store::Kept(const std::string& key) const {
  MutexLock lock(mutex_);
  for (const auto& [name, snapshot] : kept_) {
    if (name == key) return snapshot;
  }
  return nullptr;
}

std::uint64_t Store::LastChange(const std::string& table) const {
  MutexLock lock(mutex_);
  const auto found = tables_.find(table);
  return found == tables_.end() ? 0 : found->second.last_change;
}

ObjectPtr Store::Put(const std::string& table_name, const ObjectPtr& before, const Object& object) {
  const std::string key = KeyOf(object);
  MutexLock lock(mutex_);
  Table& table = tables_[table_name];
  const auto found = table.objects.find(key);
  const ObjectPtr current = found == table.objects.end() ? nullptr : found->second;
  if (current != before) return nullptr;
  ObjectPtr after = object.At(++revision_);
  Index(table_name, before, after);
  table.objects[key] = after;
  Record(table, {.before = before, .after = after, .last = nullptr, .revision = revision_});
  return after;
}

ObjectPtr Store::Remove(const std::string& table_name, const ObjectPtr& before) {
  MutexLock lock(mutex_);
  Table& table = tables_[table_name];
  const auto found = table.objects.find(KeyOf(*before));
  if (found == table.objects.end() || found->second != before) return nullptr;
  ObjectPtr last = before->At(++revision_);
  Index(table_name, before, nullptr);
  table.objects.erase(found);
  Record(table, {.before = before, .after = nullptr, .last = last, .revision = revision_});
  return last;
}

void Store::DropTable(const std::string& table_name) {
  for (const ObjectPtr& object : List(table_name, Selector()).objects) Remove(table_name, object);
  EndWatches(table_name, End::kCut);
}

void Store::Index(const std::string& table, const ObjectPtr& before, const ObjectPtr& after) {
  if (before != nullptr) {
    if (const auto uid = uids_.find(before->uid()); uid != uids_.end() && --uid->second == 0) {
      uids_.erase(uid);
    }
    for (const std::string& owner : before->owners()) {
      const auto [begin, end] = owned_.equal_range(owner);
      const auto entry = std::find_if(begin, end, [&](const auto& item) {
        return item.second.first == table && item.second.second == KeyOf(*before);
      });
      if (entry != end) owned_.erase(entry);
    }
  }
  if (after == nullptr) return;
  ++uids_[after->uid()];
  for (const std::string& owner : after->owners()) {
    owned_.emplace(owner, std::pair(table, KeyOf(*after)));
  }
}

std::optional<WatchEvent> Store::EventOf(const Change& change, const Selector& selector) {
  const bool was = change.before != nullptr && selector.Matches(*change.before);
  const bool is = change.after != nullptr && selector.Matches(*change.after);
  if (is) {
    return WatchEvent{was ? WatchEvent::Type::kModified : WatchEvent::Type::kAdded, change.after};
  }
  if (!was) return std::nullopt;
  // Who leaves the selection is told as it was, at the revision of the change.
  return WatchEvent{WatchEvent::Type::kDeleted,
                    change.last != nullptr ? change.last : change.before->At(change.revision)};
}

void Store::Record(Table& table, Change change) {
  table.last_change = change.revision;
  for (Watch* watch : table.watches) {
    if (watch->end_ != End::kOpen) continue;
    if (auto event = EventOf(change, watch->selector_)) {
      watch->events_.push_back(*std::move(event));
      if (watch->events_.size() > kMaxPending) watch->end_ = End::kCut;
      watch->changed_.NotifyOne();
    }
  }
  table.history.push_back(std::move(change));
  while (table.history.size() > history_size_) {
    table.oldest = table.history.front().revision;
    table.history.pop_front();
  }
}

std::vector<std::pair<std::string, ObjectPtr>> Store::OwnedBy(const std::string& uid) const {
  std::vector<std::pair<std::string, ObjectPtr>> owned;
  MutexLock lock(mutex_);
  const auto [begin, end] = owned_.equal_range(uid);
  for (auto entry = begin; entry != end; ++entry) {
    const auto& [table, key] = entry->second;
    owned.emplace_back(table, tables_.find(table)->second.objects.find(key)->second);
  }
  return owned;
}

bool Store::HasUid(const std::string& uid) const {
  MutexLock lock(mutex_);
  return uids_.contains(uid);
}

std::vector<std::pair<std::string, ObjectPtr>> Store::InNamespace(
    const std::string& name_space) const {
  std::vector<std::pair<std::string, ObjectPtr>> found;
  const std::string prefix = name_space + "/";
  MutexLock lock(mutex_);
  for (const auto& [name, table] : tables_) {
    for (auto at = table.objects.lower_bound(prefix);
         at != table.objects.end() && at->first.starts_with(prefix); ++at) {
      found.emplace_back(name, at->second);
    }
  }
  return found;
}

void Store::Compact() {
  MutexLock lock(mutex_);
  kept_.clear();
  for (auto& [name, table] : tables_) {
    table.history.clear();
    table.oldest = revision_;
  }
}

Store::Watch::~Watch() {
  MutexLock lock(store_.mutex_);
  store_.tables_[table_].watches.remove(this);
}

std::vector<WatchEvent> Store::Watch::Next(std::chrono::steady_clock::time_point deadline,
                                           std::uint64_t& revision) {
  MutexLock lock(store_.mutex_);
  while (events_.empty() && end_ == End::kOpen && changed_.WaitUntil(store_.mutex_, deadline)) {
  }
  std::vector<WatchEvent> events(std::make_move_iterator(events_.begin()),
                                 std::make_move_iterator(events_.end()));
  events_.clear();
  revision = store_.revision_;
  return events;
}

Store::End Store::Watch::end() const {
  MutexLock lock(store_.mutex_);
  return end_;
}

std::unique_ptr<Store::Watch> Store::StartWatch(const std::string& table_name,
                                                const Selector& selector,
                                                std::optional<std::uint64_t> from,
                                                Snapshot* initial) {
  std::unique_ptr<Watch> watch(new Watch(*this, table_name, selector));
  bool too_old = false;
  {
    MutexLock lock(mutex_);
    Table& table = tables_[table_name];
    too_old = from && *from < table.oldest;
    if (from && !too_old) {
      for (const Change& change : table.history) {
        if (change.revision <= *from) continue;
        if (auto event = EventOf(change, selector)) watch->events_.push_back(*std::move(event));
      }
    } else if (!too_old) {
      *initial = ListLocked(table_name, selector);
    }
    table.watches.push_back(watch.get());
    if (stopped_) watch->end_ = End::kCut;
  }
  // Destroyed outside of the lock, which its destructor takes.
  if (too_old) return nullptr;
  return watch;
}

std::size_t Store::Watches() const {
  std::size_t count = 0;
  MutexLock lock(mutex_);
  for (const auto& [name, table] : tables_) count += table.watches.size();
  return count;
}

void Store::EndWatches(const std::string& table_name, End end) {
  MutexLock lock(mutex_);
  for (auto& [name, table] : tables_) {
    if (!table_name.empty() && name != table_name) continue;
    for (Watch* watch : table.watches) {
      watch->end_ = end;
      watch->changed_.NotifyOne();
    }
  }
}

void Store::Stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  EndWatches("", End::kCut);
}

}  // namespace escagent::apiserver
