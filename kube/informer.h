#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "kube/object.h"
#include "kube/resource.h"

namespace escagent::kube {

// What to follow: the objects of one kind, in one namespace or all, that match the selectors.
struct Selection {
  Resource resource;
  std::string namespace_name{};  // empty: all
  std::string label_selector{};
  std::string field_selector{};
  bool metadata_only = false;  // PartialObjectMetadata
  // Do not list: start a watch that begins with what is there (for who may watch but not list).
  // What vanished while the watch was away is then found out by comparing with the initial events
  // up to their bookmark (sendInitialEvents); servers without that are asked for a plain watch,
  // which begins with synthetic ADDED events and no sign of their end (OnSynced then comes with the
  // first bookmark or after a short while without events).
  bool watch_only = false;
};

// Gets the changes of a selection. One call at a time for one informer, on a thread of Informers,
// without locks held; calls should be short.
class InformerHandler {
 public:
  virtual ~InformerHandler() = default;

  // The object is there, as given: new or changed. `in_initial_list`: found by the first listing,
  // as opposed to created since.
  virtual void OnUpsert(Object object, bool in_initial_list) = 0;
  virtual void OnDelete(const ObjectKey& key) = 0;
  // Everything that was there at some moment after the start has been told; once.
  virtual void OnSynced() = 0;
  // Listing or watching failed, or (OK) works again. What is known stays; attempts go on with
  // backoff (0.5 s up to 30 s, Retry-After honoured). Called on changes of the state only.
  virtual void OnHealth(const Status& status) = 0;
};

// Ends an informer when destroyed; then no call to its handler is running, nor will there be one.
// May be destroyed by its handler. Move-only.
class InformerHandle {
 public:
  // What is held: its destructor ends the informer.
  class Impl {
   public:
    Impl() = default;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    virtual ~Impl() = default;
  };

  InformerHandle();
  explicit InformerHandle(std::unique_ptr<Impl> impl);
  InformerHandle(InformerHandle&&) noexcept;
  InformerHandle& operator=(InformerHandle&&) noexcept;
  ~InformerHandle();
  explicit operator bool() const { return impl_ != nullptr; }

 private:
  std::unique_ptr<Impl> impl_;
};

// List + watch of many selections with few threads (Kubernetes API concepts, "Efficient detection
// of changes"). A watch resumes at the last resourceVersion it has seen (bookmarks count); after
// 410 Gone the selection is listed again, and what vanished meanwhile is told as deleted. Watches
// are renewed by the server's timeout (asked for: 5 to 10 minutes, spread). Thread-safe.
class Informers {
 public:
  virtual ~Informers() = default;
  // The handler is kept until the handle is gone.
  virtual InformerHandle Start(Selection selection, std::shared_ptr<InformerHandler> handler) = 0;
};

}  // namespace escagent::kube
