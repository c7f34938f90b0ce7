#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "tests/fakes/apiserver/object.h"
#include "tests/fakes/apiserver/selector.h"

namespace escagent::apiserver {

// A change as a watch tells it.
struct WatchEvent {
  enum class Type { kAdded, kModified, kDeleted };
  Type type = Type::kAdded;
  ObjectPtr object;
};

// All objects, in memory, as etcd and the watch cache are for the real server: one counter of
// revisions for everything, optimistic concurrency, a history from which watches resume, snapshots
// for lists that are read in pieces.
//
// Knows nothing of HTTP or of the rules for objects. Thread-safe; watchers are told under the
// store's mutex, which is never held over I/O.
class Store {
 public:
  // `history`: how many changes of each kind a watch can go back.
  explicit Store(std::size_t history) : history_size_(history) {}
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  struct Snapshot {
    std::uint64_t revision = 0;
    std::vector<ObjectPtr> objects;  // by namespace and name
  };

  std::uint64_t Revision() const;
  ObjectPtr Get(const std::string& table, const std::string& name_space,
                const std::string& name) const;
  Snapshot List(const std::string& table, const Selector& selector) const;
  // Keeps a snapshot, so that a list can be gone on with; the oldest ones are forgotten.
  void Keep(const std::string& key, std::shared_ptr<const Snapshot> snapshot);
  std::shared_ptr<const Snapshot> Kept(const std::string& key) const;
  // The revision of the last change of a kind.
  std::uint64_t LastChange(const std::string& table) const;

  // Puts an object in place of `before` (null: there must be none). Null when the object in the
  // store is another one by now.
  ObjectPtr Put(const std::string& table, const ObjectPtr& before, const Object& object);
  // Removes `before`; the result has the revision of the removal. Null when the object in the store
  // is another one by now.
  ObjectPtr Remove(const std::string& table, const ObjectPtr& before);
  void DropTable(const std::string& table);

  // Objects (with their table) that name `uid` as an owner.
  std::vector<std::pair<std::string, ObjectPtr>> OwnedBy(const std::string& uid) const;
  bool HasUid(const std::string& uid) const;
  // Every object of a namespace, with its table.
  std::vector<std::pair<std::string, ObjectPtr>> InNamespace(const std::string& name_space) const;

  // Forgets the history and the snapshots: watches and lists from before get 410.
  void Compact();

  // Why a watch ends.
  enum class End {
    kOpen,     // it does not
    kCut,      // the connection goes away
    kExpired,  // the client is told to list again (410)
  };

  // A client's view on the changes of one kind. Owned by one thread; ends when the store stops.
  class Watch {
   public:
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // Waits for events until `deadline`. `revision` is how far the client has seen everything.
    std::vector<WatchEvent> Next(std::chrono::steady_clock::time_point deadline,
                                 std::uint64_t& revision);
    // kCut, too, when the store stops or the client is too slow.
    End end() const;

   private:
    friend class Store;
    Watch(Store& store, std::string table, Selector selector)
        : store_(store), table_(std::move(table)), selector_(std::move(selector)) {}

    Store& store_;
    const std::string table_;
    const Selector selector_;
    // Guarded by the store's mutex.
    std::deque<WatchEvent> events_;
    End end_ = End::kOpen;
    CondVar changed_;
  };

  // Starts a watch behind `from`; absent: with what there is now, as additions, in `initial`.
  // Null when the history does not go back so far.
  std::unique_ptr<Watch> StartWatch(const std::string& table, const Selector& selector,
                                    std::optional<std::uint64_t> from, Snapshot* initial);
  std::size_t Watches() const;
  // Ends the watches of a table, or all when it is empty.
  void EndWatches(const std::string& table, End end);
  // Ends all watches, also those that start later.
  void Stop();

 private:
  struct Change {
    ObjectPtr before;  // null: created
    ObjectPtr after;   // null: removed
    ObjectPtr last;    // what a deletion tells: the object with the revision of its removal
    std::uint64_t revision = 0;
  };
  struct Table {
    std::map<std::string, ObjectPtr, std::less<>> objects;  // by "namespace/name"
    std::deque<Change> history;
    std::uint64_t oldest = 0;  // watches can start behind this revision
    std::uint64_t last_change = 0;
    std::list<Watch*> watches;
  };

  static std::string KeyOf(const Object& object);
  static std::optional<WatchEvent> EventOf(const Change& change, const Selector& selector);
  Snapshot ListLocked(const std::string& table, const Selector& selector) const REQUIRES(mutex_);
  void Record(Table& table, Change change) REQUIRES(mutex_);
  void Index(const std::string& table, const ObjectPtr& before, const ObjectPtr& after)
      REQUIRES(mutex_);

  const std::size_t history_size_;
  mutable Mutex mutex_;
  bool stopped_ GUARDED_BY(mutex_) = false;
  std::uint64_t revision_ GUARDED_BY(mutex_) = 1;
  std::map<std::string, Table, std::less<>> tables_ GUARDED_BY(mutex_);
  std::map<std::string, std::size_t, std::less<>> uids_ GUARDED_BY(mutex_);
  // Owner's uid -> table and key of what it owns.
  std::multimap<std::string, std::pair<std::string, std::string>, std::less<>> owned_
      GUARDED_BY(mutex_);
  std::deque<std::pair<std::string, std::shared_ptr<const Snapshot>>> kept_ GUARDED_BY(mutex_);
};

}  // namespace escagent::apiserver
