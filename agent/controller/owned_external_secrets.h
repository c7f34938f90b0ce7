#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/mutex.h"
#include "kube/informer.h"

namespace escagent::controller {

// The ExternalSecrets of the cluster that a ClusterExternalSecret controls, by one watch of all
// ExternalSecrets' metadata: so one that somebody edits or deletes is seen at once. Remembers which
// of them were found or made as wanted, so that these cost no request.
//
// Thread-safe; the listener is called on informer threads, without locks held.
class OwnedExternalSecrets {
 public:
  struct Listener {
    // An ExternalSecret of this ClusterExternalSecret is not as it was left, or one that was in its
    // way has gone.
    std::function<void(const std::string& owner)> on_change;
    // What was there is known. Once.
    std::function<void()> on_synced;
  };
  struct Known {
    std::string uid;
    std::string owner_uid;
  };

  // `informers` outlives it.
  OwnedExternalSecrets(kube::Informers& informers, Listener listener);
  ~OwnedExternalSecrets();
  OwnedExternalSecrets(const OwnedExternalSecrets&) = delete;
  OwnedExternalSecrets& operator=(const OwnedExternalSecrets&) = delete;

  // Begins to watch, unless it has been called before.
  void Start() EXCLUDES(mutex_);
  // Ends the watch: the listener is not called any more. Not while Start runs.
  void Stop() EXCLUDES(mutex_);
  bool Synced() const EXCLUDES(mutex_);

  std::map<kube::ObjectKey, Known> Of(const std::string& owner) const EXCLUDES(mutex_);
  // Whether it was left by NoteAsWanted for this wish, and is as it was then.
  bool IsAsWanted(const kube::ObjectKey& key, const std::string& wish) const EXCLUDES(mutex_);
  // The object with this metadata is as its owner wants it. `wish` is any text that changes with
  // what the owner wants.
  void NoteAsWanted(const nlohmann::json& metadata, const std::string& wish) EXCLUDES(mutex_);
  // The owner wants to be told when the object with this key, which is another's, goes.
  void Await(const kube::ObjectKey& key, const std::string& owner) EXCLUDES(mutex_);

 private:
  class Handler;
  struct Seen {
    std::string owner;
    Known known;
    std::string state;
  };
  struct AsWanted {
    std::string wish;
    std::string state;
  };

  void OnUpsert(const kube::Object& object) EXCLUDES(mutex_);
  void OnDelete(const kube::ObjectKey& key) EXCLUDES(mutex_);
  void OnSynced() EXCLUDES(mutex_);
  void Tell(const std::set<std::string>& owners) const;

  kube::Informers& informers_;
  const Listener listener_;
  mutable Mutex mutex_;
  bool synced_ GUARDED_BY(mutex_) = false;
  std::map<kube::ObjectKey, Seen> seen_ GUARDED_BY(mutex_);
  std::map<kube::ObjectKey, AsWanted> as_wanted_ GUARDED_BY(mutex_);
  std::map<kube::ObjectKey, std::set<std::string>> awaited_ GUARDED_BY(mutex_);
  bool started_ GUARDED_BY(mutex_) = false;
  kube::InformerHandle informer_ GUARDED_BY(mutex_);
};

}  // namespace escagent::controller
