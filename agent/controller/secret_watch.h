#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/mirror/string_map.h"
#include "base/mutex.h"
#include "kube/informer.h"

namespace escagent::controller {

// The mirrored Secrets of the namespaces that this agent looks after: their metadata only, by one
// watch in each namespace for the label that ESO and this agent put on them. So what somebody else
// changes is seen at once, and what a renamed target has left behind can be found.
//
// Thread-safe; the listener is called on informer threads, without locks held.
class SecretWatch {
 public:
  // A Secret is there with this resourceVersion (empty: it is gone, or has lost its label).
  // `created_by` is its label kCreatedByLabel.
  using Listener = std::function<void(const kube::ObjectKey& secret, const std::string& version,
                                      const std::string& created_by)>;
  // A Secret bears kRestartPendingAnnotation: told whenever it is seen, after the listener.
  using MarkedListener = std::function<void(const kube::ObjectKey& secret)>;

  // A managed Secret, as the watch last saw it.
  struct Known {
    std::string name;
    std::string uid;
    mirror::StringMap labels;
  };

  // `marked` may be empty.
  SecretWatch(kube::Informers& informers, Listener listener, MarkedListener marked = {});
  ~SecretWatch();
  SecretWatch(const SecretWatch&) = delete;
  SecretWatch& operator=(const SecretWatch&) = delete;

  // Starts the namespace's watch unless it is there.
  void Follow(const std::string& namespace_name) EXCLUDES(mutex_);
  // Ends it. Not from the listener.
  void Unfollow(const std::string& namespace_name) EXCLUDES(mutex_);
  // Whether the watch works: what happens to the namespace's Secrets is told.
  bool Works(const std::string& namespace_name) const EXCLUDES(mutex_);
  // The Secrets of the namespace with this label kCreatedByLabel, as far as the watch knows.
  std::vector<Known> CreatedBy(const std::string& namespace_name, std::string_view hash) const
      EXCLUDES(mutex_);

 private:
  class Namespace;
  struct Entry {
    std::shared_ptr<Namespace> handler;
    kube::InformerHandle handle;
  };

  kube::Informers& informers_;
  const Listener listener_;
  const MarkedListener marked_;
  mutable Mutex mutex_;
  std::map<std::string, Entry> namespaces_ GUARDED_BY(mutex_);
};

}  // namespace escagent::controller
