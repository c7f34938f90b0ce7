#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/fakes/apiserver/api_status.h"
#include "tests/fakes/apiserver/schema.h"

namespace escagent::apiserver {

// One version of one kind, as the API serves it. Versions of a kind share their objects (conversion
// None). Immutable.
struct Resource {
  std::string group;  // empty: core
  std::string version;
  std::string storage_version;
  std::string plural;
  std::string singular;
  std::string kind;
  std::string list_kind;
  std::vector<std::string> short_names;
  std::vector<std::string> categories;
  bool namespaced = true;
  bool custom = false;  // from a CustomResourceDefinition
  bool status_subresource = false;
  std::shared_ptr<const Schema> schema;
  // Field selectors beside metadata.name and metadata.namespace: "spec.secretStoreRef.name".
  std::vector<std::string> selectable_fields;

  // The name of its table in the store, the same for all versions: "secrets",
  // "leases.coordination.k8s.io".
  std::string Table() const { return group.empty() ? plural : plural + "." + group; }
  // "v1", "apps/v1".
  std::string ApiVersion() const { return group.empty() ? version : group + "/" + version; }
  std::string StorageApiVersion() const {
    return group.empty() ? storage_version : group + "/" + storage_version;
  }
  ObjectName Name(const std::string& name) const {
    return {.group = group, .resource = plural, .kind = kind, .name = name};
  }
};

using ResourcePtr = std::shared_ptr<const Resource>;

}  // namespace escagent::apiserver
