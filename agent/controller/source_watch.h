#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "kube/informer.h"

namespace escagent::controller {

// The Secrets that PushSecrets are made of: each source, a Secret by its name or several by their
// labels, is watched (metadata only, without listing) for as long as somebody needs it.
// Thread-safe; the listener is called on informer threads, without locks held.
class SourceWatch {
 public:
  // One of two.
  struct Source {
    std::string namespace_name;
    std::string name;
    std::string label_selector;  // as the API's query parameter

    auto operator<=>(const Source&) const = default;
  };
  using User = kube::ObjectKey;
  using Listener = std::function<void(const std::set<User>& users)>;

  SourceWatch(kube::Informers& informers, Listener listener);
  ~SourceWatch();
  SourceWatch(const SourceWatch&) = delete;
  SourceWatch& operator=(const SourceWatch&) = delete;

  // The user needs this source and no other. Not from the listener.
  void Use(const User& user, const Source& source) EXCLUDES(mutex_);
  void Leave(const User& user) EXCLUDES(mutex_);
  // The names of a source's Secrets; nothing while they have not been told yet.
  std::optional<std::vector<std::string>> Names(const Source& source) const EXCLUDES(mutex_);

 private:
  class Handler;
  struct Entry {
    std::shared_ptr<Handler> handler;
    kube::InformerHandle handle;
    std::set<User> users;
  };

  void OnChange(const Source& source) EXCLUDES(mutex_);
  // The entry when nobody needs it any more: ends outside of the lock.
  Entry LeaveLocked(const User& user) REQUIRES(mutex_);

  kube::Informers& informers_;
  const Listener listener_;
  mutable Mutex mutex_;
  std::map<Source, Entry> sources_ GUARDED_BY(mutex_);
  std::map<User, Source> used_ GUARDED_BY(mutex_);
};

}  // namespace escagent::controller
