#include "agent/controller/source_watch.h"

#include <utility>

namespace escagent::controller {

class SourceWatch::Handler final : public kube::InformerHandler {
 public:
  Handler(SourceWatch& watch, Source source) : watch_(watch), source_(std::move(source)) {}

  void OnUpsert(kube::Object object, bool /*in_initial_list*/) override {
    {
      MutexLock lock(mutex_);
      names_.insert(object.Name());
    }
    watch_.OnChange(source_);
  }
  void OnDelete(const kube::ObjectKey& key) override {
    {
      MutexLock lock(mutex_);
      names_.erase(key.name);
    }
    watch_.OnChange(source_);
  }
  void OnSynced() override {
    {
      MutexLock lock(mutex_);
      synced_ = true;
    }
    watch_.OnChange(source_);
  }
  void OnHealth(const Status& /*status*/) override {}

  std::optional<std::vector<std::string>> Names() const {
    MutexLock lock(mutex_);
    if (!synced_) return std::nullopt;
    return std::vector<std::string>(names_.begin(), names_.end());
  }

 private:
  SourceWatch& watch_;
  const Source source_;
  mutable Mutex mutex_;
  std::set<std::string> names_ GUARDED_BY(mutex_);
  bool synced_ GUARDED_BY(mutex_) = false;
};

SourceWatch::SourceWatch(kube::Informers& informers, Listener listener)
    : informers_(informers), listener_(std::move(listener)) {}

SourceWatch::~SourceWatch() {
  std::map<Source, Entry> gone;  // outlives the lock: a handle's end waits for its handler
  MutexLock lock(mutex_);
  gone.swap(sources_);
}

void SourceWatch::Use(const User& user, const Source& source) {
  Entry gone;
  MutexLock lock(mutex_);
  const auto used = used_.find(user);
  if (used != used_.end() && used->second == source) return;
  gone = LeaveLocked(user);
  used_.insert_or_assign(user, source);
  Entry& entry = sources_[source];
  entry.users.insert(user);
  if (entry.handler != nullptr) return;
  entry.handler = std::make_shared<Handler>(*this, source);
  const std::string field = source.name.empty() ? "" : "metadata.name=" + source.name;
  entry.handle = informers_.Start({.resource = kube::Secrets(),
                                   .namespace_name = source.namespace_name,
                                   .label_selector = source.label_selector,
                                   .field_selector = field,
                                   .metadata_only = true,
                                   .watch_only = true},
                                  entry.handler);
}

void SourceWatch::Leave(const User& user) {
  Entry gone;
  MutexLock lock(mutex_);
  gone = LeaveLocked(user);
}

SourceWatch::Entry SourceWatch::LeaveLocked(const User& user) {
  const auto used = used_.find(user);
  if (used == used_.end()) return {};
  const auto it = sources_.find(used->second);
  used_.erase(used);
  it->second.users.erase(user);
  if (!it->second.users.empty()) return {};
  Entry gone = std::move(it->second);
  sources_.erase(it);
  return gone;
}

std::optional<std::vector<std::string>> SourceWatch::Names(const Source& source) const {
  MutexLock lock(mutex_);
  const auto it = sources_.find(source);
  if (it == sources_.end()) return std::nullopt;
  return it->second.handler->Names();
}

void SourceWatch::OnChange(const Source& source) {
  std::set<User> users;
  {
    MutexLock lock(mutex_);
    const auto it = sources_.find(source);
    if (it == sources_.end()) return;
    users = it->second.users;
  }
  listener_(users);
}

}  // namespace escagent::controller
