#pragma once

#include <atomic>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>

#include "tests/fakes/apiserver/api_status.h"
#include "tests/fakes/apiserver/object_writer.h"
#include "tests/fakes/apiserver/registry.h"
#include "tests/fakes/apiserver/store.h"

namespace escagent::apiserver {

// The meta/v1 DeleteOptions that count.
struct DeleteOptions {
  std::string uid;               // precondition; empty: any
  std::string resource_version;  // precondition; empty: any
  std::string propagation;       // "", "Background", "Foreground", "Orphan"

  // From the body (null: none) and the propagationPolicy of the query.
  static Outcome<DeleteOptions> Read(const nlohmann::json& body, const std::string& propagation);
};

// Deletes objects: finalizers, preconditions, and, as kube-controller-manager's garbage collector
// and namespace controller do, what depends on them and what a namespace holds. The controllers
// work at once, on the caller's thread, and can be switched off: then the server is as a
// kube-apiserver that runs alone. Thread-safe.
class ObjectRemover {
 public:
  ObjectRemover(Store& store, Registry& registry, ObjectWriter& writer)
      : store_(store), registry_(registry), writer_(writer) {}
  ObjectRemover(const ObjectRemover&) = delete;
  ObjectRemover& operator=(const ObjectRemover&) = delete;

  struct Removed {
    ObjectPtr object;
    bool gone = false;  // else it waits for its finalizers
  };
  Outcome<Removed> Delete(const WriteTarget& target, const DeleteOptions& options);

  // Collects what an object that is gone leaves behind.
  void Collect(const Resource& resource, const ObjectPtr& gone);
  // Removes a new object all of whose owners are gone already.
  void CollectIfOrphan(const Resource& resource, const ObjectPtr& object);

  void EnableControllers(bool on) { controllers_ = on; }
  bool controllers() const { return controllers_; }

 private:
  Outcome<Removed> MarkDeleted(const WriteTarget& target, const ObjectPtr& before,
                               std::string_view finalizer);
  // Removes it, or marks it when it has finalizers.
  void DeleteNow(const std::string& table, const ObjectPtr& object);
  void Disown(const std::string& table, const ObjectPtr& object, const std::string& uid);
  void CollectDependents(const std::string& uid, bool orphan);

  Store& store_;
  Registry& registry_;
  ObjectWriter& writer_;
  std::atomic<bool> controllers_ = true;
};

}  // namespace escagent::apiserver
