#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kube/object.h"
#include "kube/resource.h"

namespace escagent::kube {

// Which calls go first when more is asked than the rate allows.
enum class Priority {
  kExempt,       // leases: never waits for the rate
  kInteractive,  // somebody waits: a publish, a new or edited object
  kNormal,       // a value changed
  kBackground,   // resynchronisation, events
};

struct CallOptions {
  Priority priority = Priority::kNormal;
  // fieldManager of writes; empty: the client's default.
  std::string field_manager{};
  // How long the request may take, for who cannot wait as long as the client's own limit (which is
  // never exceeded). Zero: that limit.
  std::chrono::milliseconds timeout{0};
  std::stop_token stop{};
};

struct ListOptions {
  std::string namespace_name;  // empty: all namespaces
  std::string label_selector;
  std::string field_selector;
  int limit = 500;
  std::string continue_token;
  std::string resource_version;  // empty: the newest (a quorum read)
  bool metadata_only = false;    // PartialObjectMetadata
};

struct ListPage {
  std::vector<Object> items;
  std::string resource_version;
  std::string continue_token;  // empty: the last page
};

enum class PatchType {
  kMerge,      // RFC 7386
  kJson,       // RFC 6902
  kStrategic,  // built-in kinds only
  kApply,      // server-side apply, forced
};

struct Preconditions {
  std::string uid;               // empty: any
  std::string resource_version;  // empty: any
};

// The seam for Kubernetes: calls on objects. Answers are the server's objects. Errors carry the
// server's own message and name the object: NOT_FOUND, ALREADY_EXISTS (POST of a name that is
// taken), ABORTED (409 Conflict: read again and retry), INVALID_ARGUMENT (400, 422),
// UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED (429, with retry_after),
// FAILED_PRECONDITION (410: the resourceVersion or continue token is too old), UNAVAILABLE,
// DEADLINE_EXCEEDED, CANCELLED. Thread-safe; calls block, each with a deadline of its own.
class Api {
 public:
  virtual ~Api() = default;

  virtual Result<Object> Get(const Resource& resource, const ObjectKey& key,
                             const CallOptions& options) = 0;
  // Only the object's metadata (PartialObjectMetadata): of a Secret, without its data.
  virtual Result<Object> GetMetadata(const Resource& resource, const ObjectKey& key,
                                     const CallOptions& options) = 0;
  virtual Result<ListPage> List(const Resource& resource, const ListOptions& list,
                                const CallOptions& options) = 0;
  // POST. `object` names itself, its namespace too; apiVersion and kind are filled in.
  virtual Result<Object> Create(const Resource& resource, const Object& object,
                                const CallOptions& options) = 0;
  // PUT; ABORTED when metadata.resourceVersion is there and not the newest.
  virtual Result<Object> Replace(const Resource& resource, const Object& object,
                                 const CallOptions& options) = 0;
  // `subresource`: "status" or empty.
  virtual Result<Object> Patch(const Resource& resource, const ObjectKey& key, PatchType type,
                               const Object& patch, std::string_view subresource,
                               const CallOptions& options) = 0;
  // Deleting what is not there is NOT_FOUND. Dependents are left to the garbage collector
  // (propagationPolicy Background).
  virtual Status Delete(const Resource& resource, const ObjectKey& key,
                        const Preconditions& preconditions, const CallOptions& options) = 0;
  // POST to a subresource ("token" of a service account).
  virtual Result<Object> CreateSubresource(const Resource& resource, const ObjectKey& key,
                                           std::string_view subresource, const Object& object,
                                           const CallOptions& options) = 0;
};

}  // namespace escagent::kube
