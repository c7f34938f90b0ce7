#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/mirror/external_secret.h"
#include "agent/store/secret_store.h"
#include "base/mutex.h"
#include "kube/resource.h"

namespace escagent::controller {

// An ExternalSecret as the controller knows it.
struct TrackedSecret {
  std::shared_ptr<const mirror::ExternalSecret> object;
  // The target's resourceVersion when it was last seen to be, or made, as wanted. Empty: never, or
  // there is none.
  std::string target_version;
  // The object is gone; its Secret is to be looked after once more.
  bool gone = false;
  int failures = 0;
  // Why it is to be synchronised: somebody asks for it, or the target has been seen with this
  // resourceVersion ("-": it is not there).
  bool wanted = false;
  std::string suspect;
};

// The ExternalSecrets of the cluster by what refers to them: their targets, their stores, the label
// on what they have created. Thread-safe; nothing here blocks.
class ExternalSecretTable {
 public:
  using Key = kube::ObjectKey;
  using Object = std::shared_ptr<const mirror::ExternalSecret>;

  enum class Change {
    kNone,    // nothing that a synchronisation depends on (its status)
    kNew,     // not known before, or deleted and made again
    kChanged  // spec, labels, annotations, deletion
  };
  // Takes the object in. An older one than the one known (by generation, when it was read before)
  // is taken too: the API server decides what is newest.
  Change Put(Object object) EXCLUDES(mutex_);
  // The object as the answer to a write of its status: not when it changed meanwhile.
  void PutStatus(const Key& key, const std::string& version_before, Object object) EXCLUDES(mutex_);
  // Marks the object as gone; false when it was not known.
  bool MarkGone(const Key& key) EXCLUDES(mutex_);
  void Erase(const Key& key) EXCLUDES(mutex_);

  std::optional<TrackedSecret> Get(const Key& key) const EXCLUDES(mutex_);
  // Notes that the object is to be synchronised.
  void Want(const Key& key) EXCLUDES(mutex_);
  // Notes the version of the object's target (empty: it is not there); false when that is the one
  // that the last synchronisation has left.
  bool Suspect(const Key& key, const std::string& version) EXCLUDES(mutex_);
  // What is known of the object, if there is a reason to synchronise it; the reasons are forgotten.
  std::optional<TrackedSecret> Take(const Key& key) EXCLUDES(mutex_);
  // Notes how a synchronisation ended; returns the number of failures in a row.
  int NoteResult(const Key& key, bool failed, const std::string& target_version) EXCLUDES(mutex_);

  // Who has this Secret as target.
  std::vector<Key> ByTarget(const Key& secret) const EXCLUDES(mutex_);
  // Who made Secrets with this label kCreatedByLabel.
  std::optional<Key> ByCreatedBy(std::string_view hash) const EXCLUDES(mutex_);
  std::vector<Key> ByStore(const store::StoreId& store) const EXCLUDES(mutex_);
  std::vector<Key> InNamespace(std::string_view namespace_name) const EXCLUDES(mutex_);
  std::vector<Key> All() const EXCLUDES(mutex_);

  struct Failure {
    Key key;
    std::string message;  // of the condition
  };
  struct Counts {
    std::size_t total = 0;
    std::size_t ready = 0;
    std::size_t failed = 0;
    std::vector<Failure> failures;  // the first kMaxFailures
  };
  static constexpr std::size_t kMaxFailures = 100;
  // Of the objects for which `matches` is true, by their condition Ready.
  Counts Count(const std::function<bool(const Key&)>& matches) const EXCLUDES(mutex_);

 private:
  void Index(const Key& key, const mirror::ExternalSecret& object) REQUIRES(mutex_);
  void Unindex(const Key& key, const mirror::ExternalSecret& object) REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::map<Key, TrackedSecret> objects_ GUARDED_BY(mutex_);
  std::map<Key, std::set<Key>> by_target_ GUARDED_BY(mutex_);
  std::map<std::string, Key, std::less<>> by_hash_ GUARDED_BY(mutex_);
  std::map<store::StoreId, std::set<Key>> by_store_ GUARDED_BY(mutex_);
};

}  // namespace escagent::controller
